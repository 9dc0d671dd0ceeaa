-- give_version: the version of a model that a file of the project is
select v.model_version_id as version_id, v.number, v.is_new
  from core.give_version(%(project)s, %(model)s, %(sha256)s, %(name)s) v

-- file: a file of the project by its hash
select f.sha256, f.size, f.name from core.files f
 where f.project_id = %(project)s and f.sha256 = %(sha256)s
