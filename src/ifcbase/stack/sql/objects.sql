-- How many functions, views, triggers, constraints and indexes each schema has, leaving out what
-- belongs to extensions (their versions differ between servers).
SELECT n.nspname, kind, count(*)
  FROM (SELECT 'pg_proc'::regclass AS catalog, oid, pronamespace AS namespace, 'function' AS kind
          FROM pg_proc
        UNION ALL
        SELECT 'pg_class'::regclass, oid, relnamespace, 'relation ' || relkind::text
          FROM pg_class
         WHERE relkind IN ('v', 'i', 'I', 'p', 'f', 'S') AND relpersistence <> 't'
        UNION ALL
        SELECT 'pg_trigger'::regclass, t.oid, c.relnamespace, 'trigger'
          FROM pg_trigger t
          JOIN pg_class c ON c.oid = t.tgrelid
         WHERE NOT t.tgisinternal
        UNION ALL
        SELECT 'pg_constraint'::regclass, oid, connamespace, 'constraint ' || contype::text
          FROM pg_constraint
         WHERE contype <> 'n' -- NOT NULL is a constraint since Postgres 18
       ) AS found
  JOIN pg_namespace n ON n.oid = found.namespace
 WHERE n.nspname <> 'information_schema'
   AND n.nspname !~ '^pg_'
   AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = found.catalog AND d.objid = found.oid AND d.deptype = 'e')
 GROUP BY n.nspname, kind
 ORDER BY n.nspname, kind
