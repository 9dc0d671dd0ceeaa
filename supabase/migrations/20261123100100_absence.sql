-- Absent pairs that must not be called resolved or removed: those left out as related or because nobody
-- could judge them, those whose GlobalId stands for several elements, those whose element is on its
-- way to another model.

create table clash.pairs_left_out (
  result_id bigint not null references clash.results on delete cascade,
  reason text not null check (reason in ('related', 'undecided')),
  project_id bigint not null references core.projects on delete cascade,
  one bigint[] not null,
  other bigint[] not null,
  primary key (result_id, reason),
  check (cardinality(one) = cardinality(other) and cardinality(one) > 0)
);
comment on table clash.pairs_left_out is
  'The pairs a result met and did not report: because they belong together (related: a host and its '
  'filling, parts of one assembly), or because they could not be judged (undecided); as two lists of '
  'elements side by side. All of them, since a late result may make any of them a pair of the chain; '
  'lists, since a pair then costs 16 bytes.';
alter table clash.results add column undecided int not null default 0;
comment on column clash.results.undecided is
  'Pairs that are not among the clashes and might be: they could not be judged.';
alter table clash.pairs_left_out enable row level security;
revoke all on clash.pairs_left_out from public, anon, authenticated, ifc_worker;
grant select, insert, update, delete on clash.pairs_left_out to service_role;
grant select on clash.pairs_left_out to anon, authenticated;
create policy service on clash.pairs_left_out to service_role using (true) with check (true);
create policy read on clash.pairs_left_out for select to anon, authenticated
  using (exists (select from clash.results r where r.id = result_id));

insert into clash.state_reasons (reason, sentence) values
  ('related', 'the elements belong together by design, and such pairs were left out'),
  ('undecided', 'the pair was looked at, but could not be judged'),
  ('ambiguous id', 'several elements share a GlobalId and changed: nobody can tell which is which');

create function clash.append_pairs_left_out(result clash.results, rows jsonb) returns void
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
            join clash.result_elements a on a.result_id = result.id and a.ref = r.a
            join clash.result_elements b on b.result_id = result.id and b.ref = r.b
          union
          select k.reason, x.one, x.other from clash.pairs_left_out k
           cross join lateral unnest(k.one, k.other) as x (one, other)
           where k.result_id = result.id) p
   group by p.reason
  on conflict (result_id, reason) do update set one = excluded.one, other = excluded.other;
end
$$;
comment on function clash.append_pairs_left_out(clash.results, jsonb) is
  'Adds pairs that were met and not reported, with the reason; sending them twice does no harm.';

create or replace function clash.append_rows(result clash.results, kind text, rows jsonb) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  case kind
    when 'selection' then
      perform clash.append_selection(result, rows);
    when 'coverage' then
      perform clash.append_coverage(result, rows);
    when 'elements' then
      insert into clash.result_elements (result_id, ref, element_id)
      select result.id, r.ref, e.id
        from jsonb_to_recordset(rows) as r (ref int, input text, global_id text, n int)
        join core.job_inputs i on i.job_id = result.job_id and i.name = r.input
        join core.model_versions v on v.id = i.model_version_id
        -- Looked up one by one: elements just stored have no statistics yet to plan a join by.
        cross join lateral (
          select x.id from core.elements x
           where x.model_id = v.model_id and x.global_id = r.global_id and x.n = r.n offset 0) e
      on conflict do nothing;
      perform clash.require_known(result, array(
        select r.ref from jsonb_to_recordset(rows) as r (ref int)));
    when 'left_out' then
      perform clash.require_known(result, array(
        select r.element from jsonb_to_recordset(rows) as r (element int)));
      insert into clash.left_out (result_id, "position", element_id, reason)
      select result.id, r."position", e.element_id, r.reason
        from jsonb_to_recordset(rows) as r ("position" smallint, element int, reason text)
        join clash.result_elements e on e.result_id = result.id and e.ref = r.element
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

create or replace function clash.finish_result(result clash.results, footer jsonb) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  standing bigint;
  arrived int;
  expected int := (footer ->> 'clash_count')::int;
  related int := coalesce((footer ->> 'related_left_out')::int, 0);
  undecided_pairs int := coalesce((footer ->> 'undecided')::int, 0);
  gap smallint;
  lost record;
