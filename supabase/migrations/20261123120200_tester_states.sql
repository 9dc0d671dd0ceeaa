-- States of IDS failures over the results of a series, as clash has them for pairs: derived from
-- failures, from what specifications applied to, from content and links, and derivable again.

create table tester.finding_states (
  finding_id bigint primary key references tester.findings on delete cascade,
  project_id bigint not null references core.projects on delete cascade,
  series_id bigint not null references tester.series on delete cascade,
  state text not null
    check (state in ('new', 'persisting', 'reopened', 'resolved', 'removed', 'untested')),
  reason text,
  since_result bigint not null references tester.results on delete cascade,
  first_result bigint not null references tester.results on delete cascade,
  last_seen bigint not null references tester.results on delete cascade
) with (fillfactor = 70);
comment on table tester.finding_states is 'The present state of every finding of a series.';
comment on column tester.finding_states.since_result is 'The result in which this state began.';
create index finding_states_series on tester.finding_states (series_id, state);

create table tester.state_changes (
  finding_id bigint not null references tester.findings on delete cascade,
  result_id bigint not null references tester.results on delete cascade,
  project_id bigint not null references core.projects on delete cascade,
  state text not null,
  reason text,
  primary key (finding_id, result_id)
);
comment on table tester.state_changes is 'One row for each change of a finding''s state.';
create index state_changes_result on tester.state_changes (result_id);

create table tester.state_counts (
  result_id bigint not null references tester.results on delete cascade,
  series_id bigint not null references tester.series on delete cascade,
  state text not null,
  reason text not null default '',
  project_id bigint not null references core.projects on delete cascade,
  findings int not null,
  entered int not null,
  primary key (result_id, series_id, state, reason)
);
comment on table tester.state_counts is
  'Per result and series: how many findings are in a state, and how many entered it with this result.';

create table tester.state_reasons (
  reason text primary key,
  sentence text not null
);
comment on table tester.state_reasons is 'Why a finding is untested.';
insert into tester.state_reasons (reason, sentence) values
  ('model not in the run', 'the element is in another model now, which was not part of the run'),
  ('no longer selected', 'the specification does not apply to the element any more'),
  ('not judged', 'the check itself failed on the element'),
  ('no longer asked', 'the specification or the requirement was dropped'),
  ('definition changed', 'the specification or the requirement was changed'),
  ('other rules version', 'values were judged by other rules than when the failure was last seen'),
  ('unlinked', 'the element is missing, and may have got another id');

-- Judging ------------------------------------------------------------------------------------------

create function tester.element_facts(version_id bigint, elements bigint[])
returns table (element_id bigint, member bigint, present boolean, away boolean, doubtful boolean,
               outside boolean)
language sql stable set search_path = pg_catalog, pg_temp as $$
  -- An element is there if it, or one it is linked with, is: ids change, the thing lasts.
  with wanted as (
    select distinct unnest(elements) as element_id
  ), members as (
    select w.element_id, w.element_id as member from wanted w
    union
    select mine.element_id, other.element_id
      from wanted w
      join core.identities mine on mine.element_id = w.element_id
      join core.identities other on other.root_id = mine.root_id
  )
  select m.element_id, m.member, k.element_id is not null, e.model_id <> v.model_id,
         case when e.model_id <> v.model_id or k.element_id is not null then false
              when v.inventoried_at is null or v.matched_at is null then true
              else core.in_doubt(m.member) end,
         t.element_id is not null
    from members m
    join core.elements e on e.id = m.member
    join core.model_versions v on v.id = version_id
    left join core.content k on k.element_id = m.member and e.model_id = v.model_id
     and v.inventoried_at is not null and k.first_number <= v.number
     and (k.last_number is null or k.last_number >= v.number)
    left join tester.things t on t.element_id = m.member
$$;
comment on function tester.element_facts(bigint, bigint[]) is
  'Per element and what it is linked with: whether it is in a model version, in another model, '
  'missing in doubt, or of a kind that no inventory holds.';

