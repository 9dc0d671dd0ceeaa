-- Every role of the cluster that is not built in, with its attributes, password verifier and settings.
SELECT r.rolname, r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, r.rolcanlogin,
       r.rolreplication, r.rolbypassrls, r.rolconnlimit, r.rolvaliduntil::text, a.rolpassword,
       ARRAY(SELECT coalesce(d.datname, '') || ' ' || setting
               FROM pg_db_role_setting s
               LEFT JOIN pg_database d ON d.oid = s.setdatabase
              CROSS JOIN unnest(s.setconfig) AS setting
              WHERE s.setrole = r.oid
              ORDER BY 1)
  FROM pg_roles r
  JOIN pg_authid a ON a.oid = r.oid
 WHERE r.rolname !~ '^pg_'
 ORDER BY r.rolname
