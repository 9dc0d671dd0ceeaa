-- projects: all projects, with how many members and clash results each has
select p.id, p.name, p.title, p.public, p.created_at,
       (select count(*) from core.members m where m.project_id = p.id) as members,
       (select count(*) from clash.results r
         where r.project_id = p.id and r.state = 'finished') as clash_results
  from core.projects p order by p.name

-- project: the id of a project
select p.id from core.projects p where p.name = %(project)s

-- create_project: makes a project, unless there is one of that name
insert into core.projects (name, title) values (%(project)s, %(title)s)
on conflict (name) do nothing returning id

-- publish: lets everybody read a project, or members only
update core.projects set public = %(public)s where name = %(project)s returning id

-- members: who may do what in a project
select m.user_id::text as "user", m.role, m.created_at
  from core.members m where m.project_id = %(id)s order by m.role, m.created_at, m.user_id

-- add_member: gives a user a role in a project, the only one there
insert into core.members (project_id, user_id, role) values (%(id)s, %(user)s, %(role)s)
on conflict (project_id, user_id) do update set role = excluded.role

-- remove_member: takes a user out of a project
delete from core.members where project_id = %(id)s and user_id = %(user)s returning user_id

-- apply_storage: our buckets in Storage and their policies; tells what it could not do
select core.apply_storage()