create function tester.judge_absent(result bigint, series bigint, findings bigint[])
returns table (finding_id bigint, state text, reason text)
language sql stable set search_path = pg_catalog, pg_temp as $$
  with wanted as materialized (
    select f.id, f.element_id, f.requirement_id, q.specification_id, s.last_seen,
           before.content as was_asked, b.content as was_about,
           here.content as is_asked, h.content as is_about, here.facet,
           h.result_id is not null and here.result_id is not null as asked, h.applied_id
      from tester.findings f
      join tester.requirements q on q.id = f.requirement_id
      join tester.finding_states s on s.finding_id = f.id
      left join tester.requirement_results before
        on before.result_id = s.last_seen and before.requirement_id = f.requirement_id
      left join tester.specification_results b
        on b.result_id = s.last_seen and b.specification_id = q.specification_id
      left join tester.requirement_results here
        on here.result_id = judge_absent.result and here.requirement_id = f.requirement_id
      left join tester.specification_results h
        on h.result_id = judge_absent.result and h.specification_id = q.specification_id
     where f.id = any(findings)
  ), rules as (
    select seen.id, seen.engine -> 'rules' is not distinct from here.engine -> 'rules' as alike
      from tester.results here
      join tester.results seen on seen.id in (select w.last_seen from wanted w)
     where here.id = judge_absent.result
  ), facts as materialized (
    select x.* from tester.runs u
      cross join lateral tester.element_facts(u.model_version_id, array(
        select w.element_id from wanted w where w.element_id is not null)) x
     where u.result_id = judge_absent.result and u.series_id = judge_absent.series
  ), elements as (
    select x.element_id, bool_or(x.present) as present, bool_or(x.away) as away,
           bool_or(x.doubtful) as doubtful, bool_or(x.outside) as outside
      from facts x group by x.element_id
  ), applied as materialized (
    select a.id as applied_id, e as element_id
      from tester.applied a cross join lateral unnest(a.elements) as e
     where a.id in (select w.applied_id from wanted w)
  ), chosen as (
    select distinct w.id from wanted w
      join facts x on x.element_id = w.element_id
      join applied a on a.applied_id = w.applied_id and a.element_id = x.member
  ), unjudged as (
    select distinct w.id from wanted w
      left join facts x on x.element_id = w.element_id
      join tester.left_out l on l.result_id = judge_absent.result
       and l.specification_id = w.specification_id
       and (l.requirement_id is null or l.requirement_id = w.requirement_id)
       -- Where it is not known whether any element is applicable, none may be missing.
       and (w.element_id is null or l.element_id = x.member)
  )
  select w.id,
         case when gone.yes then 'removed' when j.reason is null then 'resolved' else 'untested' end,
         case when not gone.yes then j.reason end
    from wanted w
    left join elements e on e.element_id = w.element_id
    left join rules r on r.id = w.last_seen
    cross join lateral (select
      w.element_id is not null and not (e.present or e.away or e.doubtful or e.outside) as yes) gone
    cross join lateral (select case
      when w.element_id is not null and e.away and not e.present then 'model not in the run'
      when w.element_id is not null and not e.present and not e.outside then 'unlinked'
      when not w.asked then 'no longer asked'
      when w.id in (select u.id from unjudged u) then 'not judged'
      when w.facet <> 'Occurrence' and w.id not in (select c.id from chosen c) then
        case when w.is_about is distinct from w.was_about then 'definition changed'
             else 'no longer selected' end
      when w.is_asked is distinct from w.was_asked then 'definition changed'
      when not coalesce(r.alike, false) then 'other rules version'
      -- An element of which no inventory says whether it is still there.
      when w.element_id is not null and not e.present and w.id not in (select c.id from chosen c)
        then 'no longer selected'
    end as reason) j
$$;
comment on function tester.judge_absent(bigint, bigint, bigint[]) is
  'What it means that findings of a series are not in a result: resolved only if the element was '
  'judged by the same requirement under the same rules.';

-- Deriving -----------------------------------------------------------------------------------------

