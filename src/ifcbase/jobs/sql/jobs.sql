-- project: the id of a project
select id from core.projects where name = %(name)s

-- add_file: notes a file of a project
select core.give_file(%(project)s, %(sha256)s, %(size)s, %(name)s)

-- add_model_version: the version of a model that a file is
select model_version_id, model_id, number, is_new
  from core.give_version(%(project)s, %(model)s, %(sha256)s, %(name)s)

-- known_version: the latest version of a model that has these bytes
select model_version_id, number from core.given_version(%(project)s, %(model)s, %(sha256)s)

-- accept: writes the job row; the same idempotency key gives the same job
select job_id::text, is_new
  from core.submit_job(%(project)s, %(check)s, %(request)s, %(inputs)s, %(timeout_s)s, %(memory_mb)s,
                       %(attempts)s, %(key)s)

-- versions: the models a job reads, by the names its request uses
select i.name, m.name as model, v.number
  from core.job_inputs i
  join core.model_versions v on v.id = i.model_version_id
  join core.models m on m.id = v.model_id
 where i.job_id = %(job)s::uuid

-- cancel: cancels a job
select core.stop_job(%(job)s)

-- requeue: lets a failed or cancelled job try again
select core.retry_job(%(job)s)

-- check_of: the check a job asks for
select check_name from core.jobs where id = %(job)s

-- reap: takes lapsed leases away; which jobs wait again
select job_id::text from core.reap() where state = 'queued'

-- undelivered: queued jobs that nobody has taken for a while
select core.undelivered(%(older_than_s)s)::text

-- show: one job with all that is known of it
select j.id::text as id, p.name as project, j.check_name as "check", j.state, j.request, j.progress,
       j.error, j.outcome, j.created_at, j.started_at, j.ended_at,
       j.cancel_requested_at is not null as cancel_requested,
       extract(epoch from coalesce(j.ended_at, clock_timestamp()) - j.started_at)::float8 as seconds,
       coalesce((select jsonb_agg(jsonb_build_object(
                   'name', i.name, 'sha256', i.sha256, 'model', m.name, 'number', v.number)
                 order by i.name)
                   from core.job_inputs i
                   left join core.model_versions v on v.id = i.model_version_id
                   left join core.models m on m.id = v.model_id
                  where i.job_id = j.id), '[]') as inputs,
       coalesce((select jsonb_agg(jsonb_build_object('name', o.name, 'sha256', o.sha256)
                 order by o.name)
                   from core.job_outputs o where o.job_id = j.id), '[]') as outputs,
       coalesce((select jsonb_agg(jsonb_build_object(
                   'number', a.number, 'worker', a.worker, 'host', a.host, 'started_at', a.started_at,
                   'ended_at', a.ended_at, 'outcome', a.outcome, 'error', a.error, 'facts', a.facts)
                 order by a.number)
                   from core.attempts a where a.job_id = j.id), '[]') as attempts
  from core.jobs j join core.projects p on p.id = j.project_id
 where j.id = %(job)s::uuid

-- list: the latest jobs of a project
select j.id::text as id, j.check_name as "check", j.state, j.progress, j.error, j.outcome,
       j.created_at, j.started_at, j.ended_at,
       extract(epoch from coalesce(j.ended_at, clock_timestamp()) - j.started_at)::float8 as seconds,
       (select count(*) from core.attempts a where a.job_id = j.id) as attempts,
       (select coalesce(jsonb_agg(s ->> 'name'), '[]') from jsonb_array_elements(
          case jsonb_typeof(j.request -> 'clash_sets') when 'array' then j.request -> 'clash_sets'
               else '[]' end) s) as sets,
       (select coalesce(jsonb_agg(coalesce(m.name, i.name) order by i.name), '[]')
          from core.job_inputs i
          left join core.model_versions v on v.id = i.model_version_id
          left join core.models m on m.id = v.model_id
         where i.job_id = j.id) as inputs
  from core.jobs j join core.projects p on p.id = j.project_id
 where p.name = %(project)s and (%(state)s::text is null or j.state = %(state)s)
 order by j.accepted desc
 limit %(limit)s

-- matching: ids that begin like this
select j.id::text from core.jobs j where j.id::text like %(prefix)s || '%%' limit 2
