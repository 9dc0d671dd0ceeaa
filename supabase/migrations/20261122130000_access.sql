-- Who may read and write what: members by their role, API keys by their claims, everybody what is
-- public, workers their own results. docs/reference/access.md says it object by object, and the tests
-- try every cell of it. A later migration that adds a table adds its policies, grants and line there.

-- Who is calling -----------------------------------------------------------------------------------

create function core.serves() returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  -- Inside a definer function current_user is the owner: whoever migrated the database.
  select core.writer() = current_user or pg_has_role(core.writer(), 'service_role', 'usage')
$$;
comment on function core.serves() is 'Whether the caller is the service or the owner: they may do all.';

create function core.principal() returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  -- A login role can set any claims, but not another session_user.
  select session_user || coalesce('/' || (auth.jwt() ->> 'sub'), '')
$$;
comment on function core.principal() is 'Who a worker is: its login role, or the subject of its token.';

alter table core.attempts add column started_by text not null default core.principal();
comment on column core.attempts.started_by is 'The worker''s identity, which may read the job''s results.';

create function core.owns_job(job uuid) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (select from core.attempts a
                  where a.job_id = job and a.started_by = core.principal())
$$;
comment on function core.owns_job(uuid) is 'Whether the calling worker tried this job.';

-- What they may ------------------------------------------------------------------------------------

create function core.own_projects(verb text) returns setof bigint
language plpgsql stable security definer rows 5 set search_path = pg_catalog, pg_temp as $$
declare
  claims jsonb := auth.jwt();
begin
  if verb is null or verb not in ('read', 'write', 'decide', 'admin') then
    raise exception 'there is no verb %', coalesce(verb, 'null') using errcode = '22023';
  end if;
  if core.serves() then
    return query select p.id from core.projects p;
  elsif not pg_has_role(core.writer(), 'authenticated', 'usage') then
    return;
  elsif claims ?| array['ifcbase_project', 'ifcbase_verbs'] then
    -- An API key: one project and the verbs it names, whatever its owner may do besides.
    return query select p.id from core.projects p
      where p.id::text = claims ->> 'ifcbase_project'
        and jsonb_typeof(claims -> 'ifcbase_verbs') = 'array' and claims -> 'ifcbase_verbs' ? verb;
  else
    return query select m.project_id from core.members m
      where m.user_id = auth.uid()
        and case m.role when 'admin' then true
                        when 'editor' then verb in ('read', 'write', 'decide')
                        when 'viewer' then verb = 'read' else false end;
  end if;
end
$$;
comment on function core.own_projects(text) is
  'Projects the caller may read, write, decide in or administer as a member or by an API key.';

create function core.projects_with(verb text) returns setof bigint
language plpgsql stable security definer rows 5 set search_path = pg_catalog, pg_temp as $$
begin
  return query select core.own_projects(verb);
  if verb = 'read' and not core.serves()
     and (core.writer() = 'anon'
          or pg_has_role(core.writer(), 'authenticated', 'usage')
             and not coalesce(auth.jwt() ?| array['ifcbase_project', 'ifcbase_verbs'], false)) then
    return query select p.id from core.projects p where p.public;
  end if;
end
$$;
comment on function core.projects_with(text) is
  'The same with the public projects, which everybody but an API key may read. Policies use it as '
  'any (array(select ...)): asked once per statement, and an index on project_id can serve.';

create function core.can(project bigint, verb text) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (select from core.projects_with(verb) p where p = project)
$$;
comment on function core.can(bigint, text) is
  'Whether the caller may read, write, decide in or administer a project.';

create or replace function core.default_project() returns bigint
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  found bigint[];
begin
  if core.serves() or pg_has_role(core.writer(), 'ifc_worker', 'usage') then
    return (select p.id from core.projects p where p.name = 'default');
  end if;
  found := array(select core.own_projects('write'));
  if cardinality(found) = 1 then
    return found[1];
  elsif cardinality(found) > 1 then
    raise exception 'you belong to several projects: name one in the column project_id'
      using errcode = '23502', column = 'project_id';
  end if;
  raise exception 'you may not write in any project' using errcode = '42501';
