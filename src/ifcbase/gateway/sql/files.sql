-- named: the file that a path means now, or meant when it had these bytes
select f.path, f.sha256, f.size, f.at from core.named_files f
 where f.project_id = %(project)s and f.path = %(path)s
   and (%(sha256)s::text is null or f.sha256 = %(sha256)s)
 order by f.at desc limit 1

-- version: a version of a model, the latest if no number is given
select v.id, v.sha256, f.size, v.file_name, v.number, m.name as model
  from core.model_versions v
  join core.models m on m.id = v.model_id
  join core.files f on f.project_id = v.project_id and f.sha256 = v.sha256
 where m.project_id = %(project)s and m.name = %(model)s
   and (%(number)s::int is null or v.number = %(number)s)
 order by v.number desc limit 1

-- list: the paths of a project, each once
select distinct f.path from core.named_files f where f.project_id = %(project)s
 order by f.path limit %(limit)s

-- upload: notes an upload
select core.note_upload(%(project)s, %(path)s, %(sha256)s, %(size)s)

-- add_link: makes a link for a download
select core.add_download_link(%(project)s, %(hash)s, %(sha256)s, %(name)s, %(seconds)s) as expires_at

-- download: the file a link leads to
select project, sha256, name, size from core.download(%(hash)s)
