-- show: one finding of any check
select f.finding_id, f.check_name as "check", f.series, f.title, f.state, f.reason, f.since,
       f.first_seen, f.model, f.discipline, f.other_discipline, f.storey, f.class, f.global_id,
       f.review, f.review_reason, f.assigned_to, f.due
  from core.all_findings f
 where f.project_id = %(project)s and f.finding_id = %(finding)s

-- lock: who decides about a finding waits for who is just deciding about it
select pg_advisory_xact_lock(hashtextextended('finding', f)) from unnest(%(findings)s::bigint[]) f
 order by f
