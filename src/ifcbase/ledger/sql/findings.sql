-- findings: findings of all checks, those that are there longest last
select f.finding_id, f.check_name as "check", f.series, f.title, f.state, f.reason, f.since,
       f.first_seen, f.model, f.discipline, f.other_discipline, f.storey, f.class, f.global_id,
       f.review, f.review_reason, f.assigned_to, f.due
  from core.all_findings f
  join core.projects p on p.id = f.project_id
 where p.name = %(project)s
   and (%(check)s::text is null or f.check_name = %(check)s)
   and (%(discipline)s::text is null
        or lower(%(discipline)s) in (lower(f.discipline), lower(f.other_discipline)))
   and (%(storey)s::text is null or lower(f.storey) = lower(%(storey)s))
   and (%(states)s::text[] is null or f.state = any(%(states)s))
   and (%(review)s::text is null or f.review = %(review)s)
   and (%(assigned)s::text is null or f.assigned_to = %(assigned)s)
 order by f.since desc, f.check_name, f.finding_id
 limit %(limit)s

-- disciplines: the disciplines of a project's models
select distinct m.discipline from core.models m join core.projects p on p.id = m.project_id
 where p.name = %(project)s and m.discipline is not null order by m.discipline

-- open_by_check: undecided findings by check and series, and those nobody could test
select f.check_name as "check", f.series, f.open, f.untested
  from core.open_by_check f
  join core.projects p on p.id = f.project_id
 where p.name = %(project)s order by f.check_name, f.series

-- open_by_discipline: the same by discipline; one between two disciplines counts for each
select f.discipline, f.check_name as "check", f.open, f.untested
  from core.open_by_discipline f
  join core.projects p on p.id = f.project_id
 where p.name = %(project)s order by f.open desc, f.discipline, f.check_name

-- open_by_storey: the same by storey
select f.storey, f.check_name as "check", f.open, f.untested
  from core.open_by_storey f
  join core.projects p on p.id = f.project_id
 where p.name = %(project)s order by f.open desc, f.storey, f.check_name
