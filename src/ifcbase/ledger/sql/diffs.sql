-- changes: the changes of a diff result, those of whole elements first
select e.global_id || case when e.n > 0 then '#' || (e.n + 1) else '' end as global_id,
       k.ifc_class as "class", k.name, k.storey, f.facet, c.before, c.after, f.id as finding_id
  from diff.changes c
  join diff.results r on r.id = c.result_id
  join diff.findings f on f.id = c.finding_id
  join core.elements e on e.id = c.element_id
  join core.model_versions v
    on v.id = case when f.facet = 'deleted' then r.old_version_id else r.new_version_id end
  left join lateral (
    select k.ifc_class, k.name, k.storey from core.content k
     where k.element_id = e.id and k.first_number <= v.number
     order by k.first_number desc limit 1) k on true
 where c.result_id = %(id)s and (select core.require_whole('diff', %(id)s))
 order by f.facet not in ('added', 'deleted'), k.ifc_class, k.name, e.global_id, f.facet
 limit %(limit)s

-- facets: how many elements changed in each facet, what became of all elements, what was asked for
select facet_counts as facets, counts, settings from diff.results where id = %(id)s

-- matches: what a diff found again under another id, and what perhaps
select o.global_id as old_global_id, n.global_id as new_global_id, m.verdict, m.method, m.confidence
  from diff.matches m
  join core.elements o on o.id = m.old_element
  left join core.elements n on n.id = m.new_element
 where m.result_id = %(id)s order by m.confidence, o.global_id limit %(limit)s

-- not_compared: what a diff could not compare, and why
select e.global_id, c.facet, c.reason
  from diff.not_compared c join core.elements e on e.id = c.element_id
 where c.result_id = %(id)s order by e.global_id, c.facet limit %(limit)s

-- series: the models of a project that are compared
select s.series_id as id, s.name from diff.series_names s
  join core.projects p on p.id = s.project_id where p.name = %(project)s order by s.name

-- verify: differences between what is stored of a series and what follows from its rows
select what, finding_id as pair_id, result_id, stored, derived from diff.verify_series(%(id)s)
