-- Sightings of a result come in the order of their key and are never changed: full pages split only
-- where two results of different sets are written at once.

alter index clash.sighting_rows_pkey set (fillfactor = 100);

-- Judging ------------------------------------------------------------------------------------------

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
    -- By its columns: a whole row would be unpacked with the document that somebody may have inserted.
    select seen.id,
           result.measure_version is not null
             and result.measure_version is not distinct from seen.measure_version
             and result.engine -> 'name' is not distinct from seen.engine -> 'name'
             and result.engine -> 'mesher' is not distinct from seen.engine -> 'mesher'
             and result.engine -> 'kernel' is not distinct from seen.engine -> 'kernel' as alike,
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
