-- Questions of backup and restore. Run with the settings of `canonical`, so that a value has one form.

-- canonical: Values have the same text form in every session; names are always written with schema.
SELECT set_config('search_path', 'pg_catalog', true), set_config('TimeZone', 'UTC', true),
       set_config('DateStyle', 'ISO, MDY', true), set_config('IntervalStyle', 'postgres', true),
       set_config('extra_float_digits', '1', true), set_config('bytea_output', 'hex', true),
       set_config('row_security', 'off', true), set_config('statement_timeout', '0', true)

-- snapshot: A name by which other sessions see the database as this transaction does.
SELECT pg_export_snapshot()

-- owner: The role that owns our tables; none where they were never made.
SELECT r.rolname FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner WHERE n.nspname = 'core'

-- schemas: The schemas of the tables' owner but those that Supabase's services keep, and public.
SELECT n.nspname
  FROM pg_namespace n
 WHERE n.nspname = 'public'
    OR (n.nspowner = (SELECT c.nspowner FROM pg_namespace c WHERE c.nspname = 'core')
        AND n.nspname !~ '^pg_'
        AND n.nspname NOT IN
          ('information_schema', 'auth', 'storage', 'extensions', 'realtime', '_realtime', 'vault',
           'graphql', 'graphql_public', 'pgsodium', 'net', 'cron', 'supabase_functions', 'pgbouncer',
           'supavisor', '_supavisor', '_analytics'))
 ORDER BY n.nspname

-- managed: The tables of auth and storage whose rows belong to a backup, where those services are.
SELECT n.nspname, c.relname
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname IN ('auth', 'storage')
   AND c.relkind IN ('r', 'p')
   AND NOT c.relispartition
   AND c.relname NOT IN ('schema_migrations', 'migrations')
 ORDER BY n.nspname, c.relname

-- tables: The tables of these schemas that hold rows.
SELECT n.nspname, c.relname
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'm')
   AND c.relpersistence <> 't'
   AND n.nspname = ANY (%(schemas)s)
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
 ORDER BY n.nspname, c.relname

-- sequences: The sequences of these schemas.
SELECT n.nspname, c.relname
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname = ANY (%(schemas)s)
 ORDER BY n.nspname, c.relname

