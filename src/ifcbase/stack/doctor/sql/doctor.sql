-- What doctor asks the database.

-- server: The server's version and clock, and who we are to it.
SELECT current_setting('server_version_num')::int / 10000, clock_timestamp(), current_user::text,
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
       (SELECT setting FROM pg_settings WHERE name = 'fsync'),
       (SELECT setting FROM pg_settings WHERE name = 'full_page_writes')

-- missing_roles: Roles that callers and workers act as.
SELECT wanted FROM unnest(array['anon', 'authenticated', 'service_role', 'ifc_worker', 'authenticator']) wanted
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted)

-- strong_roles: Of those, such as may do what they must not.
SELECT r.rolname FROM pg_roles r
 WHERE r.rolname IN ('anon', 'authenticated', 'ifc_worker') AND (r.rolsuper OR r.rolbypassrls)

-- unguarded: Tables of ours without row-level security.
SELECT n.nspname || '.' || c.relname
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname IN ('core', 'clash', 'conversion', 'tester', 'diff')
   AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
 ORDER BY 1

-- open_to_anon: What everybody may write, or read past the policies, in our schemas and in public.
SELECT DISTINCT n.nspname || '.' || c.relname
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL aclexplode(c.relacl) a
  LEFT JOIN pg_roles g ON g.oid = a.grantee
 WHERE n.nspname IN ('core', 'clash', 'conversion', 'tester', 'diff', 'public')
   AND c.relkind IN ('r', 'p', 'v')
   AND c.relowner = (SELECT x.nspowner FROM pg_namespace x WHERE x.nspname = 'core')
   AND coalesce(g.rolname, 'public') IN ('public', 'anon')
   AND a.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
 ORDER BY 1

-- timeouts: How long a statement of a role may take.
SELECT r.rolname, split_part(s.setting, '=', 2)
  FROM pg_db_role_setting d
  JOIN pg_roles r ON r.oid = d.setrole
 CROSS JOIN unnest(d.setconfig) AS s (setting)
 WHERE r.rolname IN ('anon', 'authenticated', 'authenticator', 'service_role')
   AND s.setting LIKE 'statement_timeout=%'
 ORDER BY 1

-- exposed: The schemas that PostgREST exposes by setting of its role, and its cap of rows.
SELECT split_part(s.setting, '=', 1), substr(s.setting, strpos(s.setting, '=') + 1)
  FROM pg_db_role_setting d
  JOIN pg_roles r ON r.oid = d.setrole
 CROSS JOIN unnest(d.setconfig) AS s (setting)
 WHERE r.rolname = 'authenticator' AND s.setting LIKE 'pgrst.%'

-- queue: Whether the queue's tables are there.
SELECT to_regclass('procrastinate.procrastinate_jobs') IS NOT NULL

-- workers: How many workers the queue has heard of lately.
SELECT count(*) FROM procrastinate.procrastinate_workers
 WHERE last_heartbeat > now() - interval '90 seconds'

-- jobs: Jobs that wait or whose result is not stored, and leases that lapsed and nobody took.
SELECT count(*) FILTER (WHERE j.state = 'queued' AND j.delivered_at < now() - interval '5 minutes'),
       count(*) FILTER (WHERE j.state = 'computed'),
       (SELECT count(*) FROM core.attempts a
         WHERE a.ended_at IS NULL AND a.lease_until < clock_timestamp() - interval '5 minutes')
  FROM core.jobs j

-- files: Files the ledger knows whose bytes should be here: the latest, of each project.
SELECT p.name, f.sha256
  FROM core.files f JOIN core.projects p ON p.id = f.project_id
 WHERE f.unwanted_at IS NULL
 ORDER BY f.created_at DESC LIMIT 200

-- operation: When an operation of a kind last succeeded.
SELECT max(at) FROM core.operations WHERE kind = %(kind)s

-- realtime: Whether Supabase's Realtime takes messages from the database.
SELECT to_regnamespace('realtime') IS NOT NULL, to_regproc('realtime.send') IS NOT NULL