end
$$;

create function core.check_write() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  new.project_id := coalesce(new.project_id, core.default_project());
  if not core.can(new.project_id, 'write') then
    raise exception 'you may not write in project %', new.project_id using errcode = '42501';
  end if;
  return new;
end
$$;
comment on function core.check_write() is
  'Refuses rows of projects the caller may not write in, where a view has no policy to do it.';
-- Triggers of one kind fire in the order of their names: this one before insert_document.
create trigger check_write instead of insert on public.clash_results
  for each row execute function core.check_write();

-- Reading ------------------------------------------------------------------------------------------

do $$
declare
  item text;
  rule text;
begin
  for item, rule in
    select t.item, g.rule from (values
      ('by project', array['core.models', 'core.model_versions', 'core.elements', 'core.content',
        'core.selections', 'core.findings', 'core.links', 'core.identities', 'clash.sets',
        'clash.set_versions', 'clash.pairs', 'clash.pair_states', 'clash.state_changes',
        'clash.state_counts'],
       'project_id = any (array(select core.projects_with(''read'')))'),
      ('itself', array['core.projects'], 'id = any (array(select core.projects_with(''read'')))'),
      ('finished', array['clash.results', 'conversion.results', 'tester.results', 'diff.results'],
       'state = ''finished'' and project_id = any (array(select core.projects_with(''read'')))'),
      -- Row-level security of results applies inside, so what is of an unfinished one stays hidden.
      ('by result', array['clash.coverage', 'clash.left_out', 'clash.sightings'],
       'exists (select from clash.results r where r.id = result_id)'),
      ('by selection', array['core.selection_elements'],
       'exists (select from core.selections s where s.id = selection_id)'),
      ('words', array['clash.kinds', 'clash.state_reasons', 'core.ignore_reasons'], 'true')
    ) g (kind, items, rule), unnest(g.items) t (item)
  loop
    execute format('revoke all on %s from public, anon, authenticated, ifc_worker', item);
    execute format('grant select on %s to anon, authenticated', item);
    execute format('create policy read on %s for select to anon, authenticated using (%s)', item, rule);
  end loop;

  -- What is nobody's business but the members': who asked for what, when, with which files; who
  -- decided what.
  foreach item in array array['core.files', 'core.jobs', 'core.job_inputs', 'core.attempts',
                              'core.decisions', 'core.decision_rules'] loop
    execute format('revoke all on %s from public, anon, authenticated, ifc_worker', item);
    execute format('create policy read on %s for select to authenticated '
      'using (project_id = any (array(select core.own_projects(''read''))))', item);
  end loop;
end
$$;
grant select on core.files, core.jobs, core.job_inputs, core.decisions, core.decision_rules
  to authenticated;
-- Not the token, which is a key, nor where the worker runs.
grant select (id, project_id, job_id, number, started_at, heartbeat_at, ended_at, outcome, error)
  on core.attempts to authenticated;

grant usage on schema core, clash, conversion, tester, diff to anon, authenticated;
revoke all on public.clash_results, public.conversion_results, public.tester_results,
  public.diff_results from public, anon, authenticated, ifc_worker;
grant select on public.clash_results, public.conversion_results, public.tester_results,
  public.diff_results, clash.trend, clash.trend_by_day, clash.latest to anon, authenticated;

-- Writing ------------------------------------------------------------------------------------------

-- Ids, times and jobs are not a client's to choose.
grant insert (original_clash_id, clash_set_name, output_filename, clash_count, clash_data, project_id)
  on public.clash_results to authenticated;
grant insert (input_filename, output_filename, conversion_options, project_id)
  on public.conversion_results, conversion.results to authenticated;
grant insert (ifc_filename, ids_filename, test_results, pass_count, fail_count, project_id)
  on public.tester_results, tester.results to authenticated;