begin
  -- One finish of a set at a time, so that the chain has one first result.
  perform 1 from clash.sets s where s.id = result.set_id for no key update;
  select r.id into standing from clash.results r
    where r.job_id = result.job_id and r.set_id = result.set_id and r.state = 'finished';
  if found then
    if standing <> result.id then
      delete from clash.results r where r.id = result.id;
    end if;
    return standing;
  end if;
  -- Counted as the document shows them: of a known kind, between sides whose coverage is known.
  select count(*) into arrived from clash.sightings s
    join clash.kinds k on k.kind = s.kind
    join clash.coverage a on a.result_id = s.result_id and a."position" = s.a_position
    join clash.coverage b on b.result_id = s.result_id and b."position" = s.b_position
   where s.result_id = result.id;
  if arrived is distinct from expected then
    perform core.refuse('409', 'conflict',
      format('the result counts %s clashes, %s arrived', expected, arrived));
  end if;
  if not exists (select from clash.coverage c where c.result_id = result.id and c.side = 'a') then
    perform core.refuse('409', 'conflict', 'a result must say what it tested');
  end if;
  select c."position" into gap from clash.coverage c
   where c.result_id = result.id and c.selected - c.tested <> (
     select count(*) from clash.left_out l
      where l.result_id = c.result_id and l."position" = c."position") limit 1;
  if found then
    perform core.refuse('409', 'conflict',
      format('the result does not name every element that coverage %s left out', gap));
  end if;
  select c.reason, c.counted, coalesce(cardinality(k.one), 0) as stored into lost
    from (values ('related', related), ('undecided', undecided_pairs)) c (reason, counted)
    left join clash.pairs_left_out k on k.result_id = result.id and k.reason = c.reason
   where coalesce(cardinality(k.one), 0) <> c.counted limit 1;
  if found then
    perform core.refuse('409', 'conflict',
      format('the result counts %s %s pairs that were left out, %s arrived', lost.counted, lost.reason,
             lost.stored));
  end if;
  update clash.results r set state = 'finished', finished_at = clock_timestamp(),
    clash_count = expected, verdict = footer ->> 'verdict',
    coverage = (footer ->> 'coverage')::double precision,
    related_left_out = related, undecided = undecided_pairs,
    touching = coalesce((footer ->> 'touching')::int, 0),
    warnings = coalesce((select array_agg(w) from jsonb_array_elements_text(footer -> 'warnings') w), '{}'),
    engine = footer -> 'engine', incomplete = footer ->> 'incomplete',
    measure_version = footer -> 'engine' ->> 'measure_version', output_sha256 = footer ->> 'output_sha256'
    where r.id = result.id;
  perform clash.link_chain(result.set_id);
  delete from clash.result_elements e where e.result_id = result.id;
  delete from clash.result_selections x where x.result_id = result.id;
  perform core.tell(result.project_id, 'result', result.id::text);
  return result.id;
end
$$;

-- On the way to another model ----------------------------------------------------------------------

create function core.arrives_later(element bigint, version_number int) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
  -- The statement names the version of arrival, so that what it means does not depend on what
  -- versions come in later.
  select exists (
    select from core.links_on(array[element]) l
      join core.model_versions v on v.id = l.model_version_id
      join core.elements e on e.id = l.to_element and e.model_id = v.model_id
     where l.to_element = element and l.verdict = 'same' and l.method = 'moved'
       and v.number > version_number)
$$;
comment on function core.arrives_later(bigint, int) is
  'Whether an element is one that moved here from another model, in a later version than this number.';

create or replace function clash.element_facts(result bigint, elements bigint[])
returns table (element_id bigint, side text, present boolean, selected boolean, tested boolean,
               doubtful boolean)
language sql stable set search_path = pg_catalog, pg_temp as $$
  -- An element is tested if it, or one it is linked with, is: ids change, the thing lasts.
  with wanted as (
    select distinct unnest(elements) as element_id
  ), members as (
    select w.element_id, w.element_id as member from wanted w
    union
    select mine.element_id, other.element_id
      from wanted w
      join core.identities mine on mine.element_id = w.element_id
      join core.identities other on other.root_id = mine.root_id
  ), run as (
    select c.side, c."position", c.mode, c.selection_id, v.model_id, v.number,
           v.inventoried_at is not null as known,
           v.inventoried_at is not null and v.matched_at is not null as matched
      from clash.coverage c join core.model_versions v on v.id = c.model_version_id
     where c.result_id = result
  )
  select m.element_id, r.side,
         coalesce(bool_or(k.element_id is not null), false),
         coalesce(bool_or(k.element_id is not null and s.chosen), false),
         coalesce(bool_or(k.element_id is not null and s.chosen and lo.element_id is null), false),
         coalesce(bool_or(r.side is not null and k.element_id is null
                          and (not r.matched or core.in_doubt(m.member)
                               or m.member <> m.element_id
                                  and core.arrives_later(m.member, r.number))), false)
    from members m
    join core.elements e on e.id = m.member
    left join run r on r.model_id = e.model_id
    left join core.content k on k.element_id = m.member and r.known and k.first_number <= r.number
     and (k.last_number is null or k.last_number >= r.number)
    left join clash.left_out lo on lo.result_id = result and lo."position" = r."position"
     and lo.element_id = m.member
    left join core.selection_elements x
      on x.selection_id = r.selection_id and x.element_id = m.member
    cross join lateral (
      select case r.mode
               when 'a' then k.physical
               when 'i' then x.element_id is not null
               else k.physical and x.element_id is null
             end as chosen) s
   group by m.element_id, r.side
