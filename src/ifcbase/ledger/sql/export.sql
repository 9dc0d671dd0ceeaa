-- project: what tells a project from one of the same name in another installation
select name, title, created_at from core.projects where name = %(project)s

-- judged: per contact of a clash result its lasting finding, the state the result left and what holds now
select s.pair_id, coalesce(p.identity_id, p.id) as finding_id, t.state, t.reason,
       w.state as review, w.reason as review_reason, w.assigned_to, w.due,
       f.finished_at as first_seen
  from clash.results r
  join clash.sightings s on s.result_id = r.id
  join clash.pairs p on p.id = s.pair_id
  left join clash.state_at(%(result)s) t on t.pair_id = coalesce(p.identity_id, p.id)
  left join core.review_states(r.set_id) w on w.pair_id = coalesce(p.identity_id, p.id)
  left join clash.pair_states n on n.pair_id = coalesce(p.identity_id, p.id)
  left join clash.results f on f.id = n.first_result
 where r.id = %(result)s and r.state = 'finished' and (select clash.require_whole(%(result)s))

-- judged_tester: per finding of a result the lasting one, the state the result left, what holds now
select d.finding_id, x.lasting_id, t.state, t.reason, w.review, w.review_reason, w.assigned_to,
       w.due, w.first_seen
  from tester.results r
  join tester.failures d on d.result_id = r.id
  join lateral (select coalesce(x.identity_id, x.id) as lasting_id from tester.findings x where x.id = d.finding_id) x
    on true
  left join lateral (
    select c.state, c.reason
      from tester.state_changes c join tester.results o on o.id = c.result_id
     where c.finding_id = x.lasting_id and (o.accepted, o.id) <= (r.accepted, r.id)
     order by o.accepted desc, o.id desc limit 1) t on true
  left join core.all_findings w on w.check_name = 'tester' and w.finding_id = x.lasting_id
 where r.id = %(result)s and r.state = 'finished'
   and (select core.require_whole('tester', %(result)s))

-- judged_diff: per finding of a result the lasting one, the state the result left, what holds now
select d.finding_id, x.lasting_id, t.state, t.reason, w.review, w.review_reason, w.assigned_to,
       w.due, w.first_seen
  from diff.results r
  join diff.changes d on d.result_id = r.id
  join lateral (select coalesce(x.identity_id, x.id) as lasting_id from diff.findings x where x.id = d.finding_id) x
    on true
  left join lateral (
    select c.state, c.reason
      from diff.state_changes c join diff.results o on o.id = c.result_id
     where c.finding_id = x.lasting_id and (o.accepted, o.id) <= (r.accepted, r.id)
     order by o.accepted desc, o.id desc limit 1) t on true
  left join core.all_findings w on w.check_name = 'diff' and w.finding_id = x.lasting_id
 where r.id = %(result)s and r.state = 'finished'
   and (select core.require_whole('diff', %(result)s))

-- comments: what was decided and written about findings, oldest first
select coalesce(p.identity_id, t.identity_id, c.identity_id, d.finding_id) as finding_id, d.created_at, d.action, d.reason,
       d.comment, d.assigned_to, d.due, d.decided_by::text as decided_by, u.name as rule
  from core.decisions d
  left join clash.pairs p on p.id = d.finding_id
  left join tester.findings t on t.id = d.finding_id
  left join diff.findings c on c.id = d.finding_id
  left join core.decision_rules u on u.id = d.rule_id
 where d.finding_id in (
         select q.id from clash.pairs q
          where coalesce(q.identity_id, q.id) = any(%(findings)s)
         union all
         select q.id from tester.findings q where q.identity_id = any(%(findings)s)
         union all
         select q.id from diff.findings q where q.identity_id = any(%(findings)s)
         union all
         select unnest(%(findings)s::bigint[]))
 order by d.id