create function tester.derive_result(result tester.results, series bigint) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  drop table if exists pg_temp.judged_findings;
  create temporary table judged_findings on commit drop as
  select v.finding_id,
         case
           when s.finding_id is null then 'new'
           when s.state in ('resolved', 'removed') then 'reopened'
           else 'persisting'
         end as state, null::text as reason
    from (select distinct coalesce(f.identity_id, f.id) as finding_id
            from tester.failures c join tester.findings f on f.id = c.finding_id
           where c.result_id = result.id and f.series_id = series) v
    left join tester.finding_states s on s.finding_id = v.finding_id;
  create unique index on pg_temp.judged_findings (finding_id);
  analyze pg_temp.judged_findings;
  insert into pg_temp.judged_findings (finding_id, state, reason)
  select a.finding_id, a.state, a.reason
    from tester.judge_absent(result.id, series, array(
      select s.finding_id from tester.finding_states s
       where s.series_id = series and s.state <> 'resolved'
         and not exists (select from pg_temp.judged_findings j where j.finding_id = s.finding_id))) a
    join tester.finding_states s on s.finding_id = a.finding_id
   -- What was removed stays so until the element is there again.
   where s.state <> 'removed'
      or (a.state <> 'removed' and coalesce(a.reason, '') not in ('model not in the run', 'unlinked'));
  analyze pg_temp.judged_findings;

  insert into tester.state_changes (finding_id, result_id, project_id, state, reason)
  select j.finding_id, result.id, result.project_id, j.state, j.reason
    from pg_temp.judged_findings j left join tester.finding_states s on s.finding_id = j.finding_id
   where s.finding_id is null or s.state <> j.state or s.reason is distinct from j.reason;
  insert into tester.finding_states as s (finding_id, project_id, series_id, state, reason,
                                          since_result, first_result, last_seen)
  select j.finding_id, result.project_id, series, j.state, j.reason, result.id, result.id, result.id
    from pg_temp.judged_findings j
  on conflict (finding_id) do update set
    state = excluded.state, reason = excluded.reason,
    since_result = case when s.state = excluded.state and s.reason is not distinct from excluded.reason
                        then s.since_result else excluded.since_result end,
    last_seen = case when excluded.state in ('new', 'persisting', 'reopened')
                     then excluded.last_seen else s.last_seen end
  where s.state <> excluded.state or s.reason is distinct from excluded.reason
     or excluded.state in ('new', 'persisting', 'reopened');

  insert into tester.state_counts (result_id, series_id, state, reason, project_id, findings, entered)
  select result.id, series, s.state, coalesce(s.reason, ''), result.project_id, count(*),
         count(*) filter (where s.since_result = result.id)
    from tester.finding_states s where s.series_id = series
   group by s.state, s.reason;
  drop table pg_temp.judged_findings;
end
$$;
comment on function tester.derive_result(tester.results, bigint) is
  'Derives the states of a series'' findings after its next result, from the states before it.';

create function tester.chain(series bigint) returns setof tester.results
language sql stable set search_path = pg_catalog, pg_temp as $$
  select r.* from tester.results r join tester.runs u on u.result_id = r.id
   where u.series_id = series and r.state = 'finished'
   order by r.accepted
$$;
comment on function tester.chain(bigint) is
  'The finished results of a series in the order in which their jobs were accepted.';

