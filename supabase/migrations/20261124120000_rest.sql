-- Saving by REST: each call is a transaction of its own, may be cut off before its answer arrives, and is
-- sent again. A save is a session of an attempt; its chunks of rows are numbered, and each is taken once.
-- What takes long has a time limit of its own, which PostgREST sets before it calls the function, and
-- renews the lease once more at its end: no heartbeat gets through meanwhile.

-- Sessions and chunks ------------------------------------------------------------------------------

create table core.saves (
  attempt_id bigint primary key references core.attempts on delete cascade,
  session uuid not null
);
comment on table core.saves is 'The session in which an attempt saves by REST; gone when it ends.';

create table core.parcels (
  attempt_id bigint not null references core.saves on delete cascade,
  name text not null,
  number int not null check (number >= 0),
  rows jsonb,
  primary key (attempt_id, name, number)
);
comment on table core.parcels is
  'Numbered chunks of a save: those taken (no rows), parts that are to be taken together, pages to be read.';

create function core.forget_save() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  delete from core.saves s where s.attempt_id = new.id;
  return null;
end
$$;
comment on function core.forget_save() is 'An attempt that ended saves no more.';
create trigger forget_save after update of ended_at on core.attempts
  for each row when (new.ended_at is not null) execute function core.forget_save();

create function core.saving(lease_token uuid, session uuid) returns core.attempts
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  attempt core.attempts := core.live_attempt(lease_token);
begin
  if not exists (select from core.saves s
                  where s.attempt_id = attempt.id and s.session = saving.session) then
    perform core.refuse('409', 'conflict', 'this save was begun anew by another');
  end if;
  return attempt;
end
$$;
comment on function core.saving(uuid, uuid) is
  'The attempt of a lease, in its session of saving: a call of an older session arrived too late.';

create function core.is_first(attempt core.attempts, name text, number int) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  insert into core.parcels (attempt_id, name, number) values (attempt.id, is_first.name, is_first.number)
    on conflict do nothing;
  return found;
end
$$;
comment on function core.is_first(core.attempts, text, int) is
  'Notes a chunk as taken; false if it was taken before.';

