-- The frame a Supabase database has and a plain Postgres lacks: roles, schemas, claim functions.
-- On Supabase everything here exists already and nothing is changed.

do $$
declare
  wanted text;
  made text[] := '{}';
begin
  -- Roles belong to the cluster: two databases may be migrated at the same time.
  perform pg_advisory_xact_lock(hashtext('ifcbase.roles'));

  foreach wanted in array array['anon', 'authenticated', 'ifc_worker'] loop
    if not exists (select from pg_roles where rolname = wanted) then
      execute format('create role %I nologin noinherit', wanted);
      made := array_append(made, wanted);
    end if;
  end loop;

  if not exists (select from pg_roles where rolname = 'service_role') then
    begin
      create role service_role nologin noinherit bypassrls;
    exception when insufficient_privilege then
      -- Before Postgres 16 only a superuser may hand out bypassrls; our policies name the role too.
      create role service_role nologin noinherit;
    end;
    made := array_append(made, 'service_role');
  end if;

  if not exists (select from pg_roles where rolname = 'authenticator') then
    create role authenticator noinherit nologin;
    alter role anon set statement_timeout = '3s';
    alter role authenticated set statement_timeout = '8s';
    alter role authenticator set statement_timeout = '8s';
    alter role authenticator set lock_timeout = '8s';
  end if;

  foreach wanted in array array['anon', 'authenticated', 'service_role', 'ifc_worker'] loop
    if not pg_has_role('authenticator', wanted, 'member') then
      execute format('grant %I to authenticator', wanted);
    end if;
    -- Who made a role may become it: before Postgres 16 that needs a superuser or membership, since
    -- then membership with the right to SET, which making it does not give. Other people's roles
    -- stay as they are.
    if wanted = any (made) then
      execute format('grant %I to %I', wanted, current_user);
    end if;
  end loop;

  foreach wanted in array array['auth', 'storage', 'extensions'] loop
    if to_regnamespace(wanted) is null then
      execute format('create schema %I', wanted);
      execute format('grant usage on schema %I to anon, authenticated, service_role', wanted);
    end if;
  end loop;

  if to_regprocedure('auth.uid()') is null then
    create function auth.uid() returns uuid language sql stable set search_path = pg_catalog, pg_temp as $f$
      select coalesce(
        nullif(current_setting('request.jwt.claim.sub', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
      )::uuid
    $f$;
  end if;

  if to_regprocedure('auth.role()') is null then
    create function auth.role() returns text language sql stable set search_path = pg_catalog, pg_temp as $f$
      select coalesce(
        nullif(current_setting('request.jwt.claim.role', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'
      )
    $f$;
  end if;

  if to_regprocedure('auth.jwt()') is null then
    create function auth.jwt() returns jsonb language sql stable set search_path = pg_catalog, pg_temp as $f$
      select coalesce(
        nullif(current_setting('request.jwt.claim', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')
      )::jsonb
    $f$;
  end if;
end
$$;

grant usage on schema public to anon, authenticated, service_role, ifc_worker;
