-- series: the IDS files of a result, each with the states of its findings after it
select t.series_id, t.ids, t.model, t.new, t.persisting, t.reopened, t.resolved, t.removed,
       t.untested, p.rate, p.checks, p.checks_passed
  from tester.trend t
  join tester.pass_rate p on p.series_id = t.series_id and p.result_id = t.result_id
 where t.result_id = %(id)s order by t.ids

-- specifications: what a result says of each specification
select s."position" as number, s.name, s.identifier, s.usage, s.verdict, s.applicable, s.failed,
       s.unjudged, s.version_matches, s.ifc_versions, s.applicability,
       (select jsonb_agg(jsonb_build_object(
                 'facet', q.facet, 'description', q.description, 'cardinality', q.cardinality,
                 'evaluated', q.evaluated, 'failed', q.failed, 'unjudged', q.unjudged)
               order by q."position")
          from tester.requirement_results q
         where q.result_id = s.result_id and q.specification_id = s.specification_id) as requirements
  from tester.specification_results s where s.result_id = %(id)s order by s."position"

-- failures: the elements that failed in a result, with what became of the finding since
select f.finding_id, s."position" as specification_number, s.name as specification, s.usage,
       q.facet, q.description as requirement, f.reason,
       e.global_id, coalesce(c.ifc_class, g.ifc_class) as class, coalesce(c.name, g.name) as name,
       c.storey, t.state, t.reason as state_reason
  from tester.failures f
  join tester.findings x on x.id = f.finding_id
  join tester.requirement_results q on q.result_id = f.result_id and q.requirement_id = x.requirement_id
  join tester.specification_results s
    on s.result_id = f.result_id and s.specification_id = q.specification_id
  join tester.runs u on u.result_id = f.result_id and u.series_id = s.series_id
  join core.model_versions v on v.id = u.model_version_id
  left join tester.finding_states t on t.finding_id = coalesce(x.identity_id, x.id)
  left join core.elements e on e.id = x.element_id
  left join tester.things g on g.element_id = e.id
  left join core.content c on c.element_id = e.id and c.first_number <= v.number
   and (c.last_number is null or c.last_number >= v.number)
 where f.result_id = %(id)s and (select core.require_whole('tester', %(id)s))
 order by s."position", q."position", e.global_id, e.n
 limit %(limit)s

-- left_out: the elements that could not be judged
select s."position" as specification_number, s.name as specification,
       q.description as requirement, e.global_id, l.reason
  from tester.left_out l
  join tester.specification_results s
    on s.result_id = l.result_id and s.specification_id = l.specification_id
  left join tester.requirement_results q
    on q.result_id = l.result_id and q.requirement_id = l.requirement_id
  join core.elements e on e.id = l.element_id
 where l.result_id = %(id)s order by s."position", q."position", e.global_id limit %(limit)s

-- all_series: the series of a project
select s.id, s.name as ids, m.name as model
  from tester.series s
  join core.models m on m.id = s.model_id
  join core.projects p on p.id = s.project_id
 where p.name = %(project)s order by s.name, m.name

-- verify: every difference between what is stored and what follows from the sources
select what, finding_id, result_id, stored, derived from tester.verify_series(%(series)s)
