-- Comparison and analytics: read from state changes, counts and headers wherever those suffice.

create function clash.compare(a bigint, b bigint)
returns table (pair_id bigint, change text, a_distance double precision, b_distance double precision,
               difference double precision, a_kind smallint, b_kind smallint, state text, reason text)
language sql stable set search_path = pg_catalog, pg_temp as $$
  with one as (
    select coalesce(p.identity_id, p.id) as pair, max(s.distance) as distance, min(s.kind) as kind
      from clash.sightings s join clash.pairs p on p.id = s.pair_id
     where s.result_id = a group by 1
  ), other as (
    select coalesce(p.identity_id, p.id) as pair, max(s.distance) as distance, min(s.kind) as kind
      from clash.sightings s join clash.pairs p on p.id = s.pair_id
     where s.result_id = b group by 1
  ), joined as (
    select coalesce(x.pair, y.pair) as pair, x.distance as ad, y.distance as bd, x.kind as ak,
           y.kind as bk,
           case when x.pair is null then 'appeared' when y.pair is null then 'gone'
                else 'persisted' end as change
      from one x full join other y on y.pair = x.pair
  )
  select j.pair, j.change, j.ad, j.bd, j.bd - j.ad, j.ak, j.bk, c.state, c.reason
    from joined j
    left join lateral (
      select s.state, s.reason from clash.state_changes s
        join clash.results r on r.id = s.result_id
       where s.pair_id = j.pair and j.change <> 'persisted'
         and r.accepted <= (select h.accepted from clash.results h where h.id = b)
       order by r.accepted desc limit 1) c on true
$$;
comment on function clash.compare(bigint, bigint) is
  'Two results of a set, pair by pair: appeared, gone (with its state after b and the reason) or '
  'persisted, with the change of depth in metres.';

create function clash.comparable(a bigint, b bigint)
returns table (same_set boolean, a_version int, b_version int, stricter boolean,
               a_measure text, b_measure text, measured_alike boolean)
language sql stable set search_path = pg_catalog, pg_temp as $$
  select x.set_id = y.set_id, vx.number, vy.number,
         clash.looks_for_all(vy.definition, vx.definition), x.measure_version, y.measure_version,
         clash.measured_alike(x, y)
    from clash.results x
    cross join clash.results y
    left join clash.set_versions vx on vx.id = x.set_version_id
    left join clash.set_versions vy on vy.id = y.set_version_id
   where x.id = a and y.id = b
$$;
comment on function clash.comparable(bigint, bigint) is
  'Whether two results asked and measured alike; stricter: b looks for all that a looked for.';

create function clash.result_before(chain bigint, moment timestamptz) returns bigint
language sql stable set search_path = pg_catalog, pg_temp as $$
  select r.id from clash.results r
   where r.set_id = chain and r.state = 'finished' and r.set_version_id is not null
   order by r.finished_at <= moment desc,
            case when r.finished_at <= moment then -r.accepted else r.accepted end
   limit 1
$$;
comment on function clash.result_before(bigint, timestamptz) is
  'The last result of a chain that was there at a moment; before there was any, its first.';

create view clash.trend with (security_invoker = true) as
  select r.project_id, r.set_id, r.id as result_id, r.accepted, r.finished_at, r.clash_count,
         r.set_version_id, r.measure_version, r.verdict,
         coalesce(c.new, 0) as new, coalesce(c.persisting, 0) as persisting,
         coalesce(c.reopened, 0) as reopened, coalesce(c.resolved, 0) as resolved,
         coalesce(c.removed, 0) as removed, coalesce(c.untested, 0) as untested
    from clash.results r
    left join lateral (
      select sum(s.pairs) filter (where s.state = 'new') as new,
             sum(s.pairs) filter (where s.state = 'persisting') as persisting,
             sum(s.pairs) filter (where s.state = 'reopened') as reopened,
             sum(s.pairs) filter (where s.state = 'resolved') as resolved,
             sum(s.pairs) filter (where s.state = 'removed') as removed,
             sum(s.pairs) filter (where s.state = 'untested') as untested
        from clash.state_counts s where s.result_id = r.id) c on true
   where r.state = 'finished' and r.set_version_id is not null;
comment on view clash.trend is 'After each result: how many pairs of its chain are in each state.';

create view clash.trend_by_day with (security_invoker = true) as
  select distinct on (t.set_id, (t.finished_at at time zone 'UTC')::date)
         (t.finished_at at time zone 'UTC')::date as day, t.*
    from clash.trend t
   order by t.set_id, (t.finished_at at time zone 'UTC')::date, t.accepted desc;
