-- Files in Supabase Storage: private buckets, and who may read and write which objects. An object is
-- <project>/<first two>/<sha256> and never changes: nobody but the service updates or deletes one.
-- Storage makes its own tables when it first runs, perhaps after this: core.apply_storage() does what
-- is to be done there, and may be called again at any time (`ifcbase db buckets`).

create function core.object_project(bucket text, name text) returns bigint
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select p.id
    from regexp_match(object_project.name,
                      '^([a-z0-9][a-z0-9_-]{0,62})/([0-9a-f]{2})/\2[0-9a-f]{62}$') as part
    join core.projects p on p.name = part[1]
   where object_project.bucket in ('models', 'clash-results', 'conversion-results',
                                   'tester-results', 'diff-results')
$$;
comment on function core.object_project(text, text) is
  'The project an object of ours belongs to; null for what is none of ours.';

create function core.live_leases() returns setof core.attempts
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  -- Storage logs in as itself and then takes the token's role; the lease was taken through the REST
  -- API. Nobody else can be that session_user.
  select a.* from core.attempts a
   where pg_has_role(core.writer(), 'ifc_worker', 'usage') and not core.token_revoked()
     and a.ended_at is null and a.lease_until > clock_timestamp()
     and a.started_by in (core.principal(), case when session_user = 'supabase_storage_admin'
                                                 then 'authenticator/' || (auth.jwt() ->> 'sub') end)
$$;
comment on function core.live_leases() is 'The attempts the calling worker holds a live lease of.';

create function core.may_read_object(bucket text, name text) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(
    exists (select from core.own_projects('read') p where p = o.project)
    or exists (
      select from core.live_leases() a
        join core.jobs j on j.id = a.job_id
       where a.project_id = o.project
         and (may_read_object.bucket = j.check_name || '-results'
              or may_read_object.bucket = 'models' and exists (
                select from core.job_inputs i
                 where i.job_id = a.job_id and i.sha256 = right(may_read_object.name, 64)))), false)
    from (select core.object_project(may_read_object.bucket, may_read_object.name) as project) o
$$;
comment on function core.may_read_object(text, text) is
  'Members and keys read the files of their projects; a worker the inputs of the jobs it holds, and '
  'the outputs of their check in their project.';

create function core.may_write_object(bucket text, name text) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(
    may_write_object.bucket = 'models'
      and exists (select from core.own_projects('write') p where p = o.project)
    or exists (
      select from core.live_leases() a
        join core.jobs j on j.id = a.job_id
       where a.project_id = o.project and may_write_object.bucket = j.check_name || '-results'), false)
    from (select core.object_project(may_write_object.bucket, may_write_object.name) as project) o
$$;
comment on function core.may_write_object(text, text) is
  'Who may write in a project uploads models; a worker the outputs of the jobs it holds.';

create function core.apply_storage() returns setof text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  step text;
  opened text;
begin
  if to_regclass('storage.buckets') is null or to_regclass('storage.objects') is null then
    return next 'there is no Storage in this database (yet)';
    return;
  end if;
  execute 'select string_agg(b.id, '', '' order by b.id) from storage.buckets b where b.public and b.id in '
    '(''models'', ''clash-results'', ''conversion-results'', ''tester-results'', ''diff-results'')'
    into opened;
  if opened is not null then
    return next format('was public, is private now: %s', opened);
  end if;
  foreach step in array array[
    $s$insert into storage.buckets (id, name, public)
         values ('models', 'models', false), ('clash-results', 'clash-results', false),
                ('conversion-results', 'conversion-results', false),
                ('tester-results', 'tester-results', false), ('diff-results', 'diff-results', false)
         on conflict (id) do update set public = false$s$,
    $s$drop policy if exists "ifcbase read" on storage.objects$s$,
    $s$create policy "ifcbase read" on storage.objects for select to authenticated, ifc_worker
         using (core.may_read_object(bucket_id, name))$s$,
    $s$drop policy if exists "ifcbase write" on storage.objects$s$,
    $s$create policy "ifcbase write" on storage.objects for insert to authenticated, ifc_worker
         with check (core.may_write_object(bucket_id, name))$s$,
    $s$grant usage on schema storage to ifc_worker$s$,
    $s$grant select, insert on storage.objects to ifc_worker$s$,
    $s$grant select on storage.buckets to ifc_worker$s$
  ] loop
    begin
      execute step;
    exception when insufficient_privilege then
      return next format('only who owns Storage''s tables can do this: %s;', step);
    end;
  end loop;
  -- A grant of what one may not grant is a warning, not an error.
  if not has_table_privilege('ifc_worker', 'storage.objects', 'select, insert')
     or not has_schema_privilege('ifc_worker', 'storage', 'usage') then
    return next 'only who owns Storage''s tables can do this: grant usage on schema storage to '
      'ifc_worker; grant select, insert on storage.objects to ifc_worker;';
  end if;
end
$$;
comment on function core.apply_storage() is
  'Makes our buckets private and sets their policies, where Storage is; tells what it could not do.';

revoke all on function core.object_project(text, text), core.live_leases(),
  core.may_read_object(text, text), core.may_write_object(text, text), core.apply_storage()
  from public, anon, authenticated, ifc_worker;
grant execute on function core.object_project(text, text), core.live_leases(),
  core.may_read_object(text, text), core.may_write_object(text, text), core.apply_storage()
  to service_role;
grant execute on function core.may_read_object(text, text), core.may_write_object(text, text)
  to authenticated, ifc_worker;

do $$
declare
  told text;
begin
  for told in select core.apply_storage() loop
    raise notice 'Storage: %', told;
  end loop;
end
$$;
