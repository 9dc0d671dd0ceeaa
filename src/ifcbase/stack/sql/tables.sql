-- Every table of the database that holds rows of its own, with owner, row security and grants
-- (without MAINTAIN, which comes into being with Postgres 17 where everything was granted).
SELECT n.nspname, c.relname, r.rolname, c.relrowsecurity, c.relforcerowsecurity,
       ARRAY(SELECT format('%s %s %s', coalesce(g.rolname, 'public'), a.privilege_type,
                           a.is_grantable)
               FROM aclexplode(c.relacl) AS a
               LEFT JOIN pg_roles g ON g.oid = a.grantee
              WHERE a.privilege_type <> 'MAINTAIN'
              ORDER BY 1)
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_roles r ON r.oid = c.relowner
 WHERE c.relkind IN ('r', 'm')
   AND c.relpersistence <> 't'
   AND n.nspname <> 'information_schema'
   AND n.nspname !~ '^pg_'
 ORDER BY n.nspname, c.relname
