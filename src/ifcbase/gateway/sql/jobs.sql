-- show: one job as its project's readers see it
select j.id::text as id, p.name as project, j.check_name as "check", j.state, j.request, j.progress,
       j.error, j.outcome, j.created_at, j.started_at, j.ended_at, j.request_id, j.submitted_by,
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
                   'number', a.number, 'started_at', a.started_at, 'ended_at', a.ended_at,
                   'outcome', a.outcome, 'error', a.error)
                 order by a.number)
                   from core.attempts a where a.job_id = j.id), '[]') as attempts
  from core.jobs j join core.projects p on p.id = j.project_id
 where j.id = %(job)s::uuid and j.project_id = %(project)s

-- status: what a client that polls wants to know
select j.id::text as id, j.check_name as "check", j.state, j.progress, j.error, j.outcome,
       j.created_at, j.started_at, j.ended_at,
       extract(epoch from coalesce(j.ended_at, clock_timestamp()) - j.started_at)::float8 as seconds
  from core.jobs j where j.id = %(job)s::uuid and j.project_id = %(project)s

-- list: jobs of a project, latest first, that were accepted before one
select j.id::text as id, j.check_name as "check", j.state, j.progress, j.error, j.outcome,
       j.created_at, j.started_at, j.ended_at, j.accepted, j.submitted_by,
       extract(epoch from coalesce(j.ended_at, clock_timestamp()) - j.started_at)::float8 as seconds
  from core.jobs j
 where j.project_id = %(project)s
   and (%(state)s::text is null or j.state = %(state)s)
   and (%(check)s::text is null or j.check_name = %(check)s)
   and (%(before)s::bigint is null or j.accepted < %(before)s)
 order by j.accepted desc limit %(limit)s
