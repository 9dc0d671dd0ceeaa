-- change: the title of a project, and whether everybody may read it
update core.projects p set title = coalesce(%(title)s, p.title),
       public = coalesce(%(public)s, p.public)
 where p.id = %(project)s returning p.id

-- members: who may do what in a project
select m.user_id::text as "user", m.role, m.created_at from core.members m
 where m.project_id = %(project)s order by m.role, m.created_at, m.user_id

-- add_member: gives a user a role, instead of the one it has
insert into core.members as m (project_id, user_id, role)
values (%(project)s, %(user)s, %(role)s)
on conflict (project_id, user_id) do update set role = excluded.role

-- remove_member: takes a user out of a project
delete from core.members m where m.project_id = %(project)s and m.user_id = %(user)s
returning m.user_id
