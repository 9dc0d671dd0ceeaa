-- act: begins a transaction with a caller's role and claims
begin; select set_config('request.jwt.claims', %(claims)s, true), set_config('role', %(role)s, true),
       set_config('ifcbase.request_id', %(request)s, true),
       set_config('statement_timeout', %(timeout)s, true)

-- lay_down: the role that is in force, which is laid down
select current_setting('role'), current_setting('search_path'), set_config('role', 'none', true)

-- take_up: takes a role up again
select set_config('role', %(role)s, true), set_config('search_path', %(path)s, true)

-- projects: the projects a caller may read, and its verbs there
select id, name, title, public, verbs from core.my_projects() order by name

-- ready: whether the database answers
select 1
