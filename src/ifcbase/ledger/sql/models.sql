-- models: the models of a project
select m.name as model, m.discipline, m.discipline_source as source, v.number as version, v.file_name,
       v.elements
  from core.models m
  join core.projects p on p.id = m.project_id
  left join lateral (select x.number, x.file_name, x.elements from core.model_versions x
                      where x.model_id = m.id order by x.number desc limit 1) v on true
 where p.name = %(project)s and (%(model)s::text is null or m.name = %(model)s)
 order by m.name

-- discipline: says of what discipline a model is
update core.models m
   set discipline = coalesce(%(discipline)s, (
         select core.guess_discipline(v.id) from core.model_versions v
          where v.model_id = m.id and v.inventoried_at is not null order by v.number desc limit 1)),
       discipline_source = case when %(discipline)s::text is null then 'guessed' else 'given' end
  from core.projects p
 where p.id = m.project_id and p.name = %(project)s and m.name = %(model)s
