-- facts: how much a conversion wrote
select selected, converted, left_out_counts, counts, conversion_options
  from public.conversion_results where id = %(id)s

-- left_out: the elements a conversion could not write, in order of class and name
select e.global_id, e.n, c.ifc_class, c.name, c.storey, l.reason, l.detail
  from conversion.left_out l
  join conversion.results r on r.id = l.result_id and r.state = 'finished'
  join core.elements e on e.id = l.element_id
  join core.job_inputs i on i.job_id = r.job_id
  join core.model_versions v on v.id = i.model_version_id and v.model_id = e.model_id
  left join core.content c on c.element_id = e.id and c.first_number <= v.number
   and (c.last_number is null or c.last_number >= v.number)
 where l.result_id = %(id)s
 order by l.reason, c.ifc_class, c.name, e.global_id, e.n
 limit %(limit)s