$$;

-- Several elements of one GlobalId -----------------------------------------------------------------

create function clash.ambiguous_elements(now_result bigint, then_results bigint[], elements bigint[])
returns table (seen bigint, element_id bigint)
language sql stable set search_path = pg_catalog, pg_temp as $$
  -- Elements of one GlobalId are numbered as they stand in the file: where one of them changed, went
  -- or came, the numbers may have changed hands. Where none that stayed has changed, they have not.
  with spans as materialized (
    select c.result_id, v.model_id, max(v.number) as number,
           bool_or(coalesce(v.repeated_ids, 0) > 0) as repeats
      from clash.coverage c join core.model_versions v on v.id = c.model_version_id
     where c.result_id = now_result or c.result_id = any(then_results)
     group by c.result_id, v.model_id
  ), steps as (
    select before.result_id as seen, here.model_id, before.number as then_number,
           here.number as now_number
      from spans here join spans before on before.model_id = here.model_id
       and before.result_id = any(then_results)
     where here.result_id = now_result and here.number <> before.number
       and (here.repeats or before.repeats)
  )
  select distinct t.seen, e.id
    from steps t
    join core.elements e on e.model_id = t.model_id and e.id = any(elements)
    join core.elements twin on twin.model_id = e.model_id and twin.global_id = e.global_id
    left join core.content b on b.element_id = twin.id and b.first_number <= t.then_number
     and (b.last_number is null or b.last_number >= t.then_number)
    left join core.content h on h.element_id = twin.id and h.first_number <= t.now_number
     and (h.last_number is null or h.last_number >= t.now_number)
   group by t.seen, e.id
  having bool_or(twin.n > 0 and (b.element_id is not null or h.element_id is not null))
     and bool_or(b.element_id is not null and h.element_id is not null
                 and (b.fingerprint <> h.fingerprint or b.signature is null))
$$;
comment on function clash.ambiguous_elements(bigint, bigint[], bigint[]) is
  'Which of these elements, by the result that saw them, share their GlobalId with another of their '
  'model while one of that GlobalId looks otherwise now: who is who cannot be told.';

create or replace function clash.judge_absent(result clash.results, pairs bigint[])
returns table (pair_id bigint, state text, reason text)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  self_clash boolean := not exists (
    select from clash.coverage c where c.result_id = result.id and c.side = 'b');
  asked jsonb := (select v.definition from clash.set_versions v where v.id = result.set_version_id);
begin
  return query
  with last_seen as materialized (
    -- Few results stand behind many pairs: each is compared with this one once.
    select seen.id, clash.measured_alike(result, seen) as alike,
           coalesce(clash.looks_for_all(asked, version.definition), false) as comparable
      from clash.results seen
      left join clash.set_versions version on version.id = seen.set_version_id
     where seen.id in (select s.last_seen from clash.pair_states s where s.pair_id = any(pairs))
  ), wanted as materialized (
    select p.id, p.a_element, p.b_element, l.id as seen, l.alike, l.comparable,
           coalesce(ia.root_id, p.a_element) as a_root, coalesce(ib.root_id, p.b_element) as b_root
      from clash.pairs p
      join clash.pair_states s on s.pair_id = p.id
      join last_seen l on l.id = s.last_seen
      left join core.identities ia on ia.element_id = p.a_element
      left join core.identities ib on ib.element_id = p.b_element
     where p.id = any(pairs)
  ), facts as materialized (
    select f.* from clash.element_facts(result.id, array(
      select a_element from wanted union select b_element from wanted)) f
  ), unsure as materialized (
    select u.* from clash.ambiguous_elements(result.id, array(select l.id from last_seen l), array(
      select a_element from wanted union select b_element from wanted)) u
  ), skipped as materialized (
    select least(coalesce(i.root_id, x.one), coalesce(j.root_id, x.other)) as one,
           greatest(coalesce(i.root_id, x.one), coalesce(j.root_id, x.other)) as other,
           min(k.reason) as reason
      from clash.pairs_left_out k
      cross join lateral unnest(k.one, k.other) as x (one, other)
      left join core.identities i on i.element_id = x.one
      left join core.identities j on j.element_id = x.other
     where k.result_id = result.id
     group by 1, 2
  ), sided as (
    select f.element_id, bool_or(f.present) as present,
           bool_or(f.side is null) as away, bool_or(f.doubtful) as doubtful,
           bool_or(f.tested and f.side = 'a') as on_a,
           bool_or(f.tested and (f.side = 'b' or self_clash)) as on_b,
           bool_or(f.selected and f.side = 'a') as chosen_a,
           bool_or(f.selected and (f.side = 'b' or self_clash)) as chosen_b
      from facts f group by f.element_id
  )
  select w.id,
         case
           when gone.either then 'removed'
           when j.reason is null then 'resolved'
           else 'untested'
         end,
         case when not gone.either then j.reason end
    from wanted w
    join sided a on a.element_id = w.a_element
    join sided b on b.element_id = w.b_element
    left join unsure ua on ua.seen = w.seen and ua.element_id = w.a_element
    left join unsure ub on ub.seen = w.seen and ub.element_id = w.b_element
    left join skipped q on q.one = least(w.a_root, w.b_root) and q.other = greatest(w.a_root, w.b_root)
    cross join lateral (select
      not (a.present or a.away or a.doubtful or ua.seen is not null)
      or not (b.present or b.away or b.doubtful or ub.seen is not null) as either) gone
    cross join lateral (select case
      when (a.away and not a.present) or (b.away and not b.present) then 'model not in the run'
      when ua.seen is not null or ub.seen is not null then 'ambiguous id'
      when not a.present or not b.present then 'unlinked'
      when not coalesce((a.chosen_a and b.chosen_b) or (b.chosen_a and a.chosen_b), false)
        then 'no longer selected'
      when not coalesce((a.on_a and b.on_b) or (b.on_a and a.on_b), false) then 'no geometry'
      when q.reason is not null then q.reason
      when not w.comparable then 'definition changed'
      when not w.alike then 'other measure version'
      when result.incomplete is not null then
        case when result.incomplete = 'list cut' then 'list cut' else 'run incomplete' end
    end as reason) j;
