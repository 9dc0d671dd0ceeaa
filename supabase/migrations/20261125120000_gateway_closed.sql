-- What was left of the gateway: answers to repeated requests belong to who asked, links end with who
-- made them, the audit is written only by who may do what it says, and the id of a request reaches the
-- worker and the result.

-- The same request again ---------------------------------------------------------------------------

alter table core.answers add column caller text;
-- Who asked is not known of those that are there, and they would be forgotten within a day.
delete from core.answers;
alter table core.answers alter column caller set not null, alter column caller set default core.caller(),
  drop constraint answers_pkey, add primary key (project_id, caller, key);
comment on column core.answers.caller is 'Who asked: nobody meets the keys of others.';

create or replace function core.answered(project bigint, key text, fingerprint text)
returns table (status int, body jsonb)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  known core.answers;
begin
  perform core.require(project, 'read');
  -- Who comes second waits for the first, and then finds its answer.
  perform pg_advisory_xact_lock(hashtextextended(
    'answer:' || project || ':' || core.caller() || ':' || answered.key, 0));
  select * into known from core.answers a
   where a.project_id = project and a.caller = core.caller() and a.key = answered.key;
  if not found then
    return;
  elsif known.fingerprint <> answered.fingerprint then
    perform core.refuse('422', 'idempotency-key-reused',
      'this idempotency key was used for another request', 'Use a new key for a new request.');
  end if;
  return query select known.status, known.body;
end
$$;

create or replace function core.accept_job(
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
        perform core.refuse('422', 'idempotency-key-reused',
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

-- Who did what -------------------------------------------------------------------------------------

create or replace function core.note(project bigint, action text, object text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  -- Nobody notes what he may not do: a reader could write a history of his own.
  perform core.require(project, case
    when note.action = 'make download link' then 'read'
    when note.action like 'submit %' or note.action in ('cancel job', 'requeue job', 'upload file',
      'add model version', 'begin upload', 'give up upload') then 'write'
    when note.action like 'decide %' or note.action in ('add rule', 'switch rule') then 'decide'
    else 'admin' end);
  insert into core.audit (project_id, request_id, caller, action, object)
  values (project, core.request_id(), core.caller(), note.action, note.object);
end
$$;

-- Links --------------------------------------------------------------------------------------------

create or replace function core.download(hash text)
returns table (project text, sha256 text, name text, size bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select p.name, d.sha256, d.name, f.size
    from core.download_links d
    join core.projects p on p.id = d.project_id
    join core.files f on f.project_id = d.project_id and f.sha256 = d.sha256
   where d.hash = download.hash and d.expires_at > clock_timestamp()
     -- A link holds no longer than the rights of who made it.
     and case when d.made_by like 'key:%' then
           exists (select from core.api_keys k
                    where k.prefix = substr(d.made_by, 5) and k.project_id = d.project_id
                      and k.revoked_at is null
                      and (k.expires_at is null or k.expires_at > clock_timestamp()))
         when d.made_by like 'user:%' then
           p.public or exists (select from core.members m
                                where m.project_id = d.project_id
                                  and m.user_id::text = substr(d.made_by, 6))
         else true end
$$;
comment on function core.download(text) is
  'The file a link leads to, while it holds and who made it may read the project.';

-- Request ids --------------------------------------------------------------------------------------

create or replace function public.start_attempt(job uuid, worker text, host text, lease_s double precision)
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
    'check', wanted.check_name, 'request', wanted.request, 'request_id', wanted.request_id,
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

create function core.note_request() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  new.request_id := coalesce((select j.request_id from core.jobs j where j.id = new.job_id),
                             new.request_id, core.request_id());
  return new;
end
$$;
comment on function core.note_request() is 'Notes with a result which request asked for it.';

do $$
declare
  room text;
begin
  foreach room in array array['clash', 'conversion', 'tester', 'diff'] loop
    execute format('alter table %I.results add column request_id text', room);
    execute format('comment on column %I.results.request_id is %L', room,
      'The HTTP request that asked for it; also in the logs of gateway and worker.');
    execute format('create trigger note_request before insert on %I.results
      for each row execute function core.note_request()', room);
  end loop;
end
$$;

revoke all on function core.note_request() from public, anon, authenticated, ifc_worker;
grant execute on function core.note_request() to service_role;
