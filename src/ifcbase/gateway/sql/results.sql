-- page: headers of finished results of all checks, latest first
select r.check_name as "check", r.id, r.name, r.count, r.verdict, r.coverage, r.warnings, r.engine,
       r.output_filename, r.output_sha256, r.job_id::text as job_id, r.created_at, r.finished_at
  from core.all_results r
 where r.project_id = %(project)s
   and (%(check)s::text is null or r.check_name = %(check)s)
   and (%(set)s::text is null or r.check_name = 'clash' and r.name = %(set)s)
 order by coalesce(r.finished_at, r.created_at) desc, r.check_name, r.id desc
 limit %(limit)s offset %(start)s