comment on view clash.trend_by_day is 'The last state of each chain on each day (UTC) with a result.';

create view clash.latest with (security_invoker = true) as
  select distinct on (t.set_id) t.* from clash.trend t order by t.set_id, t.accepted desc;
comment on view clash.latest is 'Where each chain stands after its last result.';

create function clash.present_pairs(chain bigint)
returns table (pair_id bigint, state text, reason text, one_class text, other_class text,
               one_storey text, other_storey text, one_discipline text, other_discipline text,
               one_model text, other_model text)
language sql stable set search_path = pg_catalog, pg_temp as $$
  -- As the elements were when the pair was last seen.
  select t.pair_id, t.state, t.reason, x.ifc_class, y.ifc_class, x.storey, y.storey,
         mx.discipline, my.discipline, mx.name, my.name
    from clash.pair_states t
    join clash.pairs p on p.id = t.pair_id
    join core.elements ex on ex.id = p.a_element
    join core.elements ey on ey.id = p.b_element
    join core.models mx on mx.id = ex.model_id
    join core.models my on my.id = ey.model_id
    cross join lateral (
      select max(v.number) filter (where v.model_id = ex.model_id) as nx,
             max(v.number) filter (where v.model_id = ey.model_id) as ny
        from clash.coverage c join core.model_versions v on v.id = c.model_version_id
       where c.result_id = t.last_seen) n
    left join lateral (
      select k.* from core.content k where k.element_id = ex.id
       order by k.first_number <= n.nx desc nulls last,
                case when k.first_number <= n.nx then -k.first_number else k.first_number end limit 1
    ) x on true
    left join lateral (
      select k.* from core.content k where k.element_id = ey.id
       order by k.first_number <= n.ny desc nulls last,
                case when k.first_number <= n.ny then -k.first_number else k.first_number end limit 1
    ) y on true
   where t.set_id = chain
$$;
comment on function clash.present_pairs(bigint) is
  'The pairs of a chain with class, storey, discipline and model of their elements.';

create function clash.breakdown(chain bigint, key text)
returns table (one text, other text, state text, pairs bigint)
language sql stable set search_path = pg_catalog, pg_temp as $$
  select least(k.one, k.other), greatest(k.one, k.other), k.state, count(*)
    from (select p.state,
                 case key when 'class' then p.one_class when 'storey' then p.one_storey
                          when 'discipline' then p.one_discipline when 'model' then p.one_model end as one,
                 case key when 'class' then p.other_class when 'storey' then p.other_storey
                          when 'discipline' then p.other_discipline when 'model' then p.other_model
                          end as other
            from clash.present_pairs(chain) p) k
   group by 1, 2, 3 order by 4 desc, 1, 2, 3
$$;
comment on function clash.breakdown(bigint, text) is
  'How many pairs of a chain are in each state, by class, storey, discipline or model of the two.';

create function clash.time_to_close(chain bigint)
returns table (closed bigint, median interval, longest interval, still_open bigint)
language sql stable set search_path = pg_catalog, pg_temp as $$
  with closings as (
    select h.finished_at - f.finished_at as took
      from clash.state_changes c
      join clash.results h on h.id = c.result_id and h.set_id = chain
      join clash.pair_states t on t.pair_id = c.pair_id
      join clash.results f on f.id = t.first_result
     where c.state = 'resolved' and t.state = 'resolved' and t.since_result = c.result_id
  )
  select count(*), percentile_disc(0.5) within group (order by took), max(took),
         (select count(*) from clash.pair_states t where t.set_id = chain
           and t.state in ('new', 'persisting', 'reopened', 'untested'))
    from closings
$$;
comment on function clash.time_to_close(bigint) is
  'How long it took from a pair''s first sighting to the result that found it resolved.';

create function clash.grouping(result bigint)
returns table (clashes bigint, groups bigint, alone bigint, topics bigint)
language sql stable set search_path = pg_catalog, pg_temp as $$
  select count(*), count(distinct s.smart_group), count(*) filter (where s.smart_group is null),
         count(distinct s.smart_group) + count(*) filter (where s.smart_group is null)
    from clash.sightings s where s.result_id = result
$$;
comment on function clash.grouping(bigint) is
  'Reduction by groups: how many topics are left of how many clashes.';

-- Access: as for the other tables.
do $$
declare
  item text;
begin
  foreach item in array array['clash.trend', 'clash.trend_by_day', 'clash.latest'] loop
    execute format('revoke all on %s from public, anon, authenticated', item);
    execute format('grant select on %s to service_role', item);
  end loop;
  revoke all on all functions in schema clash from public, anon, authenticated;
  grant execute on all functions in schema clash to service_role;
end
$$;
