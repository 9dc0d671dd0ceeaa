-- Finishing a result writes what changed and nothing else; what helps to write it leaves no litter.

-- Elements of a result that is being written ---------------------------------------------------------
-- One row for each delivery of them: a row for each element, deleted again with every result, left the
-- table ten times as long as it ever was full.

alter table clash.result_elements rename to result_elements_before;
alter table clash.result_elements_before rename constraint result_elements_pkey to result_elements_before_pkey;
create table clash.result_elements (
  result_id bigint not null references clash.results on delete cascade,
  refs int[] not null,
  elements bigint[] not null check (cardinality(elements) = cardinality(refs))
);
comment on table clash.result_elements is
  'Short numbers for the elements of a result that is being written; emptied when it is finished.';
-- They live for moments: packing them would cost more than it saves.
alter table clash.result_elements alter column refs set storage external;
alter table clash.result_elements alter column elements set storage external;
insert into clash.result_elements (result_id, refs, elements)
select e.result_id, array_agg(e.ref), array_agg(e.element_id)
  from clash.result_elements_before e group by e.result_id;
drop table clash.result_elements_before;
create index result_elements_result on clash.result_elements (result_id);
alter table clash.result_elements enable row level security;
create policy service on clash.result_elements to service_role using (true) with check (true);
revoke all on clash.result_elements from public, anon, authenticated, ifc_worker;
grant select, insert, update, delete on clash.result_elements to service_role;

create function clash.known_elements(result bigint) returns table (ref int, element_id bigint)
language sql stable rows 10000 set search_path = pg_catalog, pg_temp as $$
  -- Delivered twice, it is the same.
  select distinct u.ref, u.element_id
    from clash.result_elements x cross join lateral unnest(x.refs, x.elements) as u (ref, element_id)
   where x.result_id = result
$$;
comment on function clash.known_elements(bigint) is
  'The elements of a result that is being written, by their short numbers.';

create or replace function clash.append_rows(result clash.results, kind text, rows jsonb) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  case kind
    when 'selection' then
      perform clash.append_selection(result, rows);
    when 'coverage' then
      perform clash.append_coverage(result, rows);
    when 'elements' then
      insert into clash.result_elements (result_id, refs, elements)
      select result.id, array_agg(r.ref), array_agg(e.id)
        from jsonb_to_recordset(rows) as r (ref int, input text, global_id text, n int)
        join core.job_inputs i on i.job_id = result.job_id and i.name = r.input
        join core.model_versions v on v.id = i.model_version_id
        -- Looked up one by one: elements just stored have no statistics yet to plan a join by.
        cross join lateral (
          select x.id from core.elements x
           where x.model_id = v.model_id and x.global_id = r.global_id and x.n = r.n offset 0) e
      having count(*) > 0;
      perform clash.require_known(result, array(
        select r.ref from jsonb_to_recordset(rows) as r (ref int)));
    when 'left_out' then
      perform clash.require_known(result, array(
        select r.element from jsonb_to_recordset(rows) as r (element int)));
      insert into clash.left_out (result_id, "position", element_id, reason)
      select result.id, r."position", e.element_id, r.reason
        from jsonb_to_recordset(rows) as r ("position" smallint, element int, reason text)
        join clash.known_elements(result.id) e on e.ref = r.element
      on conflict do nothing;
    when 'pairs_left_out' then
      perform clash.append_pairs_left_out(result, rows);
    when 'sightings' then
      perform core.make_copy_target('sightings', core.writer());
      insert into pg_temp.incoming_sightings
        select * from jsonb_to_recordset(rows) as r (
          a int, b int, a_position smallint, b_position smallint, kind smallint, measured smallint,
          distance double precision, p1x double precision, p1y double precision, p1z double precision,
          p2x double precision, p2y double precision, p2z double precision, smart_group int);
      perform clash.take_sightings(result);
    else
      perform core.refuse('422', 'request-invalid', format('a clash result has no rows of kind %s', kind));
  end case;