create function tester.rewind(series bigint, start bigint) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  delete from tester.state_counts c using tester.chain(series) r
    where r.id = c.result_id and c.series_id = series and r.accepted >= start;
  delete from tester.state_changes c using tester.chain(series) r, tester.findings f
    where r.id = c.result_id and r.accepted >= start and f.id = c.finding_id and f.series_id = series;
  delete from tester.finding_states s where s.series_id = series;
  insert into tester.finding_states (finding_id, project_id, series_id, state, reason, since_result,
                                     first_result, last_seen)
  select l.finding_id, l.project_id, series, l.state, l.reason, l.result_id, seen.first_result,
         seen.last_seen
    from (select distinct on (c.finding_id) c.* from tester.state_changes c
            join tester.findings f on f.id = c.finding_id and f.series_id = series
            join tester.results r on r.id = c.result_id
           order by c.finding_id, r.accepted desc) l
    join (select distinct on (coalesce(f.identity_id, f.id)) coalesce(f.identity_id, f.id) as finding_id,
                 first_value(r.id) over earlier as first_result,
                 last_value(r.id) over earlier as last_seen
            from tester.failures c
            join tester.findings f on f.id = c.finding_id and f.series_id = series
            join tester.results r on r.id = c.result_id and r.state = 'finished'
           where r.accepted < start
          window earlier as (partition by coalesce(f.identity_id, f.id) order by r.accepted
                             rows between unbounded preceding and unbounded following)
         ) seen on seen.finding_id = l.finding_id;
end
$$;
comment on function tester.rewind(bigint, bigint) is
  'Takes a series'' states back to what was known before a place in its chain.';

create function tester.derive_from(series bigint, start bigint) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  result tester.results;
begin
  for result in select * from tester.chain(series) r where r.accepted >= start order by r.accepted loop
    perform tester.derive_result(result, series);
  end loop;
end
$$;
comment on function tester.derive_from(bigint, bigint) is
  'Derives a series'' states from a place on, result by result; they must be those before it.';

