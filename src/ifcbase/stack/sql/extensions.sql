-- The extensions this database uses.
SELECT extname FROM pg_extension ORDER BY extname
