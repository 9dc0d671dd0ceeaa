-- results: the latest finished results of a project over all checks but clash, newest first
select r.check_name as "check", r.id, r.name, r.count, r.verdict, r.coverage, r.warnings, r.engine,
       r.output_filename, r.output_sha256, r.job_id::text as job_id, r.accepted, r.created_at,
       r.finished_at,
       coalesce((select jsonb_agg(jsonb_build_object(
                   'file', i.name, 'model', m.name, 'number', v.number) order by i.name)
                   from core.job_inputs i
                   join core.model_versions v on v.id = i.model_version_id
                   join core.models m on m.id = v.model_id
                  where i.job_id = r.job_id), '[]') as models,
       coalesce((select jsonb_agg(jsonb_build_object('name', o.name, 'sha256', o.sha256)
                                  order by o.name)
                   from core.job_outputs o where o.job_id = r.job_id), '[]') as outputs
  from core.all_results r join core.projects p on p.id = r.project_id
 where p.name = %(project)s and r.check_name <> 'clash'
   and (%(check)s::text is null or r.check_name = %(check)s)
   and (%(id)s::bigint is null or r.id = %(id)s)
 order by r.finished_at desc, r.check_name, r.id desc
 limit %(limit)s

-- conversion_document: what a conversion was asked for
select conversion_options as document from public.conversion_results where id = %(id)s

-- tester_document: the report of an IDS check in IfcTester's shape
select test_results as document from public.tester_results where id = %(id)s

-- diff_document: the report of a diff
select diff_data as document from public.diff_results where id = %(id)s
