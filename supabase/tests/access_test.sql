-- The main statements of docs/reference/access.md in pgTAP. Needs a migrated database and the
-- extension pgtap; everything is rolled back.
begin;
create extension if not exists pgtap;
select plan(41);

-- Three projects: a's members are named, b is somebody else's, c is public.
insert into core.projects (id, name, public) values
  (900001, 'tap-a', false), (900002, 'tap-b', false), (900003, 'tap-c', true);
insert into core.members (project_id, user_id, role) values
  (900001, '00000000-0000-4000-8000-000000000001', 'viewer'),
  (900001, '00000000-0000-4000-8000-000000000002', 'editor'),
  (900001, '00000000-0000-4000-8000-000000000003', 'admin'),
  (900002, '00000000-0000-4000-8000-000000000009', 'admin');
insert into public.diff_results (old_file, new_file, diff_count, diff_data, project_id)
  select 'old', 'new', 0, '{}', p from unnest(array[900001, 900002, 900003]) p;
insert into public.clash_results (clash_set_name, output_filename, clash_count, clash_data, project_id)
  select 'set', 'out', 0, '[]', p from unnest(array[900001, 900002, 900003]) p;

-- Every table is guarded.
select is_empty(
  $$select c.oid::regclass from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname in ('core', 'clash', 'conversion', 'tester', 'diff', 'public')
       and c.relkind in ('r', 'p') and not c.relrowsecurity
       and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')$$,
  'row-level security is on for every table');
select is_empty(
  $$select c.oid::regclass from pg_class c
     where c.relnamespace = 'public'::regnamespace and c.relkind = 'v'
       and c.relname like '%\_results' and not c.reloptions @> '{security_invoker=true}'$$,
  'result views read with the rights of the reader');

-- So that each caller may run pgTAP's functions, wherever they are installed and write their notes.
do $$
begin
  execute format('grant usage on schema %s to anon, authenticated, service_role, ifc_worker',
    (select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace
      where e.extname = 'pgtap'));
  execute (select 'grant select, insert, update, delete on ' || string_agg(c.oid::regclass::text, ', ')
             || ' to anon, authenticated, service_role, ifc_worker'
             from pg_class c where c.relnamespace = pg_my_temp_schema() and c.relkind = 'r');
  execute (select 'grant usage, select, update on sequence ' || string_agg(c.oid::regclass::text, ', ')
             || ' to anon, authenticated, service_role, ifc_worker'
             from pg_class c where c.relnamespace = pg_my_temp_schema() and c.relkind = 'S');
end
$$;

-- anon: what is public, and nothing else
set local role anon;
set local request.jwt.claims = '{"role": "anon"}';
select results_eq('select name from core.projects', array['tap-c'], 'anon sees public projects only');
select results_eq('select project_id from public.diff_results', array[900003::bigint],
  'anon sees public results only');
select results_eq('select project_id from public.clash_results', array[900003::bigint],
  'and public clash results only');
select throws_ok($$insert into public.diff_results (old_file, new_file, diff_count, diff_data, project_id)
  values ('a', 'b', 0, '{}', 900003)$$, '42501', null, 'anon inserts nothing');
select throws_ok('select 1 from core.jobs', '42501', null, 'anon sees no jobs');
select throws_ok('select 1 from core.members', '42501', null, 'anon sees no members');
select throws_ok('delete from public.diff_results', '42501', null, 'anon deletes nothing');
reset role;

-- a signed-up user of no project
set local role authenticated;
set local request.jwt.claims = '{"sub": "00000000-0000-4000-8000-000000000007"}';
select results_eq('select project_id from public.diff_results', array[900003::bigint],
  'a stranger sees what anon sees');
select is_empty('select 1 from core.members', 'a stranger sees no members');
select throws_ok($$insert into public.diff_results (old_file, new_file, diff_count, diff_data)
  values ('a', 'b', 0, '{}')$$, '42501', null, 'a stranger forges no result');
select throws_ok($$insert into core.members (project_id, user_id, role)
  values (900001, auth.uid(), 'admin')$$, '42501', null, 'a stranger makes himself no member');

-- viewer
set local request.jwt.claims = '{"sub": "00000000-0000-4000-8000-000000000001"}';
select results_eq('select project_id from public.diff_results order by 1',
  array[900001::bigint, 900003], 'a viewer sees the own project and the public one');
