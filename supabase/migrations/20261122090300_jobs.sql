-- Jobs: accepting, leases, handing back, reaping. Every error has an SQLSTATE PTnnn, which PostgREST
-- turns into that HTTP status, and its code (as in ifcbase/errors.py) in the detail.

create function core.refuse(status text, code text, message text, hint text default null)
returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception using errcode = 'PT' || status, message = message, detail = code,
    hint = coalesce(hint, '');
end
$$;
comment on function core.refuse(text, text, text, text) is 'Raises an error that every door understands.';

create function core.tell(project bigint, topic text, subject text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_notify('ifcbase',
    jsonb_build_object('project', project, 'topic', topic, 'id', subject)::text);
end
$$;
comment on function core.tell(bigint, text, text) is 'Tells listeners that something changed; ids only.';

-- Files and model versions -------------------------------------------------------------------------

create function core.add_file(project bigint, sha256 text, size bigint, name text) returns void
language sql set search_path = pg_catalog, pg_temp as $$
  insert into core.files (project_id, sha256, size, name)
  values (project, sha256, size, name)
  on conflict (project_id, sha256) do nothing
$$;
comment on function core.add_file(bigint, text, bigint, text) is
  'Notes a file of a project; the same bytes twice are one file.';

create function core.add_model_version(project bigint, model_name text, file_hash text, file_name text)
returns table (model_version_id bigint, model_id bigint, number int, is_new boolean)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  model core.models;
  latest core.model_versions;
begin
  insert into core.models (project_id, name) values (project, model_name)
    on conflict (project_id, name) do nothing;
  select * into strict model from core.models m
    where m.project_id = project and m.name = model_name for no key update;
  select * into latest from core.model_versions v
    where v.model_id = model.id order by v.number desc limit 1;
  if latest.sha256 = file_hash then
    return query select latest.id, model.id, latest.number, false;
    return;
  end if;
  return query
    insert into core.model_versions as v (project_id, model_id, number, sha256, file_name)
    values (project, model.id, coalesce(latest.number, 0) + 1, file_hash, add_model_version.file_name)
    returning v.id, v.model_id, v.number, true;
end
$$;
comment on function core.add_model_version(bigint, text, text, text) is
  'The version of a model that a file is: its latest where that has the same bytes, else the next.';

-- Accepting ----------------------------------------------------------------------------------------

create function core.accept_job(
  project bigint, check_name text, request jsonb, inputs jsonb,
  timeout_s double precision, memory_mb int, attempts_allowed int, idempotency_key text default null
) returns table (job_id uuid, is_new boolean)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  known core.jobs;
  made uuid;
begin
  if accept_job.idempotency_key is not null then
    perform pg_advisory_xact_lock(hashtext(project || ':' || accept_job.idempotency_key));
    select * into known from core.jobs j
      where j.project_id = project and j.idempotency_key = accept_job.idempotency_key;
    if found then
      if known.check_name <> accept_job.check_name or known.request <> accept_job.request
         or (select jsonb_object_agg(i.name, i.sha256) from core.job_inputs i where i.job_id = known.id)
            is distinct from
            (select jsonb_object_agg(i ->> 'name', i ->> 'sha256') from jsonb_array_elements(inputs) i)
      then
        perform core.refuse('409', 'conflict',
          'this idempotency key was used for another request',
          'Use a new key for a new request.');
      end if;
      return query select known.id, false;
      return;
    end if;
  end if;
  insert into core.jobs (project_id, check_name, request, timeout_s, memory_mb, attempts_allowed,
                         idempotency_key)
  values (project, accept_job.check_name, accept_job.request, accept_job.timeout_s,
          accept_job.memory_mb, accept_job.attempts_allowed, accept_job.idempotency_key)
  returning id into made;
  insert into core.job_inputs (job_id, name, project_id, sha256, model_version_id)
  select made, i.name, project, i.sha256, i.model_version_id
    from jsonb_to_recordset(inputs) as i (name text, sha256 text, model_version_id bigint);
  perform core.tell(project, 'job', made::text);
  return query select made, true;
end
$$;
comment on function core.accept_job(bigint, text, jsonb, jsonb, double precision, int, int, text) is
  'Writes the job row. The queue engine''s entry belongs in the same transaction.';

-- Leases -------------------------------------------------------------------------------------------

create function core.live_attempt(lease_token uuid) returns core.attempts
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  attempt core.attempts;
begin
  -- Renewed and so locked: the reaper passes by attempts that are just writing. A transaction that
  -- has renewed a lease keeps it to its end, however long a statement takes: nobody else can have
  -- taken it.
  update core.attempts a set heartbeat_at = clock_timestamp(),
    lease_until = clock_timestamp() + make_interval(secs => a.lease_s)
    where a.token = lease_token and a.ended_at is null
      and (a.lease_until > clock_timestamp() or a.xmin = pg_current_xact_id_if_assigned()::xid)
    returning a.* into attempt;
  if not found then
    perform core.refuse('409', 'lease-lost', 'the lease of this attempt has ended');
  end if;
  return attempt;
end
$$;
comment on function core.live_attempt(uuid) is
  'The attempt that a token stands for, renewed and locked; refuses a lapsed or ended one (the fence).';

create function public.start_attempt(job uuid, worker text, host text, lease_s double precision)
returns jsonb language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  wanted core.jobs;
  attempt core.attempts;
begin
  select * into wanted from core.jobs j where j.id = job for no key update;
  if not found or wanted.state <> 'queued' then
    return null;
  end if;
  insert into core.attempts (project_id, job_id, number, worker, host, lease_s, lease_until)
  values (wanted.project_id, wanted.id,
          (select coalesce(max(a.number), 0) + 1 from core.attempts a where a.job_id = wanted.id),
          start_attempt.worker, start_attempt.host, start_attempt.lease_s,
          clock_timestamp() + make_interval(secs => start_attempt.lease_s))
  returning * into attempt;
  update core.jobs j set state = 'running', started_at = coalesce(j.started_at, now()),
    progress = null, error = null where j.id = wanted.id;
  perform core.tell(wanted.project_id, 'job', wanted.id::text);
  return jsonb_build_object(
    'token', attempt.token, 'attempt_id', attempt.id, 'number', attempt.number,
    'job_id', wanted.id, 'project_id', wanted.project_id,
    'project', (select p.name from core.projects p where p.id = wanted.project_id),
    'check', wanted.check_name, 'request', wanted.request,
    'timeout_s', wanted.timeout_s, 'memory_mb', wanted.memory_mb,
    'inputs', coalesce((
      select jsonb_agg(jsonb_build_object(
               'name', i.name, 'sha256', i.sha256, 'size', f.size,
               'model_version_id', i.model_version_id, 'model', m.name,
               'number', v.number, 'inventoried', v.inventoried_at is not null) order by i.name)
        from core.job_inputs i
        join core.files f on f.project_id = i.project_id and f.sha256 = i.sha256
        left join core.model_versions v on v.id = i.model_version_id
        left join core.models m on m.id = v.model_id
       where i.job_id = wanted.id), '[]'));
end
$$;
comment on function public.start_attempt(uuid, text, text, double precision) is
  'Takes a queued job: its lease token, request and inputs; null if there is nothing to take.';

create function public.heartbeat(lease_token uuid, progress jsonb default null)
returns jsonb language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  attempt core.attempts := core.live_attempt(lease_token);
  cancelled boolean;
begin
  if heartbeat.progress is not null then
    update core.jobs j set progress = heartbeat.progress
      where j.id = attempt.job_id and j.progress is distinct from heartbeat.progress;
    if found then
      perform core.tell(attempt.project_id, 'progress', attempt.job_id::text);
    end if;
  end if;
  select j.cancel_requested_at is not null into cancelled from core.jobs j where j.id = attempt.job_id;
  return jsonb_build_object('cancel', cancelled);
end
$$;
comment on function public.heartbeat(uuid, jsonb) is
  'Renews a lease, notes the progress, and says whether the job is to be cancelled.';

create function core.end_attempt(attempt core.attempts, outcome text, error jsonb, facts jsonb)
returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  update core.attempts a set ended_at = clock_timestamp(), outcome = end_attempt.outcome,
    error = end_attempt.error, facts = end_attempt.facts where a.id = attempt.id;
  -- What a losing attempt had begun to write goes.
  if end_attempt.outcome <> 'finished' then
    delete from clash.results r where r.attempt_id = attempt.id and r.state = 'writing';
    delete from conversion.results r where r.attempt_id = attempt.id and r.state = 'writing';
    delete from tester.results r where r.attempt_id = attempt.id and r.state = 'writing';
    delete from diff.results r where r.attempt_id = attempt.id and r.state = 'writing';
  end if;
  delete from core.incoming_elements i where i.attempt_id = attempt.id;
end
$$;
comment on function core.end_attempt(core.attempts, text, jsonb, jsonb) is
  'Ends an attempt and sweeps what it left unfinished.';

create function core.after_attempt(job uuid, error jsonb, may_retry boolean) returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  wanted core.jobs;
  used int;
  next_state text;
begin
  select * into strict wanted from core.jobs j where j.id = job for no key update;
  select count(*) into used from core.attempts a
    where a.job_id = job and a.outcome is distinct from 'released';
  next_state := case
    when wanted.cancel_requested_at is not null then 'cancelled'
    when may_retry and used - wanted.attempts_before < wanted.attempts_allowed then 'queued'
    else 'failed' end;
  update core.jobs j set state = next_state, progress = null,
    error = case when next_state = 'queued' then null else after_attempt.error end,
    ended_at = case when next_state = 'queued' then null else clock_timestamp() end,
    delivered_at = case when next_state = 'queued' then clock_timestamp() else j.delivered_at end
    where j.id = job;
  perform core.tell(wanted.project_id, 'job', job::text);
  return next_state;
end
$$;
comment on function core.after_attempt(uuid, jsonb, boolean) is
  'What becomes of a job whose attempt ended without a result: queued again, failed or cancelled.';

create function public.fail_attempt(
  lease_token uuid, outcome text, error jsonb, may_retry boolean, facts jsonb default null
) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  attempt core.attempts := core.live_attempt(lease_token);
begin
  if fail_attempt.outcome not in ('failed', 'cancelled', 'released') then
    perform core.refuse('422', 'request-invalid', 'an attempt fails, is cancelled or is released');
  end if;
  perform core.end_attempt(attempt, fail_attempt.outcome, fail_attempt.error, fail_attempt.facts);
  return core.after_attempt(attempt.job_id, fail_attempt.error,
    fail_attempt.may_retry or fail_attempt.outcome = 'released');
end
$$;
comment on function public.fail_attempt(uuid, text, jsonb, boolean, jsonb) is
  'Ends an attempt without a result and says what its job is now (queued: deliver its id again).';

create function public.finish_job(lease_token uuid, outcome jsonb, facts jsonb default null)
returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  attempt core.attempts := core.live_attempt(lease_token);
begin
  if exists (select from clash.results r where r.attempt_id = attempt.id and r.state = 'writing') then
    perform core.refuse('409', 'conflict', 'a result of this job is still being written');
  end if;
  perform core.end_attempt(attempt, 'finished', null, finish_job.facts);
  update core.jobs j set state = 'finished', outcome = finish_job.outcome, error = null,
    progress = null, ended_at = clock_timestamp() where j.id = attempt.job_id;
  perform core.tell(attempt.project_id, 'job', attempt.job_id::text);
end
$$;
comment on function public.finish_job(uuid, jsonb, jsonb) is
  'Ends a job whose results are stored.';

create function core.reap() returns table (job_id uuid, state text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  attempt core.attempts;
  lost jsonb;
begin
  for attempt in
    select * from core.attempts a
     where a.ended_at is null and a.lease_until <= clock_timestamp()
     order by a.id for no key update skip locked
  loop
    lost := jsonb_build_object(
      'code', 'attempts-lost', 'title', 'The workers that ran this job died or fell silent',
      'message', format('attempt %s on %s (%s) fell silent', attempt.number, attempt.worker, attempt.host),
      'hint', 'Look at the attempts of the job and at the workers'' logs.', 'retryable', true);
    perform core.end_attempt(attempt, 'lost', lost, null);
    return query select attempt.job_id, core.after_attempt(attempt.job_id, lost, true);
  end loop;
end
$$;
comment on function core.reap() is
  'Takes lapsed leases away: their jobs are queued again, or failed after the allowed attempts.';

create function core.undelivered(older_than_s double precision) returns setof uuid
language sql set search_path = pg_catalog, pg_temp as $$
  update core.jobs j set delivered_at = clock_timestamp()
   where j.id in (
     select w.id from core.jobs w
      where w.state = 'queued'
        and w.delivered_at <= clock_timestamp() - make_interval(secs => older_than_s)
      for no key update skip locked)
  returning j.id
$$;
comment on function core.undelivered(double precision) is
  'Queued jobs nobody has taken for a while: their ids are delivered again (twice does no harm).';

create function core.cancel_job(job uuid) returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  wanted core.jobs;
begin
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
  end if;
  perform core.refuse('409', 'conflict', format('the job is %s already', wanted.state));
end
$$;
comment on function core.cancel_job(uuid) is
  'Cancels a job: at once while it waits, by its next heartbeat while it runs.';

create function core.requeue_job(job uuid) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  wanted core.jobs;
begin
  select * into wanted from core.jobs j where j.id = job for no key update;
  if not found then
    perform core.refuse('404', 'not-found', 'there is no such job');
  elsif wanted.state not in ('failed', 'cancelled') then
    perform core.refuse('409', 'conflict', format('only failed and cancelled jobs are requeued; this one is %s', wanted.state));
  end if;
  update core.jobs j set state = 'queued', error = null, ended_at = null, cancel_requested_at = null,
    delivered_at = clock_timestamp(),
    attempts_before = (
      select count(*) from core.attempts a where a.job_id = job and a.outcome <> 'released')
    where j.id = job;
  perform core.tell(wanted.project_id, 'job', job::text);
end
$$;
comment on function core.requeue_job(uuid) is
  'Lets a failed or cancelled job try again, with as many attempts as at first.';