grant insert (old_file, new_file, diff_count, diff_data, project_id)
  on public.diff_results, diff.results to authenticated;
create policy write on conversion.results for insert to authenticated
  with check (project_id = any (array(select core.projects_with('write'))));
create policy write on tester.results for insert to authenticated
  with check (project_id = any (array(select core.projects_with('write'))));
create policy write on diff.results for insert to authenticated
  with check (project_id = any (array(select core.projects_with('write'))));

-- Members: who may decide sees with whom; everybody sees himself; admins change them.
revoke all on core.members from public, anon, authenticated, ifc_worker;
grant select, delete on core.members to authenticated;
grant insert (project_id, user_id, role), update (role) on core.members to authenticated;
create policy read on core.members for select to authenticated
  using (project_id = any (array(select core.own_projects('decide')))
         or user_id = (select auth.uid()) and project_id = any (array(select core.own_projects('read'))));
create policy add on core.members for insert to authenticated
  with check (project_id = any (array(select core.own_projects('admin'))));
create policy change on core.members for update to authenticated
  using (project_id = any (array(select core.own_projects('admin'))));
create policy remove on core.members for delete to authenticated
  using (project_id = any (array(select core.own_projects('admin'))));

grant update (title, public) on core.projects to authenticated;
create policy change on core.projects for update to authenticated
  using (id = any (array(select core.own_projects('admin'))));

-- Workers ------------------------------------------------------------------------------------------

-- They write through functions alone. They read the results of their own jobs through the views;
-- not clash_data, which is made from the tables that hold the project.
grant select on clash.results, clash.set_versions, conversion.results, tester.results, diff.results
  to ifc_worker;
grant select on public.conversion_results, public.tester_results, public.diff_results to ifc_worker;
grant select (id, original_clash_id, clash_set_name, output_filename, clash_count, created_at,
              project_id, job_id, accepted, verdict, coverage, related_left_out, touching, warnings,
              engine, output_sha256, set_version, finished_at) on public.clash_results to ifc_worker;
create policy own on clash.results for select to ifc_worker using (core.owns_job(job_id));
create policy own on conversion.results for select to ifc_worker using (core.owns_job(job_id));
create policy own on tester.results for select to ifc_worker using (core.owns_job(job_id));
create policy own on diff.results for select to ifc_worker using (core.owns_job(job_id));
create policy own on clash.set_versions for select to ifc_worker
  using (exists (select from clash.results r where r.set_version_id = set_versions.id));

-- Functions ----------------------------------------------------------------------------------------

do $$
declare
  item regprocedure;
begin
  foreach item in array array[
    'core.serves()', 'core.principal()', 'core.owns_job(uuid)', 'core.own_projects(text)',
    'core.projects_with(text)', 'core.can(bigint, text)', 'core.check_write()'
  ]::regprocedure[] loop
    execute format('revoke all on function %s from public, anon, authenticated, ifc_worker', item);
    execute format('grant execute on function %s to service_role', item);
  end loop;
end
$$;
grant execute on function core.own_projects(text), core.projects_with(text), core.can(bigint, text),
  clash.document(bigint), clash.state_at(bigint), core.links_in_force() to anon, authenticated;
-- They read with the caller's rights, and so only what the caller may read.
grant execute on function clash.compare(bigint, bigint), clash.comparable(bigint, bigint),
  clash.looks_for_all(jsonb, jsonb), clash.measured_alike(clash.results, clash.results),
  clash.result_before(bigint, timestamptz), clash.present_pairs(bigint),
  clash.breakdown(bigint, text), clash.time_to_close(bigint), clash.grouping(bigint),
  clash.last_contacts(bigint, bigint[]), clash.plan_tolerance(bigint, double precision)
  to anon, authenticated;
grant execute on function core.default_project(), core.strictness(text),
  core.review_states(bigint, bigint[]) to authenticated;
grant execute on function core.owns_job(uuid) to ifc_worker;
