-- Every sequence with its schema and name; its position is read from itself.
SELECT n.nspname, c.relname
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'S'
   AND c.relpersistence <> 't'
   AND n.nspname !~ '^pg_'
 ORDER BY n.nspname, c.relname