select is(core.can(900001, 'read'), true, 'a viewer reads');
select is(core.can(900001, 'write'), false, 'a viewer writes not');
select is(core.can(900001, 'decide'), false, 'nor decides');
select throws_ok($$insert into public.diff_results (old_file, new_file, diff_count, diff_data, project_id)
  values ('a', 'b', 0, '{}', 900001)$$, '42501', null, 'a viewer inserts nothing');
select results_eq('select count(*) from core.members', array[1::bigint], 'a viewer sees himself only');
select throws_ok('select token from core.attempts', '42501', null, 'nobody but the service sees tokens');

-- editor
set local request.jwt.claims = '{"sub": "00000000-0000-4000-8000-000000000002"}';
select results_eq($$insert into public.diff_results (old_file, new_file, diff_count, diff_data)
  values ('a', 'b', 0, '{}') returning project_id$$, array[900001::bigint],
  'an editor inserts into the only project he may, and gets the row');
select results_eq($$insert into public.clash_results
  (clash_set_name, output_filename, clash_count, clash_data)
  values ('set', 'out', 0, '[]') returning project_id$$, array[900001::bigint],
  'also through the clash view');
select throws_ok($$insert into public.clash_results
  (clash_set_name, output_filename, clash_count, clash_data, project_id)
  values ('set', 'out', 0, '[]', 900002)$$, '42501', null, 'into no other project');
select throws_ok($$insert into public.diff_results (id, old_file, new_file, diff_count, diff_data)
  values (9, 'a', 'b', 0, '{}')$$, '42501', null, 'an editor chooses no id');
select is(core.can(900001, 'decide'), true, 'an editor decides');
select is(core.can(900001, 'admin'), false, 'an editor is no admin');
select is_empty($$update core.members set role = 'admin' returning 1$$, 'nor makes himself one');

-- admin
set local request.jwt.claims = '{"sub": "00000000-0000-4000-8000-000000000003"}';
select results_eq($$update core.projects set public = true returning id$$, array[900001::bigint],
  'an admin publishes the own project only');
update core.projects set public = false;
select lives_ok($$insert into core.members (project_id, user_id, role)
  values (900001, gen_random_uuid(), 'viewer')$$, 'an admin adds members');
select throws_ok($$insert into core.members (project_id, user_id, role)
  values (900002, gen_random_uuid(), 'viewer')$$, '42501', null, 'not in another project');

-- API keys
set local request.jwt.claims = '{"ifcbase_project": 900001, "ifcbase_verbs": ["read"]}';
select results_eq('select distinct project_id from public.diff_results', array[900001::bigint],
  'a key sees its project, not even public ones');
select throws_ok($$insert into public.diff_results (old_file, new_file, diff_count, diff_data)
  values ('a', 'b', 0, '{}')$$, '42501', null, 'a read key inserts nothing');
set local request.jwt.claims = '{"ifcbase_project": 900001, "ifcbase_verbs": ["read", "write"]}';
select results_eq($$insert into public.diff_results (old_file, new_file, diff_count, diff_data)
  values ('a', 'b', 0, '{}') returning project_id$$, array[900001::bigint],
  'a write key inserts into its project');
set local request.jwt.claims =
  '{"ifcbase_verbs": ["read", "admin"], "sub": "00000000-0000-4000-8000-000000000003"}';
select is_empty('select 1 from public.diff_results', 'a key of no project is nothing, whoever made it');
select throws_ok($$select public.start_attempt(gen_random_uuid(), 'w', 'h', 60)$$, '42501', null,
  'users take no jobs');
reset role;

-- workers
set local role ifc_worker;
set local request.jwt.claims = '{"sub": "00000000-0000-4000-8000-000000000003", "role": "ifc_worker"}';
select is_empty('select id from public.diff_results', 'a worker sees no results but of its own jobs');
select throws_ok('select 1 from core.jobs', '42501', null, 'a worker reads no table');
select throws_ok($$insert into public.diff_results (old_file, new_file, diff_count, diff_data)
  values ('a', 'b', 0, '{}')$$, '42501', null, 'a worker inserts nothing by itself');
select is(public.start_attempt(gen_random_uuid(), 'w', 'h', 60), null, 'a worker asks for jobs');
reset role;

-- service
set local role service_role;
set local request.jwt.claims = '{"role": "service_role"}';
select results_eq($$insert into public.diff_results (old_file, new_file, diff_count, diff_data)
  values ('a', 'b', 0, '{}') returning project_id$$,
  $$select id from core.projects where name = 'default'$$, 'the service writes to default');
select results_eq('select count(distinct project_id) from public.clash_results where project_id > 900000',
  array[3::bigint], 'the service sees all');
reset role;

select * from finish();
rollback;
