-- The databases people made or use, with owner and size in bytes.
SELECT d.datname, r.rolname, pg_database_size(d.oid)
  FROM pg_database d
  JOIN pg_roles r ON r.oid = d.datdba
 WHERE d.datallowconn AND NOT d.datistemplate
 ORDER BY d.datname
