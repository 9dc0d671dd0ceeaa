-- open_doubts: doubtful statements nobody settled, those that pairs wait for first
select l.id, l.method, l.confidence, l.created_at, m.name as model, v.number,
       l.from_element, f.global_id as from_global_id, f.n as from_n,
       cf.ifc_class as from_class, cf.name as from_name, cf.storey as from_storey,
       (cf.signature).cx as from_x, (cf.signature).cy as from_y, (cf.signature).cz as from_z,
       l.to_element, t.global_id as to_global_id, t.n as to_n, mt.name as to_model,
       ct.ifc_class as to_class, ct.name as to_name, ct.storey as to_storey,
       (ct.signature).cx as to_x, (ct.signature).cy as to_y, (ct.signature).cz as to_z,
       (cf.signature).properties is not distinct from (ct.signature).properties
         as same_properties,
       (select count(*) from clash.pairs p
         where l.from_element in (p.a_element, p.b_element)) as pairs
  from core.projects project
  cross join lateral core.open_doubts(project.id) l
  join core.elements f on f.id = l.from_element
  join core.models m on m.id = f.model_id
  left join core.model_versions v on v.id = l.model_version_id
  left join core.elements t on t.id = l.to_element
  left join core.models mt on mt.id = t.model_id
  left join lateral (select c.* from core.content c where c.element_id = l.from_element
                      order by c.first_number desc limit 1) cf on true
  left join lateral (select c.* from core.content c where c.element_id = l.to_element
                      order by c.first_number limit 1) ct on true
 where project.name = %(project)s
   and (%(id)s::bigint is null or l.id = %(id)s)
   and (%(model)s::text is null or m.name = %(model)s)
 order by pairs desc, l.confidence desc, l.id
 limit %(limit)s

-- element_named: an element by its model and GlobalId
select e.id from core.elements e
  join core.models m on m.id = e.model_id
  join core.projects p on p.id = m.project_id
 where p.name = %(project)s and m.name = %(model)s and e.global_id = %(global_id)s and e.n = %(n)s

-- state_link: what a person says of two elements
select core.state_link(%(old)s, %(new)s, %(verdict)s, %(note)s)
