-- A sighting row without gaps: small numbers share one, and no column is null. clash.sightings is a
-- view of the columns as they were; it reads only.

create table clash.sighting_rows (
  result_id bigint not null references clash.results on delete cascade,
  pair_id bigint not null references clash.pairs on delete cascade,
  distance double precision not null,
  p1x double precision not null,
  p1y double precision not null,
  p1z double precision not null,
  p2x double precision not null,
  p2y double precision not null,
  p2z double precision not null,
  smart_group int not null default -1,
  facts int not null,
  -- Neither infinite nor NaN, which Postgres holds to be the greatest number.
  check (greatest(abs(distance), abs(p1x), abs(p1y), abs(p1z), abs(p2x), abs(p2y), abs(p2z)) < 'infinity')
);
comment on table clash.sighting_rows is
  'A pair seen in one result, as it is stored: read clash.sightings. Metres, world coordinates.';
comment on column clash.sighting_rows.smart_group is '-1: in no group.';
comment on column clash.sighting_rows.facts is
  'From the lowest bit: flipped (1 bit), measured (3), kind (4), position of b (12), position of a (11).';

do $$
begin
  if exists (select from clash.sightings s
              where s.a_position not between 0 and 2047 or s.b_position not between 0 and 2047
                 or s.kind not between 0 and 15 or s.measured not between 0 and 7) then
    raise exception 'a sighting has a position, kind or measure that the new table cannot hold';
  end if;
end
$$;
insert into clash.sighting_rows (result_id, pair_id, distance, p1x, p1y, p1z, p2x, p2y, p2z,
                                 smart_group, facts)
select s.result_id, s.pair_id, s.distance, s.p1x, s.p1y, s.p1z, s.p2x, s.p2y, s.p2z,
       coalesce(s.smart_group, -1),
       (s.a_position::int << 20) + (s.b_position::int << 8) + (s.kind << 4) + (s.measured << 1) + s.flipped::int
  from clash.sightings s order by s.result_id, s.pair_id;
drop table clash.sightings;

alter table clash.sighting_rows add primary key (result_id, pair_id);
create index sighting_rows_pair on clash.sighting_rows (pair_id);
-- The columns of the view are known to the planner like columns of a table, as long as these are the
-- very expressions of the view, casts included: else it expects one row where there are thousands.
create statistics clash.sighting_rows_a on ((facts >> 20)::smallint) from clash.sighting_rows;
create statistics clash.sighting_rows_b on (((facts >> 8) & 4095)::smallint) from clash.sighting_rows;
create statistics clash.sighting_rows_kind on (((facts >> 4) & 15)::smallint) from clash.sighting_rows;
analyze clash.sighting_rows;

create view clash.sightings with (security_invoker = true) as
  select result_id, pair_id, distance, p1x, p1y, p1z, p2x, p2y, p2z,
         nullif(smart_group, -1) as smart_group, (facts >> 20)::smallint as a_position,
         ((facts >> 8) & 4095)::smallint as b_position, ((facts >> 4) & 15)::smallint as kind,
         ((facts >> 1) & 7)::smallint as measured, (facts & 1) = 1 as flipped
    from clash.sighting_rows;
comment on view clash.sightings is 'A pair seen in one result. Metres, world coordinates.';
comment on column clash.sightings.distance is 'Depth of penetration; the gap for kind 4 (clearance).';
comment on column clash.sightings.flipped is 'True where side a of the set holds the pair''s b_element.';
comment on column clash.sightings.a_position is 'The row of coverage that side a''s element came from.';

-- Storing ------------------------------------------------------------------------------------------

create or replace function clash.take_sightings(result clash.results) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform core.require_copied('sightings');
  analyze pg_temp.incoming_sightings;
  -- One writer of a chain at a time: each new pair is one finding.
  perform 1 from clash.sets s where s.id = result.set_id for no key update;
  -- A contact that no document could show is left out here: it is missed when the result is finished.
  with placed as materialized (
    select p.id as pair_id, x.*
      from (select least(a.element_id, b.element_id) as a_element,
                   greatest(a.element_id, b.element_id) as b_element,
                   i.distance, i.p1x, i.p1y, i.p1z, i.p2x, i.p2y, i.p2z, i.smart_group,
                   (i.a_position::int << 20) + (i.b_position::int << 8) + (i.kind << 4) + (i.measured << 1)
                     + (a.element_id > b.element_id)::int as facts
              from pg_temp.incoming_sightings i
              join clash.result_elements a on a.result_id = result.id and a.ref = i.a
              join clash.result_elements b on b.result_id = result.id and b.ref = i.b
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

-- Access: rows as sightings had it; the view reads with the rights of the reader.
do $$
declare
  item text;
begin
  foreach item in array array['clash.sighting_rows', 'clash.sightings'] loop
    execute format('revoke all on %s from public, anon, authenticated, ifc_worker', item);
    execute format('grant select on %s to service_role, anon, authenticated', item);
  end loop;
end
$$;
alter table clash.sighting_rows enable row level security;
grant insert, update, delete on clash.sighting_rows to service_role;
create policy service on clash.sighting_rows to service_role using (true) with check (true);
create policy read on clash.sighting_rows for select to anon, authenticated
  using (exists (select from clash.results r where r.id = result_id));
