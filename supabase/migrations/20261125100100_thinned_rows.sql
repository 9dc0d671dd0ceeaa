-- IDS and diff results are thinned as clash results are: which findings a result saw stays, so that states
-- can be derived from it; why an element failed and what changed how goes, but for what was seen last.

create table tester.seen (
  result_id bigint primary key references tester.results on delete cascade,
  project_id bigint not null references core.projects on delete cascade,
  findings bigint[] not null check (cardinality(findings) > 0)
);
comment on table tester.seen is
  'The failures a thinned result saw, without the reasons. Those it was the last to see keep their row.';

create view tester.seen_failures with (security_invoker = true) as
  select f.result_id, f.finding_id from tester.failures f
  union all
  select s.result_id, u.finding_id
    from tester.seen s cross join lateral unnest(s.findings) as u (finding_id);
comment on view tester.seen_failures is 'Which failures a result saw, thinned or not.';

create table diff.seen (
  result_id bigint primary key references diff.results on delete cascade,
  project_id bigint not null references core.projects on delete cascade,
  findings bigint[] not null check (cardinality(findings) > 0),
  digests text[] not null check (cardinality(digests) = cardinality(findings))
);
comment on table diff.seen is
  'The changes a thinned result saw: of each what it came to as a digest, which tells whether it is the '
  'same again. Those it was the last to see keep their row.';