create function public.begin_save(lease_token uuid, session uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp
set statement_timeout = '15min' as $$
declare
  attempt core.attempts := core.live_attempt(lease_token);
begin
  if exists (select from core.saves s
              where s.attempt_id = attempt.id and s.session = begin_save.session) then
    return;
  end if;
  -- What an earlier session of this attempt did not bring to an end.
  delete from core.saves s where s.attempt_id = attempt.id;
  delete from clash.results r where r.attempt_id = attempt.id and r.state = 'writing';
  delete from conversion.results r where r.attempt_id = attempt.id and r.state = 'writing';
  delete from tester.results r where r.attempt_id = attempt.id and r.state = 'writing';
  delete from diff.results r where r.attempt_id = attempt.id and r.state = 'writing';
  delete from core.incoming_elements i where i.attempt_id = attempt.id;
  insert into core.saves (attempt_id, session) values (attempt.id, begin_save.session);
  perform core.live_attempt(lease_token);
end
$$;
comment on function public.begin_save(uuid, uuid) is
  'Begins a save with nothing half written; a call sent again changes nothing.';

create function public.save_rows(
  lease_token uuid, session uuid, number int, result bigint, kind text, rows jsonb
) returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  attempt core.attempts := core.saving(lease_token, session);
begin
  if core.is_first(attempt, 'rows', number) then
    perform public.append_rows(lease_token, result, kind, rows);
  end if;
end
$$;
comment on function public.save_rows(uuid, uuid, int, bigint, text, jsonb) is
  'append_rows for a numbered chunk: sent again, it is not taken again.';

create function public.save_inventory(
  lease_token uuid, session uuid, number int, model_version bigint, rows jsonb
) returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  attempt core.attempts := core.saving(lease_token, session);
begin
  if core.is_first(attempt, 'rows', number) then
    perform public.append_inventory(lease_token, model_version, rows);
  end if;
end
$$;
comment on function public.save_inventory(uuid, uuid, int, bigint, jsonb) is
  'append_inventory for a numbered chunk.';

-- What has to be taken whole, or given in pages ----------------------------------------------------

create function public.keep_part(lease_token uuid, session uuid, name text, number int, rows jsonb)
returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  attempt core.attempts := core.saving(lease_token, session);
begin
  insert into core.parcels (attempt_id, name, number, rows)
  values (attempt.id, 'part ' || keep_part.name, keep_part.number, keep_part.rows)
  on conflict do nothing;
end
$$;
comment on function public.keep_part(uuid, uuid, text, int, jsonb) is
  'Keeps a part of rows that a later call takes together.';

create function core.kept_parts(attempt core.attempts, name text, parts int) returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  arrived int;
  whole jsonb;
begin
  select count(*) into arrived from core.parcels p
    where p.attempt_id = attempt.id and p.name = 'part ' || kept_parts.name;
  if arrived <> parts then
    perform core.refuse('409', 'conflict', format('%s of %s parts arrived', arrived, parts));
  end if;
  select coalesce(jsonb_agg(e.line order by p.number, e.place), '[]') into whole
    from core.parcels p
    cross join lateral jsonb_array_elements(p.rows) with ordinality e (line, place)
   where p.attempt_id = attempt.id and p.name = 'part ' || kept_parts.name;
  return whole;
end
$$;
comment on function core.kept_parts(core.attempts, text, int) is 'All rows that were kept by a name.';

create function public.save_kept_rows(
  lease_token uuid, session uuid, name text, parts int, result bigint, kind text
) returns void language plpgsql security definer set search_path = pg_catalog, pg_temp
set statement_timeout = '15min' as $$
declare
  attempt core.attempts := core.saving(lease_token, session);
begin
  if core.is_first(attempt, 'kept ' || save_kept_rows.name, 0) then
    perform public.append_rows(lease_token, result, kind,
      core.kept_parts(attempt, save_kept_rows.name, parts));
    delete from core.parcels p
      where p.attempt_id = attempt.id and p.name = 'part ' || save_kept_rows.name;
    perform core.live_attempt(lease_token);
  end if;
end
$$;
comment on function public.save_kept_rows(uuid, uuid, text, int, bigint, text) is
  'append_rows with all rows that were kept by a name.';

create function public.save_links(
  lease_token uuid, session uuid, name text, parts int, model_version bigint, previous bigint
) returns void language plpgsql security definer set search_path = pg_catalog, pg_temp
set statement_timeout = '15min' as $$
declare
  attempt core.attempts := core.saving(lease_token, session);
begin
  if core.is_first(attempt, 'kept ' || save_links.name, 0) then
    perform public.store_links(lease_token, model_version, previous,
      core.kept_parts(attempt, save_links.name, parts));
    delete from core.parcels p
      where p.attempt_id = attempt.id and p.name = 'part ' || save_links.name;
    perform core.live_attempt(lease_token);
  end if;
end
$$;
comment on function public.save_links(uuid, uuid, text, int, bigint, bigint) is
  'store_links with all statements that were kept by a name.';

create function public.keep_unmatched(
  lease_token uuid, session uuid, name text, model_version bigint, page_rows int
) returns int language plpgsql security definer set search_path = pg_catalog, pg_temp
set statement_timeout = '15min' as $$
declare
  attempt core.attempts := core.saving(lease_token, session);
begin
  if core.is_first(attempt, 'kept ' || keep_unmatched.name, 0) then
    insert into core.parcels (attempt_id, name, number, rows)
    select attempt.id, 'page ' || keep_unmatched.name, x.page, jsonb_agg(x.line order by x.place)
      from (select y.place, (y.place - 1) / page_rows as page, y.line
              from (select row_number() over (order by u.element_id, u.earlier) as place,
                           jsonb_build_array(u.element_id, u.earlier, u.global_id, u.n, u.ifc_class,
                             u.px, u.py, u.pz, u.cx, u.cy, u.cz, u.ex, u.ey, u.ez, u.volume, u.area,
                             u.vertices, u.properties, u.content) as line
                      from public.unmatched_content(lease_token, model_version) u) y) x
     group by x.page;
    perform core.live_attempt(lease_token);
  end if;
  return (select count(*) from core.parcels p
           where p.attempt_id = attempt.id and p.name = 'page ' || keep_unmatched.name);
end
$$;
comment on function public.keep_unmatched(uuid, uuid, text, bigint, int) is
  'unmatched_content in pages for kept_page: answers are cut at a thousand rows. Gives their number.';

create function public.keep_moved(
  lease_token uuid, session uuid, name text, earlier boolean, classes text[], page_rows int
) returns int language plpgsql security definer set search_path = pg_catalog, pg_temp
set statement_timeout = '15min' as $$
declare
  attempt core.attempts := core.saving(lease_token, session);
begin
  if core.is_first(attempt, 'kept ' || keep_moved.name, 0) then
    insert into core.parcels (attempt_id, name, number, rows)
    select attempt.id, 'page ' || keep_moved.name, x.page, jsonb_agg(x.line order by x.place)
      from (select y.place, (y.place - 1) / page_rows as page, y.line
              from (select row_number() over (order by u.version, u.element_id) as place,
                           jsonb_build_array(u.version, u.model, u.element_id, u.was_earlier,
                             u.global_id, u.n, u.ifc_class, u.px, u.py, u.pz, u.cx, u.cy, u.cz, u.ex,
                             u.ey, u.ez, u.volume, u.area, u.vertices, u.properties, u.content) as line
                      from public.moved_candidates(lease_token, keep_moved.earlier, classes) u) y) x
     group by x.page;
    perform core.live_attempt(lease_token);
  end if;
  return (select count(*) from core.parcels p
           where p.attempt_id = attempt.id and p.name = 'page ' || keep_moved.name);
end
$$;
comment on function public.keep_moved(uuid, uuid, text, boolean, text[], int) is
  'moved_candidates in pages for kept_page. Gives their number.';

create function public.kept_page(lease_token uuid, session uuid, name text, number int) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  attempt core.attempts := core.saving(lease_token, session);
begin
  return (select p.rows from core.parcels p
           where p.attempt_id = attempt.id and p.name = 'page ' || kept_page.name
             and p.number = kept_page.number);
end
$$;
comment on function public.kept_page(uuid, uuid, text, int) is 'A page of rows, each an array.';

create function public.conclude_inventory(
  lease_token uuid, session uuid, model_version bigint, facts jsonb
) returns int language plpgsql security definer set search_path = pg_catalog, pg_temp
set statement_timeout = '15min' as $$
declare
  stored int;
begin
  perform core.saving(lease_token, session);
  stored := public.finish_inventory(lease_token, model_version, facts);
  perform core.live_attempt(lease_token);
  return stored;
end
$$;
comment on function public.conclude_inventory(uuid, uuid, bigint, jsonb) is
  'finish_inventory with more time than a request has.';

create function public.conclude_result(lease_token uuid, session uuid, result bigint, footer jsonb)
returns bigint language plpgsql security definer set search_path = pg_catalog, pg_temp
set statement_timeout = '15min' as $$
declare
  stored bigint;
begin
  perform core.saving(lease_token, session);
  stored := public.finish_result(lease_token, result, footer);
  perform core.live_attempt(lease_token);
  return stored;
end
$$;
comment on function public.conclude_result(uuid, uuid, bigint, jsonb) is
  'finish_result with more time than a request has; sent again, it gives the same id.';

-- Attempts whose answers get lost ------------------------------------------------------------------

create function public.take_job(
  job uuid, worker text, host text, lease_s double precision, wanted_token uuid
) returns jsonb language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  mine core.attempts;
  taken jsonb;
begin
  select * into mine from core.attempts a
    where a.token = wanted_token and a.job_id = take_job.job for no key update;
  if found then
    if mine.ended_at is not null then
      return null;
    end if;
    -- Taken by the same call, whose answer did not arrive.
    perform core.end_attempt(mine, 'released', null, null);
    perform core.after_attempt(mine.job_id, null, true);
    update core.attempts a set token = gen_random_uuid() where a.id = mine.id;
  end if;
  taken := public.start_attempt(job, worker, host, lease_s);
  if taken is null then
    return null;
  end if;
  update core.attempts a set token = wanted_token where a.id = (taken ->> 'attempt_id')::bigint;
  return jsonb_set(taken, '{token}', to_jsonb(wanted_token));
end
$$;
comment on function public.take_job(uuid, text, text, double precision, uuid) is
  'start_attempt with a token that the caller made up: sent again, it takes the same job.';

create function public.attempt_outcome(lease_token uuid) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(a.outcome, 'open') from core.attempts a where a.token = lease_token
$$;
comment on function public.attempt_outcome(uuid) is
  'How the attempt of a token ended; "open" while it did not, null if there is none.';

-- Results that wait in a spool ---------------------------------------------------------------------

create function public.hold_attempt(lease_token uuid, silence_s double precision, note text)
returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  attempt core.attempts := core.live_attempt(lease_token);
  patience double precision := least(greatest(silence_s, 1), 86400);
begin
  update core.attempts a set lease_s = patience,
    lease_until = clock_timestamp() + make_interval(secs => patience) where a.id = attempt.id;
  update core.jobs j set state = 'computed',
    progress = jsonb_build_object('phase', 'not stored yet', 'fraction', 1, 'note', hold_attempt.note,
                                  'host', attempt.host)
    where j.id = attempt.job_id and j.state in ('running', 'computed');
  perform core.tell(attempt.project_id, 'job', attempt.job_id::text);
end
$$;
comment on function public.hold_attempt(uuid, double precision, text) is
  'The result is computed and waits in the spool of its host: the lease holds while the host is not '
  'silent for so many seconds.';

create function public.claim_attempt(
  lease_token uuid, lease_s double precision, refused boolean default false
) returns jsonb language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  mine core.attempts;
  wanted core.jobs;
begin
  select * into mine from core.attempts a where a.token = lease_token for no key update;
  if not found then
    return jsonb_build_object('state', 'over', 'reason', 'the job is gone');
  end if;
  select * into strict wanted from core.jobs j where j.id = mine.job_id for no key update;
  if mine.outcome = 'finished' then
    return jsonb_build_object('state', 'stored');
  end if;
  if mine.ended_at is not null then
    if exists (select from core.attempts a where a.job_id = wanted.id and a.ended_at is null) then
      return jsonb_build_object('state', 'elsewhere', 'reason', 'another worker computes the job again');
    end if;
    -- Nobody has computed it again: what waits in the spool is what the job asked for.
    if wanted.cancel_requested_at is not null
       or not (wanted.state = 'queued'
               or wanted.state = 'failed'
                  and (claim_attempt.refused or wanted.error ->> 'code' = 'attempts-lost')) then
      return jsonb_build_object('state', 'over', 'reason', format('the job is %s', wanted.state));
    end if;
    update core.attempts a set ended_at = null, outcome = null, error = null where a.id = mine.id;
    update core.jobs j set state = 'computed', error = null, ended_at = null where j.id = wanted.id;
  end if;
  update core.attempts a set lease_s = claim_attempt.lease_s, heartbeat_at = clock_timestamp(),
    lease_until = clock_timestamp() + make_interval(secs => claim_attempt.lease_s)
    where a.id = mine.id;
  return jsonb_build_object('state', 'yours');
end
$$;
comment on function public.claim_attempt(uuid, double precision, boolean) is
  'Whether a result that waited in a spool may be stored now: yours (the lease lives again), stored, '
  'elsewhere (it is being computed again) or over. Refused: also of a job that failed.';

create or replace function core.cancel_job(job uuid) returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  wanted core.jobs;
  attempt core.attempts;
begin
  select * into wanted from core.jobs j where j.id = job;
  if wanted.state = 'computed' then
    -- Attempts before jobs, as whoever stores a result locks them.
    perform 1 from core.attempts a where a.job_id = job and a.ended_at is null for no key update;
  end if;
  select * into wanted from core.jobs j where j.id = job for no key update;
  if not found then
    perform core.refuse('404', 'not-found', 'there is no such job');
  end if;
  if wanted.state = 'queued' then
    update core.jobs j set state = 'cancelled', cancel_requested_at = now(), ended_at = now()
      where j.id = job;
    perform core.tell(wanted.project_id, 'job', job::text);
    return 'cancelled';
  elsif wanted.state = 'running' then
    update core.jobs j set cancel_requested_at = now() where j.id = job;
    return 'cancelling';
  elsif wanted.state = 'computed' then
    -- Its host may be silent for long; what it has in its spool is dropped when it speaks again.
    for attempt in select * from core.attempts a where a.job_id = job and a.ended_at is null loop
      perform core.end_attempt(attempt, 'cancelled', null, null);
    end loop;
    update core.jobs j set state = 'cancelled', cancel_requested_at = now(), progress = null,
      ended_at = clock_timestamp() where j.id = job;
    perform core.tell(wanted.project_id, 'job', job::text);
    return 'cancelled';
  end if;
  perform core.refuse('409', 'conflict', format('the job is %s already', wanted.state));
end
$$;
comment on function core.cancel_job(uuid) is
  'Cancels a job: at once while it waits or its result does, by its next heartbeat while it runs.';

-- Access -------------------------------------------------------------------------------------------

do $$
declare
  item text;
  door regprocedure;
begin
  foreach item in array array['core.saves', 'core.parcels'] loop
    execute format('alter table %s enable row level security', item);
    execute format('revoke all on %s from public, anon, authenticated, ifc_worker', item);
    execute format('grant select, insert, update, delete on %s to service_role', item);
    execute format('create policy service on %s to service_role using (true) with check (true)', item);
  end loop;
  foreach door in array array[
    'core.forget_save()', 'core.saving(uuid, uuid)', 'core.is_first(core.attempts, text, int)',
    'core.kept_parts(core.attempts, text, int)'
  ]::regprocedure[] loop
    execute format('revoke all on function %s from public, anon, authenticated, ifc_worker', door);
    execute format('grant execute on function %s to service_role', door);
  end loop;
  foreach door in array array[
    'public.begin_save(uuid, uuid)',
    'public.save_rows(uuid, uuid, int, bigint, text, jsonb)',
    'public.save_inventory(uuid, uuid, int, bigint, jsonb)',
    'public.keep_part(uuid, uuid, text, int, jsonb)',
    'public.save_kept_rows(uuid, uuid, text, int, bigint, text)',
    'public.save_links(uuid, uuid, text, int, bigint, bigint)',
    'public.keep_unmatched(uuid, uuid, text, bigint, int)',
    'public.keep_moved(uuid, uuid, text, boolean, text[], int)',
    'public.kept_page(uuid, uuid, text, int)',
    'public.conclude_inventory(uuid, uuid, bigint, jsonb)',
    'public.conclude_result(uuid, uuid, bigint, jsonb)',
    'public.take_job(uuid, text, text, double precision, uuid)',
    'public.attempt_outcome(uuid)',
    'public.hold_attempt(uuid, double precision, text)',
    'public.claim_attempt(uuid, double precision, boolean)'
  ]::regprocedure[] loop
    execute format('revoke all on function %s from public, anon, authenticated', door);
    execute format('grant execute on function %s to service_role, ifc_worker', door);
  end loop;
end
$$;

-- A PostgREST that is running learns of the new functions.
notify pgrst, 'reload schema';
