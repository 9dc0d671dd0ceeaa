-- One confirmation heals what was found of an element under each of its ids: pairs and IDS failures
-- already, and here changes between versions. A finding is about the element as it was then, as a pair
-- is; which of them are one follows from the links.

alter table diff.findings
  add column identity_id bigint references diff.findings on delete cascade;
comment on column diff.findings.identity_id is
  'The finding this one is, after its element got another id; null: itself. Derived from links.';
comment on column diff.findings.element_id is 'The element as the version it changed in has it.';
comment on table diff.findings is
  'A facet of an element that changed at least once in a series.';
create index diff_findings_identity on diff.findings (identity_id) where identity_id is not null;

create function diff.regroup(elements bigint[]) returns void
language sql set search_path = pg_catalog, pg_temp as $$
  with roots as (
    select distinct coalesce(i.root_id, e) as root
      from unnest(elements) e left join core.identities i on i.element_id = e
  ), members as (
    select r.root, r.root as element_id from roots r
    union
    select i.root_id, i.element_id from core.identities i where i.root_id in (select root from roots)
  ), grouped as (
    select f.id, nullif(min(f.id) over (partition by f.series_id, f.facet, m.root), f.id) as identity_id
      from members m join diff.findings f on f.element_id = m.element_id
  )
  update diff.findings f set identity_id = g.identity_id
    from grouped g where g.id = f.id and f.identity_id is distinct from g.identity_id
$$;
comment on function diff.regroup(bigint[]) is
  'Which findings about these elements, and about those they are one with, are one finding.';

create or replace function diff.take_changes(result diff.results, rows jsonb) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  lost text;
begin
  -- One writer of a series at a time: each new facet of an element is one finding.
  perform 1 from diff.series s where s.id = result.series_id for no key update;
  drop table if exists pg_temp.arriving_changes;
  create temporary table arriving_changes on commit drop as
  select e.id as element_id, i.facet, i.before, i.after, i.global_id
    from jsonb_to_recordset(rows) as i (side text, global_id text, n int, facet text, before jsonb,
                                        after jsonb)
    cross join lateral (select diff.element_of(result, i.side, i.global_id, i.n) as id) e;
  select a.global_id into lost from pg_temp.arriving_changes a where a.element_id is null limit 1;
  if found then
    perform core.refuse('422', 'request-invalid', format('there is no element %s to change', lost));
  end if;
  with fresh as materialized (
    select nextval(pg_get_serial_sequence('core.findings', 'id')) as id, s.element_id, s.facet
      from (select distinct a.element_id, a.facet from pg_temp.arriving_changes a) s
     where not exists (select from diff.findings f where f.series_id = result.series_id
                        and f.element_id = s.element_id and f.facet = s.facet)
  ), found as (
    insert into core.findings (id, project_id, check_name)
    select f.id, result.project_id, 'diff' from fresh f
  )
  insert into diff.findings (id, project_id, series_id, element_id, facet)
  select f.id, result.project_id, result.series_id, f.element_id, f.facet from fresh f;
  insert into diff.changes (result_id, finding_id, element_id, before, after)
  select result.id, f.id, a.element_id, a.before, a.after
    from pg_temp.arriving_changes a
    join diff.findings f on f.series_id = result.series_id and f.element_id = a.element_id
     and f.facet = a.facet
  on conflict do nothing;
  perform diff.regroup(array(select distinct a.element_id from pg_temp.arriving_changes a));
  drop table pg_temp.arriving_changes;
end
$$;

-- What was stored under the lasting element so far is stored under each element it was about.
with missing as materialized (
  select nextval(pg_get_serial_sequence('core.findings', 'id')) as id, x.*
    from (select distinct f.project_id, f.series_id, c.element_id, f.facet
            from diff.changes c join diff.findings f on f.id = c.finding_id
           where c.element_id <> f.element_id
             and not exists (select from diff.findings o where o.series_id = f.series_id
                              and o.element_id = c.element_id and o.facet = f.facet)) x
), noted as (
  insert into core.findings (id, project_id, check_name)
  select m.id, m.project_id, 'diff' from missing m
)
insert into diff.findings (id, project_id, series_id, element_id, facet)
select m.id, m.project_id, m.series_id, m.element_id, m.facet from missing m;
update diff.changes c set finding_id = o.id
  from diff.findings f, diff.findings o
 where f.id = c.finding_id and c.element_id <> f.element_id
   and o.series_id = f.series_id and o.element_id = c.element_id and o.facet = f.facet;
select diff.regroup(array(select distinct f.element_id from diff.findings f));

-- States -------------------------------------------------------------------------------------------