-- definitions: What is defined in these schemas, each thing with a text that says all of it.
WITH room AS (SELECT oid, nspname FROM pg_namespace WHERE nspname = ANY (%(schemas)s)),
named AS (
  SELECT c.oid, c.relkind, c.relacl, c.relrowsecurity, c.relforcerowsecurity, c.reloptions,
         format('%%I.%%I', room.nspname, c.relname) AS name
    FROM pg_class c JOIN room ON room.oid = c.relnamespace
   WHERE c.relpersistence <> 't'
), said AS (
  SELECT 'schema' AS kind, quote_ident(n.nspname) AS name,
         (SELECT string_agg(grant_text, ' ' ORDER BY grant_text)
            FROM (SELECT format('%%s %%s', coalesce(g.rolname, 'public'), a.privilege_type) AS grant_text
                    FROM aclexplode(n.nspacl) a LEFT JOIN pg_roles g ON g.oid = a.grantee
                   WHERE coalesce(g.rolname, '') NOT IN ('postgres', 'pg_database_owner')
                     AND a.grantee <> n.nspowner) grants) AS text
    FROM pg_namespace n JOIN room ON room.oid = n.oid
  UNION ALL
  SELECT 'function', p.oid::regprocedure::text,
         CASE WHEN p.prokind IN ('f', 'p') THEN pg_get_functiondef(p.oid) END
         || coalesce((SELECT string_agg(format(' %%s %%s', coalesce(g.rolname, 'public'), a.privilege_type), ''
                               ORDER BY g.rolname, a.privilege_type)
                        FROM aclexplode(p.proacl) a LEFT JOIN pg_roles g ON g.oid = a.grantee
                       WHERE a.grantee <> p.proowner), ' default')
    FROM pg_proc p JOIN room ON room.oid = p.pronamespace
   WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
  UNION ALL
  SELECT 'view', name, pg_get_viewdef(oid) || coalesce(reloptions::text, '')
    FROM named WHERE relkind IN ('v', 'm')
  UNION ALL
  SELECT 'table', name,
         format('%%s %%s %%s', relrowsecurity, relforcerowsecurity,
           (SELECT string_agg(format('%%I %%s %%s %%s', t.attname, format_type(t.atttypid, t.atttypmod),
                                t.attnotnull, pg_get_expr(f.adbin, f.adrelid)), ', ' ORDER BY t.attnum)
              FROM pg_attribute t
              LEFT JOIN pg_attrdef f ON f.adrelid = t.attrelid AND f.adnum = t.attnum
             WHERE t.attrelid = named.oid AND t.attnum > 0 AND NOT t.attisdropped))
    FROM named WHERE relkind IN ('r', 'p')
  UNION ALL
  SELECT 'grants', name,
         (SELECT string_agg(format('%%s %%s', coalesce(g.rolname, 'public'), a.privilege_type), ' '
                   ORDER BY g.rolname, a.privilege_type)
            FROM aclexplode(relacl) a LEFT JOIN pg_roles g ON g.oid = a.grantee
            JOIN pg_class c ON c.oid = named.oid
           WHERE a.grantee <> c.relowner AND a.privilege_type <> 'MAINTAIN')
    FROM named WHERE relkind IN ('r', 'p', 'v', 'm', 'S')
  UNION ALL
  SELECT 'policy', format('%%I.%%I %%s', schemaname, tablename, policyname),
         format('%%s %%s %%s %%s %%s', permissive, roles, cmd, qual, with_check)
    FROM pg_policies WHERE schemaname = ANY (%(schemas)s)
  UNION ALL
  SELECT 'constraint', format('%%s %%s', named.name, k.conname), pg_get_constraintdef(k.oid)
    FROM pg_constraint k JOIN named ON named.oid = k.conrelid
   WHERE k.contype <> 'n'
  UNION ALL
  SELECT 'index', named.name, pg_get_indexdef(named.oid) FROM named WHERE relkind IN ('i', 'I')
  UNION ALL
  SELECT 'trigger', format('%%s %%s', named.name, t.tgname), pg_get_triggerdef(t.oid) || t.tgenabled::text
    FROM pg_trigger t JOIN named ON named.oid = t.tgrelid
   WHERE NOT t.tgisinternal
  UNION ALL
  SELECT 'comment', format('%%s %%s', coalesce(named.name, p.oid::regprocedure::text), d.objsubid),
         d.description
    FROM pg_description d
    LEFT JOIN named ON d.classoid = 'pg_class'::regclass AND named.oid = d.objoid
    LEFT JOIN pg_proc p ON d.classoid = 'pg_proc'::regclass AND p.oid = d.objoid
     AND p.pronamespace IN (SELECT oid FROM room)
   WHERE coalesce(named.oid, p.oid) IS NOT NULL
)
SELECT kind, name, md5(coalesce(text, '')) FROM said ORDER BY kind, name

-- roles: Who may do something here, with attributes; the cluster's own roles and superusers aside.
SELECT r.rolname, r.rolcanlogin, r.rolinherit, r.rolbypassrls,
       ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
              WHERE m.member = r.oid ORDER BY 1),
       ARRAY(SELECT setting FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) AS setting
              WHERE s.setrole = r.oid AND s.setdatabase = 0 ORDER BY 1)
  FROM pg_roles r
 WHERE r.rolname !~ '^(pg_|supabase)' AND NOT r.rolsuper
   AND (EXISTS (SELECT FROM pg_shdepend d
                 WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid
                   AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()))
        OR EXISTS (SELECT FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
                    WHERE m.member = r.oid
                      AND g.rolname IN ('anon', 'authenticated', 'service_role', 'ifc_worker')))
 ORDER BY r.rolname

-- present_roles: The names of all roles.
SELECT rolname FROM pg_roles

-- head: The newest migration that was applied.
SELECT max(version) FROM supabase_migrations.schema_migrations

-- files: Every file the ledger knows, whose bytes should be at hand.
SELECT p.name, f.sha256, f.size
  FROM core.files f
  JOIN core.projects p ON p.id = f.project_id
 -- Of files that retention removed only the hash is left (a column that older ledgers lack).
 WHERE to_jsonb(f) ->> 'unwanted_at' IS NULL
 ORDER BY p.name, f.sha256

-- live: How many jobs are just being worked on.
SELECT count(*) FROM core.attempts WHERE ended_at IS NULL AND lease_until > clock_timestamp()

-- me: Who we are here, whether as a superuser, and whether we may make databases.
SELECT current_user::text, rolsuper, rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user

-- size: How large this database is, in bytes.
SELECT pg_database_size(current_database())

-- leftovers: Scratch databases that an interrupted verification left behind.
SELECT d.datname FROM pg_database d
 WHERE d.datname ~ '^ifcbase_verify_[0-9a-f]{8}$'
   AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datid = d.oid)
   AND pg_has_role(d.datdba, 'MEMBER')