create function diff.canonical(value jsonb) returns text
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
  return case jsonb_typeof(value)
    when 'object' then coalesce((
      select '{' || string_agg(to_jsonb(e.key)::text || ':' || diff.canonical(e.value), ','
                               order by e.key collate "C") || '}'
        from jsonb_each(value) e), '{}')
    when 'array' then coalesce((
      select '[' || string_agg(diff.canonical(e.value), ',' order by e.nth) || ']'
        from jsonb_array_elements(value) with ordinality as e (value, nth)), '[]')
    -- 1 and 1.0 are one number, written in two ways.
    when 'number' then trim_scale((value #>> '{}')::numeric)::text
    else value::text
  end;
end
$$;
comment on function diff.canonical(jsonb) is 'One text for equal values, whatever their numbers look like.';

create function diff.digest(value jsonb) returns text
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
  select left(encode(sha256(convert_to(diff.canonical(value), 'UTF8')), 'hex'), 32)
$$;
comment on function diff.digest(jsonb) is 'Equal for equal values, and for no others: 128 bits.';

create view diff.seen_changes with (security_invoker = true) as
  select c.result_id, c.finding_id, c.element_id, c.after, null::text as digest from diff.changes c
  union all
  select s.result_id, f.id, f.element_id, null, u.digest
    from diff.seen s
    cross join lateral unnest(s.findings, s.digests) as u (finding_id, digest)
    join diff.findings f on f.id = u.finding_id;
comment on view diff.seen_changes is
  'Which changes a result saw, thinned or not; of a thinned one the digest of what it came to.';

-- States -------------------------------------------------------------------------------------------
-- Whoever asks whether something was seen asks these views. The functions are as they were otherwise.

create or replace function tester.derive_result(result tester.results, series bigint) returns void
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
            from tester.seen_failures c join tester.findings f on f.id = c.finding_id
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

create or replace function tester.rewind(series bigint, start bigint) returns void
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
            from tester.seen_failures c
            join tester.findings f on f.id = c.finding_id and f.series_id = series
            join tester.results r on r.id = c.result_id and r.state = 'finished'
           where r.accepted < start
          window earlier as (partition by coalesce(f.identity_id, f.id) order by r.accepted
                             rows between unbounded preceding and unbounded following)
         ) seen on seen.finding_id = l.finding_id;
end
$$;

create or replace function diff.rewind(chain bigint, start bigint) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  delete from diff.state_changes c using diff.results r
    where r.id = c.result_id and r.series_id = chain and r.accepted >= start;
  delete from diff.finding_states s where s.series_id = chain;
  insert into diff.finding_states (finding_id, project_id, series_id, state, reason, since_result,
                                   first_result, last_seen)
  select l.finding_id, l.project_id, chain, l.state, l.reason, l.result_id, seen.first_result,
         seen.last_seen
    from (select distinct on (c.finding_id) c.* from diff.state_changes c
            join diff.results r on r.id = c.result_id
           where r.series_id = chain order by c.finding_id, r.accepted desc) l
    join (select coalesce(f.identity_id, f.id) as finding_id,
                 (array_agg(r.id order by r.accepted))[1] as first_result,
                 (array_agg(r.id order by r.accepted desc))[1] as last_seen
            from diff.chain(chain) r
            join diff.seen_changes c on c.result_id = r.id
            join diff.findings f on f.id = c.finding_id
           where r.accepted < start
           group by 1) seen on seen.finding_id = l.finding_id;
end
$$;

drop function diff.shown(bigint);
create function diff.shown(result bigint)
returns table (finding_id bigint, facet text, root_id bigint, after jsonb, digest text, found_again boolean)
language sql stable set search_path = pg_catalog, pg_temp as $$
  -- An element that a result calls deleted and, under another id, added was neither: somebody said
  -- since that they are one.
  with rows as materialized (
    select distinct on (coalesce(f.identity_id, f.id)) coalesce(f.identity_id, f.id) as finding_id,
           f.facet, coalesce(i.root_id, c.element_id) as root_id, c.after, c.digest
      from diff.seen_changes c
      join diff.findings f on f.id = c.finding_id
      left join core.identities i on i.element_id = c.element_id
     where c.result_id = result
     order by coalesce(f.identity_id, f.id), f.id
  )
  select r.finding_id, r.facet, r.root_id, r.after, r.digest,
         r.facet in ('added', 'deleted') and exists (
           select from rows o where o.root_id = r.root_id and o.facet <> r.facet
              and o.facet in ('added', 'deleted'))
    from rows r
$$;
comment on function diff.shown(bigint) is
  'The changes a result shows, each lasting finding once; found again: somebody said that it was no change.';

create function diff.comes_to_the_same(one jsonb, one_digest text, other jsonb, other_digest text)
returns boolean
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
  select case when one is not null and other is not null then one = other
              else coalesce(one_digest, diff.digest(one)) = coalesce(other_digest, diff.digest(other))
         end
$$;
comment on function diff.comes_to_the_same(jsonb, text, jsonb, text) is
  'Whether two changes left the same, each known as it is or by its digest.';


create or replace function diff.derive_result(result diff.results) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  drop table if exists pg_temp.judged;
  create temporary table judged on commit drop as
  select c.finding_id,
         case
           when c.found_again then 'resolved'
           when s.finding_id is null then 'new'
           when s.state in ('resolved', 'removed') then 'reopened'
           when c.facet in ('added', 'deleted') or p.alike then 'persisting'
           else 'reopened'
         end as state,
         case
           when c.found_again then 'found again'
           when s.state not in ('resolved', 'removed') and c.facet not in ('added', 'deleted')
                and not p.alike then 'changed again'
         end as reason, not c.found_again as here
    from diff.shown(result.id) c
    left join diff.finding_states s on s.finding_id = c.finding_id
    left join lateral (
      select diff.comes_to_the_same(x.after, x.digest, c.after, c.digest) as alike
        from diff.findings g join diff.seen_changes x on x.finding_id = g.id
       where (g.id = s.finding_id or g.identity_id = s.finding_id) and x.result_id = s.last_seen
       order by g.id limit 1) p on true
  union all
  select a.finding_id, a.state, a.reason, false from diff.judge_absent(result) a;

  insert into diff.state_changes (finding_id, result_id, project_id, state, reason)
  select j.finding_id, result.id, result.project_id, j.state, j.reason
    from pg_temp.judged j left join diff.finding_states s on s.finding_id = j.finding_id
   where s.finding_id is null or s.state <> j.state or s.reason is distinct from j.reason
      or j.reason = 'changed again';
  insert into diff.finding_states as s (finding_id, project_id, series_id, state, reason, since_result,
                                        first_result, last_seen)
  select j.finding_id, result.project_id, result.series_id, j.state, j.reason, result.id, result.id,
         result.id
    from pg_temp.judged j
  on conflict (finding_id) do update set
    state = excluded.state, reason = excluded.reason,
    since_result = case when s.state = excluded.state and s.reason is not distinct from excluded.reason
                             and coalesce(s.reason, '') <> 'changed again'
                        then s.since_result else excluded.since_result end,
    last_seen = case when excluded.state in ('new', 'persisting', 'reopened')
                          or excluded.reason = 'found again'
                     then excluded.last_seen else s.last_seen end;
  drop table pg_temp.judged;
end
$$;

-- Where it was last seen may have been thinned before a later result was deleted.
create or replace view diff.current_findings with (security_invoker = true) as
  select f.id as finding_id, f.project_id, 'diff'::text as check_name, s.name as series,
         shown.one || case f.facet
           when 'added' then ' was added'
           when 'deleted' then ' was deleted'
           when 'class' then coalesce(' was a ' || substr(c.before ->> 'class', 4) || ' before',
                                 ' was of another class')
           when 'geometry' then ' has another shape'
           when 'placement' then coalesce(' moved by ' || round(1000 * sqrt(
               (c.after #>> '{moved_by,0}')::float8 ^ 2 + (c.after #>> '{moved_by,1}')::float8 ^ 2
               + (c.after #>> '{moved_by,2}')::float8 ^ 2))::bigint || ' mm', ' moved')
             || coalesce(' and turned by ' || (c.after ->> 'turned') || ' degrees', '')
           when 'container' then ' is in another place of the structure'
           when 'aggregate' then ' is part of something else'
           when 'type' then ' has another type'
           when 'classification' then ' is classified otherwise'
           when 'material' then ' has another material'
           else ': ' || coalesce((select string_agg(name, ', ' order by name) from (
               select name from jsonb_object_keys(c.before || c.after) as name order by name limit 3) k),
               f.facet) || ' changed'
         end as title,
         t.state, t.reason, since.finished_at as since, first.finished_at as first_seen,
         e.id as a_element, null::bigint as b_element, m.name as model, m.discipline,
         null::text as other_discipline, k.storey, k.ifc_class as class, e.global_id,
         case when word.action is null or lapsed.so then 'open' else word.action end as review,
         case when lapsed.so then 'changed since' else word.reason end as review_reason,
         task.assigned_to, task.due
    from diff.finding_states t
    join diff.findings f on f.id = t.finding_id
    join diff.series_names s on s.series_id = t.series_id
    join diff.results since on since.id = t.since_result
    join diff.results first on first.id = t.first_result
    join diff.results seen on seen.id = t.last_seen
    cross join lateral (
      -- A change is listed whatever is still known of it.
      select g.element_id, x.before, x.after
        from diff.findings g
        left join diff.changes x on x.finding_id = g.id and x.result_id = t.last_seen
       where g.id = f.id or g.identity_id = f.id
       order by x.finding_id is null, g.id limit 1) c
    join core.elements e on e.id = c.element_id
    join core.models m on m.id = e.model_id
    join core.model_versions v
      on v.id = case when f.facet = 'deleted' then seen.old_version_id else seen.new_version_id end
    left join lateral (
      select k.ifc_class, k.name, k.storey from core.content k
       where k.element_id = e.id and k.first_number <= v.number
       order by k.first_number desc limit 1) k on true
    cross join lateral (
      select coalesce(substr(k.ifc_class, 4), 'element') || coalesce(' "' || k.name || '"', '') as one) shown
    left join lateral (
      -- Among words on findings that turned out to be one the stricter one holds.
      select l.action, l.reason, l.created_at
        from (select distinct on (d.finding_id) d.*
                from diff.findings g join core.decisions d on d.finding_id = g.id
               where (g.id = f.id or g.identity_id = f.id)
                 and d.action in ('open', 'reviewed', 'approved', 'ignored')
               order by d.finding_id, d.rule_id is not null, d.id desc) l
       order by core.strictness(l.action) desc, l.rule_id is not null, l.id desc limit 1) word on true
    cross join lateral (
      select coalesce(word.action <> 'open' and t.state = 'reopened'
                      and word.created_at < since.finished_at, false) as so) lapsed
    left join lateral (
      select (array_agg(d.assigned_to order by d.id desc) filter (where d.action = 'assigned'))[1]
               as assigned_to,
             (array_agg(d.due order by d.id desc) filter (where d.action = 'due'))[1] as due
        from diff.findings g join core.decisions d on d.finding_id = g.id
       where (g.id = f.id or g.identity_id = f.id) and d.action in ('assigned', 'due')) task on true
   where t.project_id = any (array(select core.own_projects('read')));

-- Thinning -----------------------------------------------------------------------------------------

create function tester.thin_rows(result bigint) returns bigint
language sql set search_path = pg_catalog, pg_temp as $$
  with going as (
    delete from tester.failures c
     where c.result_id = thin_rows.result
       and not exists (
         select from tester.findings f
           join tester.finding_states t on t.finding_id = coalesce(f.identity_id, f.id)
          where f.id = c.finding_id and t.last_seen = thin_rows.result)
       -- Who is one with another may be by itself again: it was last seen as itself then.
       and not exists (
         select from tester.findings f
          where f.id = c.finding_id
            and (f.identity_id is not null
                 or exists (select from tester.findings m where m.identity_id = f.id))
            and not exists (
              select from tester.failures o
                join tester.results l on l.id = o.result_id and l.state = 'finished'
                join tester.results r on r.id = thin_rows.result
               where o.finding_id = c.finding_id and l.accepted > r.accepted))
    returning c.finding_id
  ), kept as (
    insert into tester.seen as s (result_id, project_id, findings)
    select r.id, r.project_id, array_agg(g.finding_id order by g.finding_id)
      from going g join tester.results r on r.id = thin_rows.result
     group by r.id, r.project_id
    on conflict (result_id) do update set findings = s.findings || excluded.findings
  )
  select count(*) from going
$$;
comment on function tester.thin_rows(bigint) is
  'Takes away why elements failed in a result, but for those last seen there; gives how many.';

create function diff.thin_rows(result bigint) returns bigint
language sql set search_path = pg_catalog, pg_temp as $$
  with going as (
    delete from diff.changes c
     where c.result_id = thin_rows.result
       and not exists (
         select from diff.findings f
           join diff.finding_states t on t.finding_id = coalesce(f.identity_id, f.id)
          where f.id = c.finding_id and t.last_seen = thin_rows.result)
       and not exists (
         select from diff.findings f
          where f.id = c.finding_id
            and (f.identity_id is not null
                 or exists (select from diff.findings m where m.identity_id = f.id))
            and not exists (
              select from diff.changes o
                join diff.results l on l.id = o.result_id and l.state = 'finished'
                join diff.results r on r.id = thin_rows.result
               where o.finding_id = c.finding_id and l.accepted > r.accepted))
    returning c.finding_id, c.after
  ), kept as (
    insert into diff.seen as s (result_id, project_id, findings, digests)
    select r.id, r.project_id, array_agg(g.finding_id order by g.finding_id),
           array_agg(diff.digest(g.after) order by g.finding_id)
      from going g join diff.results r on r.id = thin_rows.result
     group by r.id, r.project_id
    on conflict (result_id) do update set findings = s.findings || excluded.findings,
      digests = s.digests || excluded.digests
  )
  select count(*) from going
$$;
comment on function diff.thin_rows(bigint) is
  'Takes away what changed how in a result, but for what was last seen there; gives how many changes.';

create or replace function core.thin_result(check_name text, result bigint)
returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  gone bigint := 0;
  thinned jsonb := jsonb_build_object('thinned', now());
begin
  case thin_result.check_name
    when 'clash' then
      -- Nobody derives the chain's states meanwhile.
      perform 1 from clash.sets s join clash.results r on r.set_id = s.id
        where r.id = result for no key update of s;
      with going as (
        delete from clash.sighting_rows s
         where s.result_id = result
           and not exists (
             select from clash.pairs p
               join clash.pair_states t on t.pair_id = coalesce(p.identity_id, p.id)
              where p.id = s.pair_id and t.last_seen = result)
           -- Who is one with another may be by itself again: it was last seen as itself then.
           and not exists (
             select from clash.pairs p
              where p.id = s.pair_id
                and (p.identity_id is not null
                     or exists (select from clash.pairs m where m.identity_id = p.id))
                and not exists (
                  select from clash.sighting_rows o
                    join clash.results l on l.id = o.result_id and l.state = 'finished'
                    join clash.results r on r.id = result
                   where o.pair_id = s.pair_id and l.accepted > r.accepted))
        returning s.pair_id
      ), kept as (
        insert into clash.seen (result_id, project_id, pairs)
        select result, r.project_id, array_agg(g.pair_id order by g.pair_id)
          from going g cross join clash.results r where r.id = result
         group by r.project_id
        returning cardinality(pairs) as n
      )
      select coalesce(sum(n), 0) into gone from kept;
      update clash.results r set thinned_at = now(), document = null where r.id = result;
    when 'conversion' then
      update conversion.results r set thinned_at = now() where r.id = result;
    when 'tester' then
      perform 1 from tester.series s join tester.runs u on u.series_id = s.id
        where u.result_id = thin_result.result order by s.id for no key update of s;
      gone := tester.thin_rows(result);
      update tester.results r set thinned_at = now(), test_results = thinned where r.id = result;
    when 'diff' then
      perform 1 from diff.series s join diff.results r on r.series_id = s.id
        where r.id = thin_result.result for no key update of s;
      gone := diff.thin_rows(result);
      update diff.results r set thinned_at = now(), diff_data = thinned where r.id = result;
  end case;
  return gone;
end
$$;

create or replace function core.thin(age interval, keep int default 1, batch int default 20)
returns table(check_name text, result_id bigint, name text, finished_at timestamptz, sightings bigint)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  each record;
  jobs uuid[] := '{}';
  removed bigint;
begin
  if not pg_try_advisory_xact_lock(hashtext('ifcbase.retention')) then
    return;
  end if;
  -- All of them before the first: in this order whoever derives several chains locks them.
  perform 1 from clash.sets s
    where s.id in (select r.set_id
                     from (select t.* from core.thinnable(age, keep) t limit greatest(batch, 1)) t
                     join clash.results r on r.id = t.result_id
                    where t.check_name = 'clash')
    order by s.id for no key update;
  perform 1 from diff.series s
    where s.id in (select r.series_id
                     from (select t.* from core.thinnable(age, keep) t limit greatest(batch, 1)) t
                     join diff.results r on r.id = t.result_id
                    where t.check_name = 'diff')
    order by s.id for no key update;
  perform 1 from tester.series s
    where s.id in (select u.series_id
                     from (select t.* from core.thinnable(age, keep) t limit greatest(batch, 1)) t
                     join tester.runs u on u.result_id = t.result_id
                    where t.check_name = 'tester')
    order by s.id for no key update;
  for each in select t.* from core.thinnable(age, keep) t limit greatest(batch, 1) loop
    removed := core.thin_result(each.check_name, each.result_id);
    if each.job_id is not null then
      jobs := array_append(jobs, each.job_id);
    end if;
    return query select each.check_name, each.result_id, each.name, each.finished_at, removed;
  end loop;
  if cardinality(jobs) > 0 then
    perform core.let_go_of_files(jobs);
  end if;
end
$$;

-- Results that were thinned before kept their rows.
do $$
declare
  each record;
begin
  for each in select r.id from tester.results r where r.thinned_at is not null order by r.id loop
    perform tester.thin_rows(each.id);
  end loop;
  for each in select r.id from diff.results r where r.thinned_at is not null order by r.id loop
    perform diff.thin_rows(each.id);
  end loop;
end
$$;

-- Reading ------------------------------------------------------------------------------------------

create function core.require_whole(check_name text, result bigint) returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  thinned boolean;
begin
  case require_whole.check_name
    when 'clash' then
      return clash.require_whole(result);
    when 'tester' then
      thinned := exists (select from tester.results r where r.id = result and r.thinned_at is not null);
    when 'diff' then
      thinned := exists (select from diff.results r where r.id = result and r.thinned_at is not null);
  end case;
  if thinned then
    perform core.refuse('410', 'thinned',
      format('%s result %s was thinned: which findings it saw is known, the details are not',
             require_whole.check_name, result),
      'Ask for its states and counts, or for a later result.');
  end if;
  return true;
end
$$;
comment on function core.require_whole(text, bigint) is
  'True; refuses a result of a check of which a part was taken away.';

-- Access -------------------------------------------------------------------------------------------

do $$
declare
  item text;
  door regprocedure;
begin
  foreach item in array array['tester.seen', 'diff.seen'] loop
    execute format('alter table %s enable row level security', item);
    execute format('revoke all on %s from public, anon, authenticated, ifc_worker', item);
    execute format('grant select, insert, update, delete on %s to service_role', item);
    execute format('create policy service on %s to service_role using (true) with check (true)', item);
  end loop;
  foreach item in array array['tester.seen_failures', 'diff.seen_changes'] loop
    execute format('revoke all on %s from public, anon, authenticated, ifc_worker', item);
    execute format('grant select on %s to service_role', item);
  end loop;
  foreach door in array array[
    'diff.canonical(jsonb)', 'diff.digest(jsonb)', 'diff.shown(bigint)',
    'diff.comes_to_the_same(jsonb, text, jsonb, text)', 'tester.thin_rows(bigint)',
    'diff.thin_rows(bigint)'
  ]::regprocedure[] loop
    execute format('revoke all on function %s from public, anon, authenticated, ifc_worker', door);
    execute format('grant execute on function %s to service_role', door);
  end loop;
  revoke all on function core.require_whole(text, bigint) from public, ifc_worker;
  grant execute on function core.require_whole(text, bigint) to anon, authenticated, service_role;
end
$$;
