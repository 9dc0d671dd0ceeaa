-- note: what a caller does, in its transaction
select core.note(%(project)s, %(action)s, %(object)s)

-- list: what was done in a project, latest first
select a.id, a.at, a.request_id, a.caller, a.action, a.object from core.audit a
 where a.project_id = %(project)s and (%(before)s::bigint is null or a.id < %(before)s)
 order by a.id desc limit %(limit)s