-- clear_public: Before a restore: what our owner has in public but tables of others goes away.
DO $$
DECLARE
  each record;
BEGIN
  FOR each IN
    SELECT format('DROP %s IF EXISTS %I.%I CASCADE',
             CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'MATERIALIZED VIEW' END, 'public', c.relname) AS command
      FROM pg_class c
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('v', 'm')
       AND pg_has_role(c.relowner, 'MEMBER')
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
    UNION ALL
    SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', p.oid::regprocedure)
      FROM pg_proc p
     WHERE p.pronamespace = 'public'::regnamespace
       AND pg_has_role(p.proowner, 'MEMBER')
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
  LOOP
    EXECUTE each.command;
  END LOOP;
END
$$

-- clear_defaults: Before a restore: what new objects are granted by default is kept and taken away,
-- because a dump says what is granted beyond the built-in defaults and nothing of these.
CREATE TEMPORARY TABLE ifcbase_defaults ON COMMIT DROP AS
SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE %I %s GRANT %s ON %s TO %s', r.rolname,
              coalesce('IN SCHEMA ' || quote_ident(n.nspname), ''), a.privilege_type, k.kind,
              coalesce(quote_ident(g.rolname), 'PUBLIC')) AS giving,
       format('ALTER DEFAULT PRIVILEGES FOR ROLE %I %s REVOKE %s ON %s FROM %s', r.rolname,
              coalesce('IN SCHEMA ' || quote_ident(n.nspname), ''), a.privilege_type, k.kind,
              coalesce(quote_ident(g.rolname), 'PUBLIC')) AS taking
  FROM pg_default_acl d
  JOIN pg_roles r ON r.oid = d.defaclrole
  LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
  JOIN (VALUES ('r', 'TABLES'), ('S', 'SEQUENCES'), ('f', 'FUNCTIONS'), ('T', 'TYPES'),
               ('n', 'SCHEMAS')) AS k (type, kind) ON k.type = d.defaclobjtype::text
 CROSS JOIN aclexplode(d.defaclacl) AS a
  LEFT JOIN pg_roles g ON g.oid = a.grantee
 WHERE a.grantee <> d.defaclrole AND pg_has_role(d.defaclrole, 'MEMBER');
DO $$
DECLARE
  command text;
BEGIN
  FOR command IN SELECT taking FROM ifcbase_defaults LOOP
    EXECUTE command;
  END LOOP;
END
$$

-- give_defaults: After a restore: the defaults as they were.
DO $$
DECLARE
  command text;
BEGIN
  FOR command IN SELECT giving FROM ifcbase_defaults LOOP
    EXECUTE command;
  END LOOP;
END
$$

-- has_managed: Whether the tables of Supabase's services are there.
SELECT to_regclass('auth.users') IS NOT NULL OR to_regclass('storage.buckets') IS NOT NULL

-- may_replicate: Whether we may load rows without their triggers.
SELECT rolsuper OR has_parameter_privilege('session_replication_role', 'SET')
  FROM pg_roles WHERE rolname = current_user

-- user_tables: How many tables people have in this database.
SELECT count(*)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
   AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'

-- has_uploads: Whether the ledger is new enough to know what lies where in Storage.
SELECT to_regclass('core.uploads') IS NOT NULL

-- buckets: Where Storage keeps each file: what checks made in the bucket of the check, all else in models.
SELECT p.name, f.sha256, array_agg(DISTINCT u.bucket ORDER BY u.bucket)
  FROM core.files f
  JOIN core.projects p ON p.id = f.project_id
 CROSS JOIN LATERAL (
   SELECT j.check_name || '-results' AS bucket
     FROM core.job_outputs o JOIN core.jobs j ON j.id = o.job_id
    WHERE o.project_id = f.project_id AND o.sha256 = f.sha256
   UNION ALL
   SELECT 'models'
    WHERE EXISTS (SELECT FROM core.job_inputs i
                   WHERE i.project_id = f.project_id AND i.sha256 = f.sha256)
       OR EXISTS (SELECT FROM core.model_versions v
                   WHERE v.project_id = f.project_id AND v.sha256 = f.sha256)
       OR EXISTS (SELECT FROM core.uploads l
                   WHERE l.project_id = f.project_id AND l.sha256 = f.sha256)
       OR NOT EXISTS (SELECT FROM core.job_outputs o
                       WHERE o.project_id = f.project_id AND o.sha256 = f.sha256)) u
 WHERE f.unwanted_at IS NULL
 GROUP BY p.name, f.sha256