create function diff.shown(result bigint)
returns table (finding_id bigint, facet text, root_id bigint, after jsonb, found_again boolean)
language sql stable set search_path = pg_catalog, pg_temp as $$
  -- An element that a result calls deleted and, under another id, added was neither: somebody said
  -- since that they are one.
  with rows as materialized (
    select distinct on (coalesce(f.identity_id, f.id)) coalesce(f.identity_id, f.id) as finding_id,
           f.facet, coalesce(i.root_id, c.element_id) as root_id, c.after
      from diff.changes c
      join diff.findings f on f.id = c.finding_id
      left join core.identities i on i.element_id = c.element_id
     where c.result_id = result
     order by coalesce(f.identity_id, f.id), f.id
  )
  select r.finding_id, r.facet, r.root_id, r.after,
         r.facet in ('added', 'deleted') and exists (
           select from rows o where o.root_id = r.root_id and o.facet <> r.facet
              and o.facet in ('added', 'deleted'))
    from rows r
$$;
comment on function diff.shown(bigint) is
  'The findings a result shows, each once; found_again: its element was only given another id.';

create or replace function diff.judge_absent(result diff.results)
returns table (finding_id bigint, state text, reason text)
language sql stable set search_path = pg_catalog, pg_temp as $$
  with seen as materialized (
    select r.id, diff.spans(result, r) as spanned,
           coalesce((result.settings ->> 'tolerance')::float8 <= (r.settings ->> 'tolerance')::float8,
                    false) as as_fine
      from diff.results r
     where r.id in (select s.last_seen from diff.finding_states s where s.series_id = result.series_id)
  ), shown as materialized (
    select x.* from diff.shown(result.id) x
  ), wanted as materialized (
    select f.id, f.facet, coalesce(i.root_id, f.element_id) as root_id, f.element_id, s.state as was,
           l.spanned, l.as_fine,
           exists (select from shown g where g.facet = 'deleted' and not g.found_again
                      and g.root_id = coalesce(i.root_id, f.element_id)) as deleted
      from diff.finding_states s
      join diff.findings f on f.id = s.finding_id
      join seen l on l.id = s.last_seen
      left join core.identities i on i.element_id = f.element_id
     where s.series_id = result.series_id and s.state <> 'resolved'
       and not exists (select from shown x where x.finding_id = s.finding_id)
  ), facts as materialized (
    select w.*, exists (
             select from core.model_versions v
               join core.content k on k.model_id = v.model_id and k.first_number <= v.number
                and (k.last_number is null or k.last_number >= v.number)
              where v.id = result.new_version_id
                and k.element_id in (select w.element_id union
                                     select i.element_id from core.identities i
                                      where i.root_id = w.root_id)) as present,
           exists (
             select from diff.not_compared n
               left join core.identities i on i.element_id = n.element_id
              where n.result_id = result.id and n.facet = w.facet
                and coalesce(i.root_id, n.element_id) = w.root_id) as unjudged
      from wanted w where w.spanned or w.deleted
  )
  select f.id,
         case when j.removed then 'removed' when j.reason is null then 'resolved' else 'untested' end,
         case when not j.removed then j.reason end
    from facts f
    cross join lateral (select
      f.facet <> 'deleted' and (f.deleted or f.facet = 'added' and not f.present) as removed,
      case
        when f.facet = 'deleted' and not f.present then 'unlinked'
        when f.facet not in ('added', 'deleted') and not f.present then 'unlinked'
        when coalesce(result.settings ->> 'filter_elements', '') <> '' then 'no longer selected'
        when f.facet not in ('added', 'deleted') and f.facet <> all (result.facets) then 'not asked for'
        when f.facet not in ('added', 'deleted') and exists (
               select from shown x where x.found_again and x.root_id = f.root_id) then 'not asked for'
        when f.unjudged then 'no geometry'
        when f.facet in ('placement', 'geometry') and not f.as_fine then 'definition changed'
      end as reason) j
   -- What was removed stays so until the element is there again.
   where f.was <> 'removed' or f.present
$$;

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
           when c.facet in ('added', 'deleted') or p.after = c.after then 'persisting'
           else 'reopened'
         end as state,
         case
           when c.found_again then 'found again'
           when s.state not in ('resolved', 'removed') and c.facet not in ('added', 'deleted')
                and p.after <> c.after then 'changed again'
         end as reason, not c.found_again as here
    from diff.shown(result.id) c
    left join diff.finding_states s on s.finding_id = c.finding_id
    left join lateral (
      select x.after from diff.findings g join diff.changes x on x.finding_id = g.id
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
            from diff.changes c
            join diff.findings f on f.id = c.finding_id
            join diff.results r on r.id = c.result_id and r.state = 'finished'
           where r.series_id = chain and r.accepted < start
           group by 1) seen on seen.finding_id = l.finding_id;
end
$$;

