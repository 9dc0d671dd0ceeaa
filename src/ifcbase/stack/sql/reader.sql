-- A role that reads figures for dashboards and nothing else, and the views it reads: they are made here,
-- belong to the ledger's owner, who runs this, and show the projects that reader.projects names (all of
-- them if it is empty). Settings of the session: reader.password, reader.projects (comma-separated).
do $$
begin
  if not exists (select from pg_roles where rolname = 'ifcbase_reader') then
    create role ifcbase_reader login noinherit connection limit 10;
  end if;
  execute format('alter role ifcbase_reader password %L', current_setting('reader.password'));
  -- Another one for the exporter: it reads statistics of the server, and nothing of the ledger.
  if not exists (select from pg_roles where rolname = 'ifcbase_monitor') then
    create role ifcbase_monitor login connection limit 5;
  end if;
  execute format('alter role ifcbase_monitor password %L', current_setting('reader.password'));
  begin
    grant pg_monitor to ifcbase_monitor;
  exception when insufficient_privilege then
    raise notice 'statistics of other sessions stay hidden: grant pg_monitor to ifcbase_monitor;';
  end;
end
$$;
alter role ifcbase_reader set statement_timeout = '20s';
alter role ifcbase_reader set default_transaction_read_only = on;
drop schema if exists dashboard cascade;
create schema dashboard;
comment on schema dashboard is 'What dashboards read. Made by `ifcbase db reader`, not by migrations.';

do $$
begin
  execute format('create view dashboard.projects as select p.id, p.name from core.projects p '
    'where %1$L = '''' or p.name = any (string_to_array(%1$L, '',''))',
    current_setting('reader.projects'));
end
$$;
-- What the ledger shows with the rights of whoever asks is read with the owner's here, and only of the
-- projects above.
create function dashboard.read_results()
returns table (project text, check_name text, name text, count int, verdict text,
               coverage double precision, finished_at timestamptz)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select p.name, r.check_name, r.name, r.count, r.verdict, r.coverage, r.finished_at
    from core.all_results r join dashboard.projects p on p.id = r.project_id
$$;
create view dashboard.results as select * from dashboard.read_results();
create view dashboard.clash_states as
  select p.name as project, r.clash_set_name as clash_set, r.finished_at, c.state, c.reason, c.pairs,
         c.entered
    from clash.state_counts c
    join clash.results r on r.id = c.result_id and r.state = 'finished'
    join dashboard.projects p on p.id = r.project_id;
create view dashboard.ids as
  select p.name as project, r.ifc_filename, r.ids_filename, r.finished_at, r.pass_count, r.fail_count
    from tester.results r join dashboard.projects p on p.id = r.project_id
   where r.state = 'finished';
-- A clash between two disciplines counts for both.
create view dashboard.findings as
  select p.name as project, f.check_name, coalesce(f.discipline, 'unknown') as discipline, f.state,
         count(*) as findings
    from (select distinct t.project_id, 'clash' as check_name, t.pair_id as id, t.state, m.discipline
            from clash.pair_state_rows t
            join clash.pairs c on c.id = t.pair_id
            join core.elements e on e.id in (c.a_element, c.b_element)
            join core.models m on m.id = e.model_id
          union all
          select t.project_id, 'tester', t.finding_id, t.state, m.discipline
            from tester.finding_states t
            join tester.series s on s.id = t.series_id
            join core.models m on m.id = s.model_id
          union all
          select t.project_id, 'diff', t.finding_id, t.state, m.discipline
            from diff.finding_states t
            join diff.series s on s.id = t.series_id
            join core.models m on m.id = s.new_model_id) f
    join dashboard.projects p on p.id = f.project_id
   group by 1, 2, 3, 4;
create view dashboard.jobs as
  select p.name as project, j.check_name, j.state, j.created_at, j.started_at, j.ended_at,
         j.error ->> 'code' as error_code
    from core.jobs j join dashboard.projects p on p.id = j.project_id;
create view dashboard.operations as
  select o.kind, o.at from core.operations o;
revoke all on all tables in schema dashboard from public, anon, authenticated, ifc_worker;
revoke all on all functions in schema dashboard from public, anon, authenticated, ifc_worker;
grant execute on all functions in schema dashboard to ifcbase_reader;
grant usage on schema dashboard to ifcbase_reader;
grant select on all tables in schema dashboard to ifcbase_reader;
