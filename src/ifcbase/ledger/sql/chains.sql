-- sets: the clash sets of a project with where they stand
select s.id, s.name as "set", v.number as version, t.result_id, t.finished_at, t.clash_count,
       coalesce(t.new, 0) as new, coalesce(t.persisting, 0) as persisting,
       coalesce(t.reopened, 0) as reopened, coalesce(t.resolved, 0) as resolved,
       coalesce(t.removed, 0) as removed, coalesce(t.untested, 0) as untested,
       (select count(*) from clash.results r where r.set_id = s.id and r.state = 'finished') as results
  from clash.sets s
  join core.projects p on p.id = s.project_id
  left join clash.latest t on t.set_id = s.id
  left join clash.set_versions v on v.id = t.set_version_id
 where p.name = %(project)s and (%(set)s::text is null or s.name = %(set)s)
 order by s.name

-- versions: the versions of a clash set
select v.number, v.definition, v.created_at,
       (select count(*) from clash.results r where r.set_version_id = v.id and r.state = 'finished')
         as results
  from clash.set_versions v where v.set_id = %(set)s order by v.number

-- breakdown: pairs of a clash set by class, storey, discipline or model
select one, other, state, pairs from clash.breakdown(%(set)s, %(key)s)

-- reasons: why pairs of a clash set are untested
select reason, count(*) as pairs from clash.pair_states
 where set_id = %(set)s and state = 'untested' group by reason order by 2 desc, 1

-- pairs: the pairs of a clash set with what the machine knows and what people decided
select t.pair_id, s.name as "set", t.state, t.reason, w.state as review, w.reason as review_reason,
       w.by_rule, w.assigned_to, w.due, w.remeasured, w.difference, k.word as kind, c.distance,
       c.result_id as last_seen, t.one_class, t.other_class, t.one_storey, t.other_storey,
       t.one_model, t.other_model, ea.global_id as one_global_id, eb.global_id as other_global_id,
       na.name as one_name, nb.name as other_name
  from clash.present_pairs(%(set)s) t
  join clash.sets s on s.id = %(set)s
  join clash.pairs p on p.id = t.pair_id
  join core.elements ea on ea.id = p.a_element
  join core.elements eb on eb.id = p.b_element
  join core.review_states(%(set)s) w on w.pair_id = t.pair_id
  left join clash.last_contacts(%(set)s) c on c.pair_id = t.pair_id
  left join clash.kinds k on k.kind = c.kind
  left join lateral (select x.name from core.content x where x.element_id = p.a_element
                      order by x.first_number desc limit 1) na on true
  left join lateral (select x.name from core.content x where x.element_id = p.b_element
                      order by x.first_number desc limit 1) nb on true
 where (%(state)s::text is null or t.state = %(state)s)
   and (%(review)s::text is null or w.state = %(review)s)
   and (%(discipline)s::text is null
        or lower(%(discipline)s) in (lower(t.one_discipline), lower(t.other_discipline)))
   and (%(storey)s::text is null
        or lower(%(storey)s) in (lower(t.one_storey), lower(t.other_storey)))
   and (%(pairs)s::bigint[] is null or t.pair_id = any(%(pairs)s))
   and (%(remeasured)s::boolean is null or w.remeasured = %(remeasured)s)
 order by t.state, c.distance desc nulls last, t.pair_id
 limit %(limit)s

-- set_of_pair: the clash set of a pair of a project, and the pair it is
select p.set_id, coalesce(p.identity_id, p.id) as pair_id
  from clash.pairs p join core.projects j on j.id = p.project_id
 where p.id = %(pair)s and j.name = %(project)s

-- finding: whether a project has a finding
select f.id, f.check_name as "check" from core.findings f join core.projects p on p.id = f.project_id
 where f.id = %(finding)s and p.name = %(project)s

-- history: how the state of a pair changed
select c.result_id, r.finished_at, c.state, c.reason
  from clash.state_changes c join clash.results r on r.id = c.result_id
 where c.pair_id = %(pair)s order by r.accepted

-- sightings: every time a pair was seen
select s.result_id, r.finished_at, k.word as kind, s.distance, r.measure_version
  from clash.pairs p
  join clash.sightings s on s.pair_id = p.id
  join clash.results r on r.id = s.result_id and r.state = 'finished'
  join clash.kinds k on k.kind = s.kind
 where p.id = %(pair)s or p.identity_id = %(pair)s order by r.accepted

-- decisions: what was decided about a pair
select d.created_at, d.action, d.reason, d.comment, d.assigned_to, d.due, d.distance,
       d.decided_by::text as decided_by, d.group_name, u.name as rule
  from core.decisions d
  join clash.pairs p on p.id = d.finding_id
  left join core.decision_rules u on u.id = d.rule_id
 where p.id = %(pair)s order by d.id

-- last_two: the last two results of a clash set, the later one last
select id from (
  select r.id, r.accepted from clash.results r
   where r.set_id = %(set)s and r.state = 'finished' and r.set_version_id is not null
   order by r.accepted desc limit 2) l order by l.accepted

-- result_before: the last result of a clash set that was there so many seconds ago
select clash.result_before(%(set)s, now() - make_interval(secs => %(seconds)s)) as id

-- comparable: whether two results asked and measured alike
select * from clash.comparable(%(a)s, %(b)s)

-- compare: two results pair by pair, with what the elements are
select c.pair_id, c.change, c.a_distance, c.b_distance, c.difference, c.state, c.reason,
       ka.word as a_kind, kb.word as b_kind, ea.global_id as one_global_id,
       eb.global_id as other_global_id
  from clash.compare(%(a)s, %(b)s) c
  join clash.pairs p on p.id = c.pair_id
  join core.elements ea on ea.id = p.a_element
  join core.elements eb on eb.id = p.b_element
  left join clash.kinds ka on ka.kind = c.a_kind
  left join clash.kinds kb on kb.kind = c.b_kind
 order by c.change, abs(c.difference) desc nulls last, c.pair_id

-- trend: how many pairs are in each state after each result
select result_id, finished_at, clash_count, new, persisting, reopened, resolved, removed, untested,
       measure_version, set_version_id
  from clash.trend where set_id = %(set)s order by accepted

-- time_to_close: how long it took until pairs were resolved
select closed, extract(epoch from median)::float8 as median_s,
       extract(epoch from longest)::float8 as longest_s, still_open
  from clash.time_to_close(%(set)s)

-- decide: decides about pairs
select public.decide(%(pairs)s, %(action)s, %(reason)s, %(comment)s, %(assigned_to)s, %(due)s)

-- plan_rule: what a rule would decide
select * from core.plan_rule(%(result)s, %(rule)s)

-- plan_tolerance: what another tolerance would leave
select * from clash.plan_tolerance(%(result)s, %(metres)s)

-- kind: the number of a contact kind
select kind from clash.kinds where word = %(word)s

-- verify: every difference between what is stored and what follows from the sources
select what, pair_id, result_id, stored, derived from clash.verify_chain(%(set)s)

-- sweep: frees the rows that deriving states anew replaced
vacuum (analyze) clash.pair_state_rows, clash.state_changes, clash.state_counts,
  tester.finding_states, tester.state_changes,
  tester.state_counts, diff.finding_states, diff.state_changes
