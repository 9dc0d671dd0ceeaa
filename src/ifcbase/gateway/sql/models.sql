-- models: the models of a project with their latest versions
select m.id, m.name, m.discipline, m.discipline_source, m.created_at, v.number as latest,
       v.file_name, v.sha256, v.ifc_schema, v.elements, v.created_at as latest_at
  from core.models m
  left join lateral (select v.* from core.model_versions v where v.model_id = m.id
                      order by v.number desc limit 1) v on true
 where m.project_id = %(project)s and (%(model)s::bigint is null or m.id = %(model)s)
 order by m.name limit %(limit)s

-- versions: the versions of a model, latest first
select v.id, v.number, v.file_name, v.sha256, f.size, v.ifc_schema, v.elements, v.repeated_ids,
       v.inventoried_at, v.matched_at, v.created_at
  from core.model_versions v
  left join core.files f on f.project_id = v.project_id and f.sha256 = v.sha256
 where v.project_id = %(project)s and v.model_id = %(model)s
   and (%(number)s::int is null or v.number = %(number)s)
 order by v.number desc limit %(limit)s

-- add_version: the version of a model that a file is
select model_id, number, is_new
  from core.give_version(%(project)s, %(model)s, %(sha256)s, %(name)s)

-- files: the files of a project by path, what each means now
select distinct on (f.path) f.path, f.sha256, f.size, f.at, f.job_id::text as job_id
  from core.named_files f
 where f.project_id = %(project)s and (%(prefix)s::text is null or starts_with(f.path, %(prefix)s))
 order by f.path, f.at desc limit %(limit)s
