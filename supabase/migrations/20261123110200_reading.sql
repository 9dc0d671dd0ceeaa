-- Reading at volume: two results of 10 000 sightings each are compared in the order of their keys.

create or replace function clash.compare(a bigint, b bigint)
returns table (pair_id bigint, change text, a_distance double precision, b_distance double precision,
               difference double precision, a_kind smallint, b_kind smallint, state text, reason text)
language sql stable set search_path = pg_catalog, pg_temp as $$
  with merged as materialized (
    -- Few pairs are another one under other ids; only the sightings of such are put together.
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
           y.kind as bk, x.pair is not null as in_a, y.pair is not null as in_b
      from one x full join other y on y.pair = x.pair
    union all
    select m.pair, max(s.distance) filter (where s.result_id = a),
           max(s.distance) filter (where s.result_id = b),
           min(s.kind) filter (where s.result_id = a), min(s.kind) filter (where s.result_id = b),
           bool_or(s.result_id = a), bool_or(s.result_id = b)
      from merged m join clash.sightings s on s.pair_id = m.id and s.result_id in (a, b)
     group by m.pair
  )
  select j.pair, 'persisted', j.ad, j.bd, j.bd - j.ad, j.ak, j.bk, null::text, null::text
    from joined j where j.in_a and j.in_b
  union all
  (select distinct on (j.pair) j.pair, case when j.in_b then 'appeared' else 'gone' end, j.ad, j.bd,
          null, j.ak, j.bk, c.state, c.reason
     from joined j
     left join (clash.state_changes c
                join clash.results r on r.id = c.result_id and r.accepted <= (
                  select h.accepted from clash.results h where h.id = b)) on c.pair_id = j.pair
    where not (j.in_a and j.in_b)
    order by j.pair, r.accepted desc nulls last)
$$;