create or replace function diff.verify_series(chain bigint)
returns table (what text, finding_id bigint, result_id bigint, stored text, derived text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  perform 1 from diff.series s where s.id = chain for no key update;
  return query
    select 'identity', f.id, null::bigint, f.identity_id::text, g.first::text
      from diff.findings f
      join (select m.id, nullif(min(m.id) over (partition by m.facet,
                     coalesce(i.root_id, m.element_id)), m.id) as first
              from diff.findings m left join core.identities i on i.element_id = m.element_id
             where m.series_id = chain) g on g.id = f.id
     where f.identity_id is distinct from g.first;
  drop table if exists pg_temp.kept_changes;
  drop table if exists pg_temp.kept_states;
  create temporary table kept_changes on commit drop as
    select c.* from diff.state_changes c join diff.results r on r.id = c.result_id
     where r.series_id = chain;
  create temporary table kept_states on commit drop as
    select s.* from diff.finding_states s where s.series_id = chain;
  perform diff.rewind(chain, 0);
  perform diff.derive_from(chain, 0);
  return query
    select 'change', coalesce(k.finding_id, c.finding_id), coalesce(k.result_id, c.result_id),
           k.state || coalesce(': ' || k.reason, ''), c.state || coalesce(': ' || c.reason, '')
      from pg_temp.kept_changes k
      full join (select c.* from diff.state_changes c join diff.results r on r.id = c.result_id
                  where r.series_id = chain) c
        on c.finding_id = k.finding_id and c.result_id = k.result_id
     where k.finding_id is null or c.finding_id is null or k.state <> c.state
        or k.reason is distinct from c.reason
    union all
    select 'state', coalesce(k.finding_id, s.finding_id), coalesce(k.since_result, s.since_result),
           k.state || coalesce(': ' || k.reason, ''), s.state || coalesce(': ' || s.reason, '')
      from pg_temp.kept_states k
      full join (select s.* from diff.finding_states s where s.series_id = chain) s
        on s.finding_id = k.finding_id
     where (k.finding_id, k.state, k.reason, k.since_result, k.first_result, k.last_seen)
           is distinct from (s.finding_id, s.state, s.reason, s.since_result, s.first_result, s.last_seen);
  drop table pg_temp.kept_changes;
  drop table pg_temp.kept_states;
end
$$;

-- Links --------------------------------------------------------------------------------------------

create function diff.derive_linked() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  touched bigint[];
  chain bigint;
begin
  if not exists (select from diff.series s where s.project_id in (select c.project_id from changed c)) then
    return null;
  end if;
  -- Nobody adds findings meanwhile: they and these identities would miss each other.
  perform 1 from diff.series s
    where s.project_id in (select c.project_id from changed c) order by s.id for no key update;
  touched := array(
    select c.element_id from changed c
    union
    -- Those that were one thing with them are to be looked at as well.
    select g.element_id from diff.findings f
      join changed c on c.element_id = f.element_id
      join diff.findings g on g.id = f.identity_id or g.identity_id = coalesce(f.identity_id, f.id)
    union
    select o.element_id from changed c
      join core.identities i on i.element_id = c.element_id
      join core.identities o on o.root_id = i.root_id);
  perform diff.regroup(touched);
  for chain in
    select distinct f.series_id from diff.findings f where f.element_id = any(touched) order by 1
  loop
    perform diff.rewind(chain, 0);
    perform diff.derive_from(chain, 0);
  end loop;
  return null;
end
$$;
comment on function diff.derive_linked() is
  'Findings about elements that turned out to be one are one from their first result on.';
create trigger derive_diff_made after insert on core.identities referencing new table as changed
  for each statement execute function diff.derive_linked();
create trigger derive_diff_changed after update on core.identities referencing new table as changed
  for each statement execute function diff.derive_linked();
create trigger derive_diff_taken after delete on core.identities referencing old table as changed
  for each statement execute function diff.derive_linked();

create or replace function core.kindred(finding bigint) returns setof bigint
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  room text := (select f.check_name from core.findings f where f.id = finding);
begin
  if room = 'tester' then
    return query
      select m.id from tester.findings f
        join tester.findings m on m.id = f.identity_id or m.id = f.id
          or m.identity_id = coalesce(f.identity_id, f.id)
       where f.id = finding;
  elsif room = 'diff' then
    return query
      select m.id from diff.findings f
        join diff.findings m on m.id = f.identity_id or m.id = f.id
          or m.identity_id = coalesce(f.identity_id, f.id)
       where f.id = finding;
  else
    return next finding;
  end if;
end
$$;

create or replace view diff.current_findings with (security_invoker = true) as
  select f.id as finding_id, f.project_id, 'diff'::text as check_name, s.name as series,
         shown.one || case f.facet
           when 'added' then ' was added'
           when 'deleted' then ' was deleted'
           when 'class' then ' was a ' || substr(c.before ->> 'class', 4) || ' before'
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
      select x.element_id, x.before, x.after
        from diff.findings g join diff.changes x on x.finding_id = g.id and x.result_id = t.last_seen
       where g.id = f.id or g.identity_id = f.id
       order by g.id limit 1) c
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

-- What was derived so far knew nothing of links that came later.
do $$
declare
  chain bigint;
begin
  for chain in select s.id from diff.series s order by s.id loop
    perform diff.rewind(chain, 0);
    perform diff.derive_from(chain, 0);
  end loop;
end
$$;

revoke all on function diff.regroup(bigint[]), diff.shown(bigint), diff.derive_linked()
  from public, anon, authenticated, ifc_worker;
grant execute on function diff.regroup(bigint[]), diff.shown(bigint), diff.derive_linked()
  to service_role;
