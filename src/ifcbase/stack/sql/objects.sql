-- How many functions, views, triggers, constraints and indexes each schema of the database has.
SELECT n.nspname, kind, count(*)
  FROM (SELECT pronamespace AS namespace, 'function' AS kind FROM pg_proc
        UNION ALL
        SELECT relnamespace, 'relation ' || relkind FROM pg_class
         WHERE relkind IN ('v', 'i', 'I', 'p', 'f', 'S') AND relpersistence <> 't'
        UNION ALL
        SELECT c.relnamespace, 'trigger' FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
         WHERE NOT t.tgisinternal
        UNION ALL
        SELECT connamespace, 'constraint ' || contype FROM pg_constraint WHERE contype <> 'n'
       ) AS found
  JOIN pg_namespace n ON n.oid = found.namespace
 WHERE n.nspname <> 'information_schema'
   AND n.nspname !~ '^pg_'
 GROUP BY n.nspname, kind
 ORDER BY n.nspname, kind
