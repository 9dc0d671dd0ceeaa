-- Delivering and numbering: what a reaper cannot deliver is left to those that can, and an id that
-- somebody chose never takes a sequence back.

create function core.undelivered(older_than_s double precision, checks text[]) returns setof uuid
language sql set search_path = pg_catalog, pg_temp as $$
  with quiet as materialized (
    select w.id, w.check_name = any(checks) as known from core.jobs w
     where w.state = 'queued'
       and w.delivered_at <= clock_timestamp() - make_interval(secs => older_than_s)
     for no key update skip locked
  ), marked as (
    update core.jobs j set delivered_at = clock_timestamp()
      from quiet q where j.id = q.id and q.known
  )
  select q.id from quiet q
$$;
comment on function core.undelivered(double precision, text[]) is
  'Queued jobs nobody has taken for a while: their ids are delivered again (twice does no harm). Only '
  'those of the checks that the caller knows count as delivered now; others are a newer one''s.';
drop function core.undelivered(double precision);
revoke all on function core.undelivered(double precision, text[])
  from public, anon, authenticated, ifc_worker;
grant execute on function core.undelivered(double precision, text[]) to service_role;

create or replace function core.complete_row() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  numbers regclass := pg_get_serial_sequence(format('%I.%I', tg_table_schema, tg_table_name), 'id');
begin
  new.project_id := coalesce(new.project_id, core.default_project());
  new.created_at := coalesce(new.created_at, now());
  -- An id that somebody chose must not be given a second time.
  if new.id > coalesce(pg_sequence_last_value(numbers), 0) then
    -- One of those who choose at a time: what another set meanwhile must not be set back.
    perform pg_advisory_xact_lock(hashtextextended('ifcbase.ids:' || numbers::text, 0));
    if new.id > coalesce(pg_sequence_last_value(numbers), 0) + 1000 then
      perform setval(numbers, new.id);
    else
      -- Those who do not choose take numbers meanwhile: from so near, only steps that cannot go back.
      while new.id > coalesce(pg_sequence_last_value(numbers), 0) loop
        perform nextval(numbers);
      end loop;
    end if;
  end if;
  return new;
end
$$;