end
$$;

create or replace function clash.derive_result(result clash.results) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  drop table if exists pg_temp.judged;
  create temporary table judged on commit drop as
  select v.pair_id,
         case
           when s.pair_id is null then 'new'
           when s.state in ('resolved', 'removed') then 'reopened'
           else 'persisting'
         end as state, null::text as reason
    from (select distinct coalesce(p.identity_id, p.id) as pair_id
            from clash.sightings c join clash.pairs p on p.id = c.pair_id
           where c.result_id = result.id) v
    left join clash.pair_states s on s.pair_id = v.pair_id;
  create unique index on pg_temp.judged (pair_id);
  analyze pg_temp.judged;
  insert into pg_temp.judged (pair_id, state, reason)
  select a.pair_id, a.state, a.reason
    from clash.judge_absent(result, array(
      select s.pair_id from clash.pair_states s
       where s.set_id = result.set_id and s.state <> 'resolved'
         and not exists (select from pg_temp.judged j where j.pair_id = s.pair_id))) a
    join clash.pair_states s on s.pair_id = a.pair_id
   -- What was removed stays so until both elements are there again, for sure.
   where s.state <> 'removed'
      or (a.state <> 'removed'
          and coalesce(a.reason, '') not in ('model not in the run', 'unlinked', 'ambiguous id'));
  analyze pg_temp.judged;

  insert into clash.state_changes (pair_id, result_id, project_id, state, reason)
  select j.pair_id, result.id, result.project_id, j.state, j.reason
    from pg_temp.judged j left join clash.pair_states s on s.pair_id = j.pair_id
   where s.pair_id is null or s.state <> j.state or s.reason is distinct from j.reason;
  insert into clash.pair_states as s (pair_id, project_id, set_id, state, reason, since_result,
                                      first_result, last_seen)
  select j.pair_id, result.project_id, result.set_id, j.state, j.reason, result.id, result.id, result.id
    from pg_temp.judged j
  on conflict (pair_id) do update set
    state = excluded.state, reason = excluded.reason,
    since_result = case when s.state = excluded.state and s.reason is not distinct from excluded.reason
                        then s.since_result else excluded.since_result end,
    last_seen = case when excluded.state in ('new', 'persisting', 'reopened')
                     then excluded.last_seen else s.last_seen end
  where s.state <> excluded.state or s.reason is distinct from excluded.reason
     or excluded.state in ('new', 'persisting', 'reopened');

  insert into clash.state_counts (result_id, state, reason, project_id, pairs, entered)
  select result.id, s.state, coalesce(s.reason, ''), result.project_id, count(*),
         count(*) filter (where s.since_result = result.id)
    from clash.pair_states s where s.set_id = result.set_id
   group by s.state, s.reason;
  drop table pg_temp.judged;
end
$$;

revoke all on function clash.append_pairs_left_out(clash.results, jsonb), core.arrives_later(bigint, int),
  clash.ambiguous_elements(bigint, bigint[], bigint[]) from public, anon, authenticated, ifc_worker;
grant execute on function clash.append_pairs_left_out(clash.results, jsonb), core.arrives_later(bigint, int),
  clash.ambiguous_elements(bigint, bigint[], bigint[]) to service_role;
