-- The extensions this server could install.
SELECT name FROM pg_available_extensions
