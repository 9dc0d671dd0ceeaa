-- Every table of the database that holds rows of its own, with owner, row security and grants.
SELECT n.nspname, c.relname, r.rolname, c.relrowsecurity, c.relforcerowsecurity,
       (SELECT array_agg(item::text ORDER BY item::text) FROM unnest(c.relacl) AS item)
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_roles r ON r.oid = c.relowner
 WHERE c.relkind IN ('r', 'm')
   AND c.relpersistence <> 't'
   AND n.nspname <> 'information_schema'
   AND n.nspname !~ '^pg_'
 ORDER BY n.nspname, c.relname