end
$$;

create or replace function clash.require_known(result clash.results, refs int[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  stranger int;
begin
  -- A set operation: without statistics on rows just written a join would compare all with all.
  select x.ref into stranger from (
    select r.ref from unnest(refs) as r (ref)
    except
    select e.ref from clash.known_elements(result.id) e) x limit 1;
  if found then
    perform core.refuse('422', 'request-invalid',
      format('element %s is in no inventory of the job''s inputs', coalesce(stranger::text, 'null')));
  end if;
end
$$;

create or replace function clash.append_pairs_left_out(result clash.results, rows jsonb) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform clash.require_known(result, array(
    select x.ref from jsonb_to_recordset(rows) as r (a int, b int)
     cross join lateral (values (r.a), (r.b)) x (ref)));
  insert into clash.pairs_left_out as t (result_id, reason, project_id, one, other)
  select result.id, p.reason, result.project_id, array_agg(p.one order by p.one, p.other),
         array_agg(p.other order by p.one, p.other)
    from (select r.reason, least(a.element_id, b.element_id) as one,
                 greatest(a.element_id, b.element_id) as other
            from jsonb_to_recordset(rows) as r (a int, b int, reason text)
            join clash.known_elements(result.id) a on a.ref = r.a
            join clash.known_elements(result.id) b on b.ref = r.b
          union
          select k.reason, x.one, x.other from clash.pairs_left_out k
           cross join lateral unnest(k.one, k.other) as x (one, other)
           where k.result_id = result.id) p
   group by p.reason
  on conflict (result_id, reason) do update set one = excluded.one, other = excluded.other;
end
$$;

-- Sightings ----------------------------------------------------------------------------------------
-- Written by one function, which makes or finds the result and the pair of each row under the locks of
-- its set: looking both up again for every row cost as much as storing it.

alter table clash.sighting_rows drop constraint sighting_rows_result_id_fkey;
alter table clash.sighting_rows drop constraint sighting_rows_pair_id_fkey;
create function clash.forget_sightings() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_table_name = 'results' then
    delete from clash.sighting_rows s using removed r where s.result_id = r.id;
  else
    delete from clash.sighting_rows s using removed r where s.pair_id = r.id;
  end if;
  return null;
end
$$;
comment on function clash.forget_sightings() is 'Sightings go with their result, and with their pair.';
create trigger forget_sightings after delete on clash.results referencing old table as removed
  for each statement execute function clash.forget_sightings();
create trigger forget_sightings after delete on clash.pairs referencing old table as removed
  for each statement execute function clash.forget_sightings();

create or replace function clash.take_sightings(result clash.results) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform core.require_copied('sightings');
  analyze pg_temp.incoming_sightings;
  -- One writer of a chain at a time: each new pair is one finding.
  perform 1 from clash.sets s where s.id = result.set_id for no key update;
  -- A contact that no document could show is left out here: it is missed when the result is finished.
  with known as materialized (
    select e.ref, e.element_id from clash.known_elements(result.id) e
  ), placed as materialized (
    select p.id as pair_id, x.*
      from (select least(a.element_id, b.element_id) as a_element,
                   greatest(a.element_id, b.element_id) as b_element,
                   i.distance, i.p1x, i.p1y, i.p1z, i.p2x, i.p2y, i.p2z, i.smart_group,
                   (i.a_position::int << 20) + (i.b_position::int << 8) + (i.kind << 4) + (i.measured << 1)
                     + (a.element_id > b.element_id)::int as facts
              from pg_temp.incoming_sightings i
              join known a on a.ref = i.a
              join known b on b.ref = i.b
             where i.a_position between 0 and 2047 and i.b_position between 0 and 2047
               and i.kind between 0 and 15 and i.measured between 0 and 7) x
      left join clash.pairs p on p.set_id = result.set_id and p.a_element = x.a_element
       and p.b_element = x.b_element
  ), fresh as materialized (
    -- Made without a join: rows written in this transaction have no statistics to plan one by.
    select nextval(pg_get_serial_sequence('core.findings', 'id')) as id, n.*
      from (select distinct on (x.a_element, x.b_element) x.* from placed x where x.pair_id is null
             order by x.a_element, x.b_element) n
  ), found as (
    insert into core.findings (id, project_id, check_name)
    select f.id, result.project_id, 'clash' from fresh f
  ), paired as (
    insert into clash.pairs (id, project_id, set_id, a_element, b_element)
    select f.id, result.project_id, result.set_id, f.a_element, f.b_element from fresh f
  )
  insert into clash.sighting_rows (result_id, pair_id, distance, p1x, p1y, p1z, p2x, p2y, p2z,
                                   smart_group, facts)
  select result.id, y.id, y.distance, y.p1x, y.p1y, y.p1z, y.p2x, y.p2y, y.p2z, y.smart_group, y.facts
    from (select x.pair_id as id, x.distance, x.p1x, x.p1y, x.p1z, x.p2x, x.p2y, x.p2z, x.smart_group,
                 x.facts
            from placed x where x.pair_id is not null
          union all
          select f.id, f.distance, f.p1x, f.p1y, f.p1z, f.p2x, f.p2y, f.p2z, f.smart_group, f.facts
            from fresh f) y
   -- In the order of the key: its pages fill, and a result lies together.
   order by y.id
  on conflict do nothing;
end
$$;

-- States -------------------------------------------------------------------------------------------
-- A pair that was seen in the last result of its set says so by saying nothing: only those that changed
-- are written, not every pair that is still there.

alter table clash.sets add column latest_result bigint;
comment on column clash.sets.latest_result is
  'The result whose states the pairs of the set have now: the last one of its chain. Derived.';
alter table clash.pair_states rename to pair_state_rows;
alter table clash.pair_state_rows alter column last_seen drop not null;
alter table clash.pair_state_rows set (fillfactor = 85);
comment on table clash.pair_state_rows is
  'The present state of every pair of a chain, as it is stored: read clash.pair_states.';
comment on column clash.pair_state_rows.last_seen is 'Null: in the latest result of the set.';
update clash.sets s set latest_result = (
  select r.id from clash.results r
   where r.set_id = s.id and r.state = 'finished' and r.set_version_id is not null
   order by r.accepted desc limit 1);
update clash.pair_state_rows t set last_seen = null
  from clash.sets s
 where s.id = t.set_id and s.latest_result = t.last_seen and t.state in ('new', 'persisting', 'reopened');

create view clash.pair_states with (security_invoker = true) as
  select t.pair_id, t.project_id, t.set_id, t.state, t.reason, t.since_result, t.first_result,
         coalesce(t.last_seen, s.latest_result) as last_seen
    from clash.pair_state_rows t join clash.sets s on s.id = t.set_id;
comment on view clash.pair_states is 'The present state of every pair of a chain.';
comment on column clash.pair_states.since_result is 'The result in which this state began.';
revoke all on clash.pair_states from public, anon, authenticated, ifc_worker;
grant select on clash.pair_states to service_role, anon, authenticated;

create or replace view clash.current_findings with (security_invoker = true) as
  select t.pair_id as finding_id, t.project_id, 'clash'::text as check_name, s.name as series,
         case when shown.far is null then shown.one || ' and ' || shown.other || ' clash'
              when c.kind = 4 then shown.one || ' and ' || shown.other || ' are ' || shown.far || ' apart'
              when c.kind = 5 then 'one of ' || shown.one || ' and ' || shown.other || ' lies inside the other'
              when c.kind = 6 then shown.one || ' and ' || shown.other || ' are in the same place'
              when c.kind = 7 then shown.one || ' and ' || shown.other || ' touch'
              when c.kind = 2 then shown.one || ' and ' || shown.other || ' go through each other' || shown.by
              else shown.one || ' and ' || shown.other || ' overlap' || shown.by
         end as title,
         t.state, t.reason, since.finished_at as since, first.finished_at as first_seen,
         ea.id as a_element, eb.id as b_element, ma.name as model, ma.discipline,
         mb.discipline as other_discipline, coalesce(ca.storey, cb.storey) as storey,
         ca.ifc_class as class, ea.global_id, w.state as review, w.reason as review_reason,
         w.assigned_to, w.due
    from clash.sets s
    cross join lateral core.review_states(s.id) w
    join clash.pair_states t on t.pair_id = w.pair_id
    join clash.results since on since.id = t.since_result
    join clash.results first on first.id = t.first_result
    -- As it was when last seen: of ids that were exchanged since, those of then.
    cross join lateral (
      select p.a_element, p.b_element, seen.distance, seen.kind, seen.measured,
             coalesce(seen.flipped, false) as flipped, seen.a_position, seen.b_position
        from (select t.pair_id as id
              union all
              select p.id from clash.pairs p where p.identity_id = t.pair_id) member
        join clash.pairs p on p.id = member.id
        left join clash.sightings seen on seen.result_id = t.last_seen and seen.pair_id = p.id
       order by seen.pair_id is null, seen.kind = 4,
                case when seen.kind = 4 then seen.distance else -seen.distance end, p.id
       limit 1) c
    join core.elements ea on ea.id = case when c.flipped then c.b_element else c.a_element end
    join core.elements eb on eb.id = case when c.flipped then c.a_element else c.b_element end
    join core.models ma on ma.id = ea.model_id
    join core.models mb on mb.id = eb.model_id
    left join clash.coverage va on va.result_id = t.last_seen and va."position" = c.a_position
    left join clash.coverage vb on vb.result_id = t.last_seen and vb."position" = c.b_position
    left join core.model_versions na on na.id = va.model_version_id
    left join core.model_versions nb on nb.id = vb.model_version_id
    left join lateral (
      select k.ifc_class, k.name, k.storey from core.content k
       where k.element_id = ea.id and k.first_number <= coalesce(na.number, 2147483647)
       order by k.first_number desc limit 1) ca on true
    left join lateral (
      select k.ifc_class, k.name, k.storey from core.content k
       where k.element_id = eb.id and k.first_number <= coalesce(nb.number, 2147483647)
       order by k.first_number desc limit 1) cb on true
    cross join lateral (
      select coalesce(substr(ca.ifc_class, 4), 'element') || coalesce(' "' || ca.name || '"', '') as one,
             coalesce(substr(cb.ifc_class, 4), 'element') || coalesce(' "' || cb.name || '"', '') as other,
             l.far, case when c.measured = 0 then '' else ' by ' || l.far end as by
        from (select case when c.distance < 0.0005 then 'less than 1 mm'
                          else round(c.distance * 1000)::bigint || ' mm' end as far) l) shown
   where t.project_id = any (array(select core.own_projects('read')));

create or replace function clash.derive_result(result clash.results) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  before bigint := (select s.latest_result from clash.sets s where s.id = result.set_id);
begin
  drop table if exists pg_temp.judged;
  -- What is another state now, and what has to be judged because it was not seen.
  create temporary table judged on commit drop as
  with merged as materialized (
    select p.id, p.identity_id from clash.pairs p
     where p.identity_id is not null and p.set_id = result.set_id
  ), seen as (
    select distinct coalesce(m.identity_id, c.pair_id) as pair_id
      from clash.sighting_rows c left join merged m on m.id = c.pair_id
     where c.result_id = result.id
  ), known as (
    select s.pair_id, s.state, s.reason from clash.pair_state_rows s where s.set_id = result.set_id
  )
  select coalesce(v.pair_id, k.pair_id) as pair_id, v.pair_id is not null as here, k.state as was,
         k.reason as was_reason,
         case
           when v.pair_id is null then null
           when k.pair_id is null then 'new'
           when k.state in ('resolved', 'removed') then 'reopened'
           else 'persisting'
         end as state, null::text as reason
    from seen v full join known k on k.pair_id = v.pair_id
   where case when v.pair_id is null then k.state <> 'resolved'
              else k.state is distinct from 'persisting' end;
  analyze pg_temp.judged;
  update pg_temp.judged j set state = a.state, reason = a.reason
    from clash.judge_absent(result, array(select n.pair_id from pg_temp.judged n where not n.here)) a
   where a.pair_id = j.pair_id
     -- What was removed stays so until both elements are there again, for sure.
     and (j.was <> 'removed'
          or (a.state <> 'removed'
              and coalesce(a.reason, '') not in ('model not in the run', 'unlinked', 'ambiguous id')));
  delete from pg_temp.judged j
   where not j.here
     and (j.state is null or (j.state = j.was and j.reason is not distinct from j.was_reason));

  insert into clash.state_changes (pair_id, result_id, project_id, state, reason)
  select j.pair_id, result.id, result.project_id, j.state, j.reason from pg_temp.judged j;
  update clash.pair_state_rows s
     set state = j.state, reason = j.reason, since_result = result.id,
         last_seen = case when not j.here then coalesce(s.last_seen, before) end
    from pg_temp.judged j where j.pair_id = s.pair_id and j.was is not null;
  insert into clash.pair_state_rows (pair_id, project_id, set_id, state, reason, since_result,
                                     first_result)
  select j.pair_id, result.project_id, result.set_id, j.state, j.reason, result.id, result.id
    from pg_temp.judged j where j.was is null;
  update clash.sets s set latest_result = result.id where s.id = result.set_id;

  insert into clash.state_counts (result_id, state, reason, project_id, pairs, entered)
  select result.id, s.state, coalesce(s.reason, ''), result.project_id, count(*),
         count(*) filter (where s.since_result = result.id)
    from clash.pair_state_rows s where s.set_id = result.set_id
   group by s.state, s.reason;
  drop table pg_temp.judged;
end
$$;

create or replace function clash.rewind(chain bigint, start bigint) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  touched bigint[];
begin
  delete from clash.state_counts c using clash.results r
    where r.id = c.result_id and r.set_id = chain and r.accepted >= start;
  with undone as (
    delete from clash.state_changes c using clash.results r
      where r.id = c.result_id and r.set_id = chain and r.accepted >= start
    returning c.pair_id
  )
  select coalesce(array_agg(distinct u.pair_id), '{}') into touched from undone u;
  delete from clash.pair_state_rows s where s.pair_id = any(touched);
  insert into clash.pair_state_rows (pair_id, project_id, set_id, state, reason, since_result,
                                     first_result, last_seen)
  with derived as (
    select r.id, r.accepted, lag(r.id) over (order by r.accepted) as before
      from clash.results r
     where r.set_id = chain and r.state = 'finished' and r.set_version_id is not null
       and r.accepted < start
  ), steps as (
    select c.*, d.accepted, d.before,
           max(d.accepted) filter (where c.state in ('new', 'persisting', 'reopened'))
             over (partition by c.pair_id) as present
      from clash.state_changes c join derived d on d.id = c.result_id
     where c.pair_id = any(touched)
  )
  select s.pair_id, min(s.project_id), chain, (array_agg(s.state order by s.accepted desc))[1],
         (array_agg(s.reason order by s.accepted desc))[1],
         (array_agg(s.result_id order by s.accepted desc))[1],
         (array_agg(s.result_id order by s.accepted))[1],
         -- It was last seen in the result before the one that first missed it.
         (array_agg(s.before order by s.accepted) filter (where s.accepted > s.present))[1]
    from steps s group by s.pair_id;
  update clash.sets s set latest_result = (
      select r.id from clash.results r
       where r.set_id = chain and r.state = 'finished' and r.set_version_id is not null
         and r.accepted < start
       order by r.accepted desc limit 1)
   where s.id = chain;
end
$$;

create or replace function clash.forget_last_seen() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from removed r where r.state = 'finished') then
    delete from clash.pair_state_rows s using removed r, clash.sets t
      where t.id = s.set_id and r.id = coalesce(s.last_seen, t.latest_result);
    update clash.sets s set latest_result = (
        select r.id from clash.results r
         where r.set_id = s.id and r.state = 'finished' and r.set_version_id is not null
         order by r.accepted desc limit 1)
     where s.latest_result in (select r.id from removed r);
  end if;
  return null;
end
$$;

create or replace function clash.verify_chain(chain bigint)
returns table (what text, pair_id bigint, result_id bigint, stored text, derived text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  start bigint := (select min(r.accepted) from clash.results r where r.set_id = chain);
begin
  perform 1 from clash.sets s where s.id = chain for no key update;
  return query select v.* from clash.verify_identities(chain) v;
  drop table if exists pg_temp.kept_changes;
  drop table if exists pg_temp.kept_counts;
  drop table if exists pg_temp.kept_states;
  create temporary table kept_changes on commit drop as
    select c.* from clash.state_changes c join clash.results r on r.id = c.result_id where r.set_id = chain;
  create temporary table kept_counts on commit drop as
    select c.* from clash.state_counts c join clash.results r on r.id = c.result_id where r.set_id = chain;
  create temporary table kept_states on commit drop as
    select s.* from clash.pair_states s where s.set_id = chain;
  delete from clash.pair_state_rows s where s.set_id = chain;
  if start is not null then
    perform clash.rewind(chain, start);
    perform clash.derive_from(chain, start);
  end if;
  return query
    select 'change', coalesce(k.pair_id, c.pair_id), coalesce(k.result_id, c.result_id),
           k.state || coalesce(': ' || k.reason, ''), c.state || coalesce(': ' || c.reason, '')
      from pg_temp.kept_changes k
      full join (select c.* from clash.state_changes c join clash.results r on r.id = c.result_id
                  where r.set_id = chain) c
        on c.pair_id = k.pair_id and c.result_id = k.result_id
     where k.pair_id is null or c.pair_id is null or k.state <> c.state
        or k.reason is distinct from c.reason
    union all
    select 'count', null, coalesce(k.result_id, c.result_id),
           k.state || ' ' || k.reason || ' ' || k.pairs || '/' || k.entered,
           c.state || ' ' || c.reason || ' ' || c.pairs || '/' || c.entered
      from pg_temp.kept_counts k
      full join (select c.* from clash.state_counts c join clash.results r on r.id = c.result_id
                  where r.set_id = chain) c
        on c.result_id = k.result_id and c.state = k.state and c.reason = k.reason
     where k.result_id is null or c.result_id is null or k.pairs <> c.pairs or k.entered <> c.entered
    union all
    select 'state', coalesce(k.pair_id, s.pair_id), coalesce(k.since_result, s.since_result),
           k.state || coalesce(': ' || k.reason, ''), s.state || coalesce(': ' || s.reason, '')
      from pg_temp.kept_states k
      full join (select s.* from clash.pair_states s where s.set_id = chain) s on s.pair_id = k.pair_id
     where (k.pair_id, k.state, k.reason, k.since_result, k.first_result, k.last_seen)
           is distinct from (s.pair_id, s.state, s.reason, s.since_result, s.first_result, s.last_seen);
  drop table pg_temp.kept_changes;
  drop table pg_temp.kept_counts;
  drop table pg_temp.kept_states;
end
$$;

-- Comparing ----------------------------------------------------------------------------------------

create or replace function clash.compare(a bigint, b bigint)
returns table (pair_id bigint, change text, a_distance double precision, b_distance double precision,
               difference double precision, a_kind smallint, b_kind smallint, state text, reason text)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  -- Whoever is in one of two results only has changed between them; read backwards, at any time.
  between_them bigint[] := array(
    select r.id from clash.results one
      join clash.results other on other.id = b
      join clash.results r on r.set_id = other.set_id and r.accepted <= other.accepted
       and (r.accepted > one.accepted or one.accepted > other.accepted)
     where one.id = a);
begin
  if not exists (select from clash.pairs p
                  where p.identity_id is not null
                    and p.set_id = (select r.set_id from clash.results r where r.id = a)) then
    -- Both lie in the order of the pairs: one pass over each.
    return query
      with latest as (
        select distinct on (c.pair_id) c.pair_id, c.state, c.reason
          from clash.state_changes c join clash.results r on r.id = c.result_id
         where c.result_id = any(between_them)
         order by c.pair_id, r.accepted desc
      )
      select coalesce(x.pair_id, y.pair_id),
             case when x.pair_id is null then 'appeared' when y.pair_id is null then 'gone'
                  else 'persisted' end,
             x.distance, y.distance, y.distance - x.distance, ((x.facts >> 4) & 15)::smallint,
             ((y.facts >> 4) & 15)::smallint, l.state, l.reason
        from (select s.pair_id, s.distance, s.facts from clash.sighting_rows s where s.result_id = a) x
        full join (
          select s.pair_id, s.distance, s.facts from clash.sighting_rows s where s.result_id = b) y
          on y.pair_id = x.pair_id
        left join latest l on (x.pair_id is null or y.pair_id is null)
         and l.pair_id = coalesce(x.pair_id, y.pair_id);
    return;
  end if;
  -- Some pairs are another one under other ids: the sightings of such are put together.
  return query
    with merged as materialized (
      select p.id, coalesce(p.identity_id, p.id) as pair
        from clash.pairs p
       where p.identity_id is not null
         and p.set_id = (select r.set_id from clash.results r where r.id = a)
      union
      select p.identity_id, p.identity_id from clash.pairs p
       where p.identity_id is not null
         and p.set_id = (select r.set_id from clash.results r where r.id = a)
    ), one as (
      select s.pair_id as pair, s.distance, s.kind from clash.sightings s
       where s.result_id = a and not exists (select from merged m where m.id = s.pair_id)
    ), other as (
      select s.pair_id as pair, s.distance, s.kind from clash.sightings s
       where s.result_id = b and not exists (select from merged m where m.id = s.pair_id)
    ), joined as materialized (
      select coalesce(x.pair, y.pair) as pair, x.distance as ad, y.distance as bd, x.kind as ak,
             y.kind as bk
        from one x full join other y on y.pair = x.pair
      union all
      select m.pair, max(s.distance) filter (where s.result_id = a),
             max(s.distance) filter (where s.result_id = b),
             min(s.kind) filter (where s.result_id = a), min(s.kind) filter (where s.result_id = b)
        from merged m join clash.sightings s on s.pair_id = m.id and s.result_id in (a, b)
       group by m.pair
    ), latest as (
      select distinct on (c.pair_id) c.pair_id, c.state, c.reason
        from clash.state_changes c join clash.results r on r.id = c.result_id
       where c.result_id = any(between_them)
       order by c.pair_id, r.accepted desc
    )
    select j.pair,
           case when j.ak is null then 'appeared' when j.bk is null then 'gone' else 'persisted' end,
           j.ad, j.bd, j.bd - j.ad, j.ak, j.bk, l.state, l.reason
      from joined j
      left join latest l on (j.ak is null or j.bk is null) and l.pair_id = j.pair;
end
$$;

revoke all on function clash.known_elements(bigint), clash.forget_sightings()
  from public, anon, authenticated, ifc_worker;
grant execute on function clash.known_elements(bigint), clash.forget_sightings() to service_role;