create function tester.derive_again(series bigint[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  chain record;
begin
  for chain in
    select u.series_id, min(r.accepted) as start
      from tester.runs u join tester.results r on r.id = u.result_id and r.state = 'finished'
     where u.series_id = any(series) group by u.series_id order by u.series_id
  loop
    perform 1 from tester.series s where s.id = chain.series_id for no key update;
    perform tester.rewind(chain.series_id, chain.start);
    perform tester.derive_from(chain.series_id, chain.start);
  end loop;
end
$$;
comment on function tester.derive_again(bigint[]) is 'Derives the states of series from nothing.';

create function tester.derive_finished() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  chain bigint;
begin
  for chain in
    select u.series_id from tester.runs u where u.result_id = new.id order by u.series_id
  loop
    if exists (select from tester.chain(chain) r where r.accepted > new.accepted) then
      perform tester.rewind(chain, new.accepted);
    end if;
    perform tester.derive_from(chain, new.accepted);
  end loop;
  return null;
end
$$;
comment on function tester.derive_finished() is
  'A finished result takes its place in its chains; after a late one what follows is derived again.';
create trigger derive_finished after update of state on tester.results
  for each row when (new.state = 'finished' and old.state = 'writing')
  execute function tester.derive_finished();

create function tester.derive_matched() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform tester.derive_again(array(
    select distinct u.series_id from tester.runs u where u.model_version_id = new.id));
  return null;
end
$$;
comment on function tester.derive_matched() is
  'Whether a version is matched decides what a missing element means: results on it are judged again.';
create trigger derive_tester_matched after update of matched_at on core.model_versions
  for each row when ((new.matched_at is null) <> (old.matched_at is null))
  execute function tester.derive_matched();

create function tester.derive_linked() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  touched bigint[];
  regrouped bigint[];
begin
  if not exists (select from tester.findings) then
    return null;
  end if;
  if tg_table_name = 'identities' then
    touched := array(select distinct c.element_id from changed c);
    regrouped := array(select tester.regroup(touched));
  else
    touched := array(select c.from_element from changed c union
                     select c.to_element from changed c where c.to_element is not null);
  end if;
  perform tester.derive_again(array(
    select f.series_id from tester.findings f where f.element_id = any(touched)
    union
    select unnest(regrouped)));
  return null;
end
$$;
comment on function tester.derive_linked() is
  'After new statements on elements: which findings are one finding, and their states.';
-- A statement that changes no identity, as a doubt, counts as well: from when it is drawn upon.
create trigger derive_tester after delete on core.fresh_links referencing old table as changed
  for each statement execute function tester.derive_linked();
create trigger derive_tester_made after insert on core.identities referencing new table as changed
  for each statement execute function tester.derive_linked();
create trigger derive_tester_changed after update on core.identities referencing new table as changed
  for each statement execute function tester.derive_linked();
create trigger derive_tester_taken after delete on core.identities referencing old table as changed
  for each statement execute function tester.derive_linked();

-- Verifying ----------------------------------------------------------------------------------------

create function tester.verify_series(series bigint)
returns table (what text, finding_id bigint, result_id bigint, stored text, derived text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  perform 1 from tester.series s where s.id = verify_series.series for no key update;
  return query
    select 'identity', f.id, null::bigint, f.identity_id::text, g.first::text
      from tester.findings f
      join (select m.id, nullif(min(m.id) over (partition by m.requirement_id,
                     coalesce(i.root_id, m.element_id)), m.id) as first
              from tester.findings m left join core.identities i on i.element_id = m.element_id
             where m.series_id = verify_series.series) g on g.id = f.id
     where f.identity_id is distinct from g.first;
  drop table if exists pg_temp.kept_changes, pg_temp.kept_counts, pg_temp.kept_states;
  create temporary table kept_changes on commit drop as
    select c.* from tester.state_changes c join tester.findings f on f.id = c.finding_id
     where f.series_id = verify_series.series;
  create temporary table kept_counts on commit drop as
    select c.* from tester.state_counts c where c.series_id = verify_series.series;
  create temporary table kept_states on commit drop as
    select s.* from tester.finding_states s where s.series_id = verify_series.series;
  perform tester.derive_again(array[verify_series.series]);
  return query
    select 'change', coalesce(k.finding_id, c.finding_id), coalesce(k.result_id, c.result_id),
           k.state || coalesce(': ' || k.reason, ''), c.state || coalesce(': ' || c.reason, '')
      from pg_temp.kept_changes k
      full join (select c.* from tester.state_changes c join tester.findings f on f.id = c.finding_id
                  where f.series_id = verify_series.series) c
        on c.finding_id = k.finding_id and c.result_id = k.result_id
     where k.finding_id is null or c.finding_id is null or k.state <> c.state
        or k.reason is distinct from c.reason
    union all
    select 'count', null, coalesce(k.result_id, c.result_id),
           k.state || ' ' || k.reason || ' ' || k.findings || '/' || k.entered,
           c.state || ' ' || c.reason || ' ' || c.findings || '/' || c.entered
      from pg_temp.kept_counts k
      full join (select c.* from tester.state_counts c where c.series_id = verify_series.series) c
        on c.result_id = k.result_id and c.state = k.state and c.reason = k.reason
     where k.result_id is null or c.result_id is null or k.findings <> c.findings
        or k.entered <> c.entered
    union all
    select 'state', coalesce(k.finding_id, s.finding_id), coalesce(k.since_result, s.since_result),
           k.state || coalesce(': ' || k.reason, ''), s.state || coalesce(': ' || s.reason, '')
      from pg_temp.kept_states k
      full join (select s.* from tester.finding_states s where s.series_id = verify_series.series) s
        on s.finding_id = k.finding_id
     where (k.finding_id, k.state, k.reason, k.since_result, k.first_result, k.last_seen)
           is distinct from (s.finding_id, s.state, s.reason, s.since_result, s.first_result, s.last_seen);
  drop table pg_temp.kept_changes, pg_temp.kept_counts, pg_temp.kept_states;
end
$$;
comment on function tester.verify_series(bigint) is
  'Derives a series'' states from nothing and lists every difference from what was stored. The states '
  'are then the derived ones: roll back to leave them as they were.';

-- Reading ------------------------------------------------------------------------------------------

create function tester.review_states(series bigint)
returns table (finding_id bigint, state text, reason text, decided_by uuid, decided_at timestamptz,
               assigned_to text, due date)
language sql stable set search_path = pg_catalog, pg_temp as $$
  with stated as (
    select d.*, coalesce(f.identity_id, f.id) as finding
      from tester.findings f join core.decisions d on d.finding_id = f.id
     where f.series_id = series
  ), latest as (
    select distinct on (s.finding_id) s.* from stated s
     where s.action in ('open', 'reviewed', 'approved', 'ignored')
     order by s.finding_id, s.id desc
  ), strictest as (
    -- Among words on findings that turned out to be one the stricter one holds.
    select distinct on (l.finding) l.* from latest l
     order by l.finding, core.strictness(l.action) desc, l.id desc
  ), tasks as (
    select s.finding,
           (array_agg(s.assigned_to order by s.id desc) filter (where s.action = 'assigned'))[1]
             as assigned_to,
           (array_agg(s.due order by s.id desc) filter (where s.action = 'due'))[1] as due
      from stated s where s.action in ('assigned', 'due') group by s.finding
  )
  select t.finding_id, coalesce(s.action, 'open'), s.reason, s.decided_by, s.created_at,
         k.assigned_to, k.due
    from tester.finding_states t
    left join strictest s on s.finding = t.finding_id
    left join tasks k on k.finding = t.finding_id
   where t.series_id = series
$$;
comment on function tester.review_states(bigint) is
  'What people decided about the findings of a series: open, reviewed, approved or ignored.';

create view tester.current_findings with (security_invoker = true) as
  select t.finding_id, t.project_id, 'tester'::text as check_name,
         s.name || ' on ' || m.name as series,
         case when f.element_id is null
              then 'No element that "' || sr.name || '" requires is there'
              else coalesce(substr(coalesce(k.ifc_class, g.ifc_class), 4), 'element')
                   || coalesce(' "' || coalesce(k.name, g.name) || '"', '') || ' fails "' || sr.name || '"'
                   || case when qr.facet = 'Occurrence' then '' else ': ' || qr.description end
         end as title,
         t.state, t.reason, since.finished_at as since, first.finished_at as first_seen,
         e.id as a_element, null::bigint as b_element, coalesce(em.name, m.name) as model,
         coalesce(em.discipline, m.discipline) as discipline, null::text as other_discipline,
         k.storey, coalesce(k.ifc_class, g.ifc_class) as class, e.global_id, w.state as review,
         w.reason as review_reason, w.assigned_to, w.due
    from tester.series s
    cross join lateral tester.review_states(s.id) w
    join tester.finding_states t on t.finding_id = w.finding_id
    join core.models m on m.id = s.model_id
    join tester.results since on since.id = t.since_result
    join tester.results first on first.id = t.first_result
    -- As it was when last seen: of ids that were exchanged since, the one of then.
    cross join lateral (
      select x.element_id, x.requirement_id
        from tester.findings x
        left join tester.failures seen on seen.finding_id = x.id and seen.result_id = t.last_seen
       where x.id = t.finding_id or x.identity_id = t.finding_id
       order by seen.finding_id is null, x.id limit 1) f
    join tester.requirement_results qr
      on qr.result_id = t.last_seen and qr.requirement_id = f.requirement_id
    join tester.specification_results sr
      on sr.result_id = t.last_seen and sr.specification_id = qr.specification_id
    join tester.runs u on u.result_id = t.last_seen and u.series_id = s.id
    join core.model_versions v on v.id = u.model_version_id
    left join core.elements e on e.id = f.element_id
    left join core.models em on em.id = e.model_id
    left join tester.things g on g.element_id = e.id
    left join lateral (
      select c.ifc_class, c.name, c.storey from core.content c
       where c.element_id = e.id and c.first_number <= v.number
       order by c.first_number desc limit 1) k on true
   where t.project_id = any (array(select core.own_projects('read')));
comment on view tester.current_findings is
  'The failures of all IDS series as findings, in the columns all checks share. Members only: it '
  'tells what they decided.';

create or replace view core.all_findings with (security_invoker = true) as
  select * from clash.current_findings
  union all
  select * from tester.current_findings;

create view tester.pass_rate with (security_invoker = true) as
  select u.series_id, s.project_id, s.name as ids, m.name as model, r.id as result_id, r.accepted,
         r.finished_at, v.number as model_number, x.specifications, x.passed, x.failed,
         x.inconclusive, x.checks, x.checks_passed,
         case when x.checks > 0 then x.checks_passed::double precision / x.checks end as rate
    from tester.runs u
    join tester.results r on r.id = u.result_id and r.state = 'finished'
    join tester.series s on s.id = u.series_id
    join core.models m on m.id = s.model_id
    join core.model_versions v on v.id = u.model_version_id
    cross join lateral (
      select count(*) as specifications,
             count(*) filter (where p.verdict = 'passed') as passed,
             count(*) filter (where p.verdict = 'failed') as failed,
             count(*) filter (where p.verdict = 'inconclusive') as inconclusive,
             coalesce(sum(q.checks), 0)::bigint as checks,
             coalesce(sum(q.checks_passed), 0)::bigint as checks_passed
        from tester.specification_results p
        left join lateral (
          select sum(y.evaluated) as checks, sum(y.evaluated - y.failed) as checks_passed
            from tester.requirement_results y
           where y.result_id = p.result_id and y.specification_id = p.specification_id) q on true
       where p.result_id = r.id and p.series_id = u.series_id) x;
comment on view tester.pass_rate is
  'Per series and result: specifications by verdict, and the share of checks of elements that passed; '
  'no share where nothing was checked.';

create view tester.trend with (security_invoker = true) as
  select u.series_id, s.project_id, s.name as ids, m.name as model, r.id as result_id, r.accepted,
         r.finished_at,
         coalesce(sum(c.findings) filter (where c.state = 'new'), 0)::bigint as new,
         coalesce(sum(c.findings) filter (where c.state = 'persisting'), 0)::bigint as persisting,
         coalesce(sum(c.findings) filter (where c.state = 'reopened'), 0)::bigint as reopened,
         coalesce(sum(c.findings) filter (where c.state = 'resolved'), 0)::bigint as resolved,
         coalesce(sum(c.findings) filter (where c.state = 'removed'), 0)::bigint as removed,
         coalesce(sum(c.findings) filter (where c.state = 'untested'), 0)::bigint as untested
    from tester.runs u
    join tester.results r on r.id = u.result_id and r.state = 'finished'
    join tester.series s on s.id = u.series_id
    join core.models m on m.id = s.model_id
    left join tester.state_counts c on c.result_id = r.id and c.series_id = u.series_id
   group by u.series_id, s.project_id, s.name, m.name, r.id, r.accepted, r.finished_at;
comment on view tester.trend is 'How many findings of a series are in each state after each result.';

-- Access -------------------------------------------------------------------------------------------

do $$
declare
  item text;
  door regprocedure;
begin
  foreach item in array array['tester.finding_states', 'tester.state_changes', 'tester.state_counts',
                              'tester.state_reasons'] loop
    execute format('alter table %s enable row level security', item);
    execute format('revoke all on %s from public, anon, authenticated, ifc_worker', item);
    execute format('grant select, insert, update, delete on %s to service_role', item);
    execute format('grant select on %s to anon, authenticated', item);
    execute format('create policy service on %s to service_role using (true) with check (true)', item);
    execute format('create policy read on %s for select to anon, authenticated using (%s)', item,
      case when item = 'tester.state_reasons' then 'true'
           else 'project_id = any (array(select core.projects_with(''read'')))' end);
  end loop;
  foreach item in array array['tester.current_findings', 'tester.pass_rate', 'tester.trend'] loop
    execute format('revoke all on %s from public, anon, authenticated, ifc_worker', item);
    execute format('grant select on %s to service_role, authenticated', item);
  end loop;
  for door in
    select p.oid from pg_proc p where p.pronamespace = 'tester'::regnamespace
  loop
    execute format('revoke all on function %s from public, anon, authenticated, ifc_worker', door);
    execute format('grant execute on function %s to service_role', door);
  end loop;
end
$$;
grant select on tester.pass_rate, tester.trend to anon;
-- It reads with the caller's rights, and so only what the caller may read.
grant execute on function tester.review_states(bigint) to authenticated;
