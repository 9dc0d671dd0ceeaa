-- A selection is what a selector matched, not only its text: another version of the reader of IFC may
-- match other elements of the same file, and a run must be held to those that it really tested.

alter table core.selections add column matched uuid;
comment on column core.selections.matched is
  'Hash of the ids of the elements it matched: the same text may match others another time.';
update core.selections s set matched = md5(coalesce((
  select string_agg(x.element_id::text, ',' order by x.element_id)
    from core.selection_elements x where x.selection_id = s.id), ''))::uuid;
alter table core.selections alter column matched set not null;
alter table core.selections drop constraint selections_model_version_id_selector_key;
alter table core.selections add constraint selections_matched unique (model_version_id, selector, matched);
comment on table core.selections is
  'What a selector matched in a model version, stored once for all results in which it matched that.';

create table clash.result_selections (
  result_id bigint not null references clash.results on delete cascade,
  model_version_id bigint not null references core.model_versions on delete cascade,
  selector text not null,
  selection_id bigint not null references core.selections on delete cascade,
  primary key (result_id, model_version_id, selector)
);
comment on table clash.result_selections is
  'What selectors matched in a result that is being written; emptied when it is finished.';
alter table clash.result_selections enable row level security;
revoke all on clash.result_selections from public, anon, authenticated, ifc_worker;
grant select, insert, update, delete on clash.result_selections to service_role;
create policy service on clash.result_selections to service_role using (true) with check (true);

create or replace function clash.append_selection(result clash.results, rows jsonb) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  line record;
  chosen bigint;
  elements bigint[];
  strangers bigint;
  mark uuid;
begin
  for line in
    select r.*, v.id as version_id, v.model_id from jsonb_to_recordset(rows) as r (
      input text, selector text, matched jsonb)
    left join core.job_inputs i on i.job_id = result.job_id and i.name = r.input
    left join core.model_versions v on v.id = i.model_version_id
    order by v.id, r.selector
  loop
    if line.version_id is null then
      perform core.refuse('422', 'request-invalid', format('the job has no model %s', line.input));
    end if;
    select coalesce(array_agg(distinct e.id) filter (where e.id is not null), '{}'),
           count(*) filter (where e.id is null)
      into elements, strangers
      from jsonb_array_elements(line.matched) as m
      left join core.elements e on e.model_id = line.model_id
       and e.global_id = m ->> 0 and e.n = (m ->> 1)::int;
    if strangers > 0 then
      perform core.refuse('422', 'request-invalid',
        format('%s names elements that are in no inventory of %s', line.selector, line.input));
    end if;
    -- The aggregate has sorted them.
    mark := md5(array_to_string(elements, ','))::uuid;
    insert into core.selections (project_id, model_version_id, selector, matched)
    values (result.project_id, line.version_id, line.selector, mark)
    on conflict do nothing
    returning id into chosen;
    if found then
      insert into core.selection_elements (selection_id, element_id)
      select chosen, unnest(elements);
    else
      -- Stored whole, in one statement's transaction with its elements.
      select s.id into strict chosen from core.selections s
        where s.model_version_id = line.version_id and s.selector = line.selector and s.matched = mark;
    end if;
    insert into clash.result_selections (result_id, model_version_id, selector, selection_id)
    values (result.id, line.version_id, line.selector, chosen)
    on conflict do nothing;
    if not exists (select from clash.result_selections x
                    where x.result_id = result.id and x.model_version_id = line.version_id
                      and x.selector = line.selector and x.selection_id = chosen) then
      perform core.refuse('409', 'conflict',
        format('%s matched other elements of %s before, in the same result', line.selector, line.input));
    end if;
  end loop;
end
$$;
comment on function clash.append_selection(clash.results, jsonb) is
  'The elements a selector matched in a model version: [GlobalId, n] each, shared by the results in '
  'which it matched the same.';

create or replace function clash.append_coverage(result clash.results, rows jsonb) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  line record;
  chosen bigint;
begin
  for line in
    select * from jsonb_to_recordset(rows) as r (
      "position" smallint, side text, input text, mode text, selector text, selected int, tested int,
      left_out jsonb, matched jsonb)
  loop
    chosen := null;
    if line.selector <> '' then
      select x.selection_id into chosen from clash.result_selections x
        join core.job_inputs i on i.job_id = result.job_id and i.name = line.input
       where x.result_id = result.id and x.model_version_id = i.model_version_id
         and x.selector = line.selector;
      if not found then
        perform core.refuse('422', 'request-invalid',
          format('what %s matches in %s was not appended', line.selector, line.input));
      end if;
    end if;
    insert into clash.coverage (result_id, "position", project_id, side, model_version_id, file_name,
                                mode, selector, selection_id, selected, tested, left_out)
    select result.id, line."position", result.project_id, line.side, i.model_version_id, i.name,
           line.mode, line.selector, chosen, line.selected, line.tested, line.left_out
      from core.job_inputs i where i.job_id = result.job_id and i.name = line.input
    on conflict do nothing;
    if not exists (select from core.job_inputs i where i.job_id = result.job_id and i.name = line.input)
    then
      perform core.refuse('422', 'request-invalid', format('the job has no input %s', line.input));
    end if;
  end loop;
end
$$;

-- A job ends with a result for every clash set it was asked for -------------------------------------

create function core.results_missing(job uuid) returns text[]
language sql stable set search_path = pg_catalog, pg_temp as $$
  with asked as (
    select coalesce(s ->> 'name', '') as name
      from core.jobs j
      cross join lateral jsonb_array_elements(
        case when jsonb_typeof(j.request) = 'array' then j.request
             when jsonb_typeof(j.request -> 'clash_sets') = 'array' then j.request -> 'clash_sets'
             else '[{}]' end) s
     where j.id = job and j.check_name = 'clash'
  )
  select coalesce(array_agg(a.name order by a.name), '{}') from asked a
   where not exists (
     select from clash.results r
      where r.job_id = job and r.state = 'finished' and a.name in ('', r.clash_set_name))
$$;
comment on function core.results_missing(uuid) is
  'The clash sets a job was asked for and has no finished result of; a set without a name as "".';

create or replace function public.finish_job(lease_token uuid, outcome jsonb, facts jsonb default null)
returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  attempt core.attempts := core.live_attempt(lease_token);
  missing text[];
begin
  if exists (select from clash.results r where r.attempt_id = attempt.id and r.state = 'writing') then
    perform core.refuse('409', 'conflict', 'a result of this job is still being written');
  end if;
  missing := core.results_missing(attempt.job_id);
  if cardinality(missing) > 0 then
    perform core.refuse('409', 'conflict',
      format('the job has no result of %s clash set%s it was asked for (%s)', cardinality(missing),
             case when cardinality(missing) = 1 then '' else 's' end,
             coalesce(nullif(array_to_string(missing, ', '), ''), 'unnamed')),
      'Store one result per clash set before the job is finished.');
  end if;
  perform core.end_attempt(attempt, 'finished', null, finish_job.facts);
  update core.jobs j set state = 'finished', outcome = finish_job.outcome, error = null,
    progress = null, ended_at = clock_timestamp() where j.id = attempt.job_id;
  perform core.tell(attempt.project_id, 'job', attempt.job_id::text);
end
$$;
comment on function public.finish_job(uuid, jsonb, jsonb) is
  'Ends a job whose results are stored: of a clash job, one per set it was asked for.';

revoke all on function core.results_missing(uuid) from public, anon, authenticated, ifc_worker;
grant execute on function core.results_missing(uuid) to service_role;
