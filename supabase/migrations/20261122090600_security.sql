-- Who may do what. Row-level security is on for every table; the owner and the service role pass,
-- nobody else does. Nothing is left to default privileges: revoke first, then grant. Later migrations
-- do the same for what they add: defaults per schema cannot take away what everybody has by default.

do $$
declare
  room text;
  item record;
begin
  foreach room in array array['core', 'clash', 'conversion', 'tester', 'diff'] loop
    execute format('revoke all on schema %I from public', room);
    execute format('revoke all on all tables in schema %I from public, anon, authenticated', room);
    execute format('revoke all on all sequences in schema %I from public, anon, authenticated', room);
    execute format('revoke all on all functions in schema %I from public, anon, authenticated', room);
    execute format('grant usage on schema %I to service_role', room);
    execute format('grant select, insert, update, delete on all tables in schema %I to service_role', room);
    execute format('grant usage, select on all sequences in schema %I to service_role', room);
    execute format('grant execute on all functions in schema %I to service_role', room);

    for item in
      select c.relname from pg_class c
       where c.relnamespace = room::regnamespace and c.relkind in ('r', 'p')
    loop
      execute format('alter table %I.%I enable row level security', room, item.relname);
      execute format('create policy service on %I.%I to service_role using (true) with check (true)',
        room, item.relname);
    end loop;
  end loop;
end
$$;

revoke all on public.clash_results, public.conversion_results, public.tester_results,
  public.diff_results from public, anon, authenticated, service_role;
grant select, insert on public.clash_results to service_role;
grant select, insert, update, delete on public.conversion_results, public.tester_results,
  public.diff_results to service_role;

do $$
declare
  door regprocedure;
begin
  foreach door in array array[
    'public.start_attempt(uuid, text, text, double precision)',
    'public.heartbeat(uuid, jsonb)',
    'public.fail_attempt(uuid, text, jsonb, boolean, jsonb)',
    'public.finish_job(uuid, jsonb, jsonb)',
    'public.copy_target(uuid, text)',
    'public.append_inventory(uuid, bigint, jsonb)',
    'public.append_copied_inventory(uuid, bigint)',
    'public.finish_inventory(uuid, bigint, jsonb)',
    'public.open_result(uuid, jsonb)',
    'public.append_rows(uuid, bigint, text, jsonb)',
    'public.append_copied(uuid, bigint, text)',
    'public.add_output(uuid, text, bigint, text)',
    'public.finish_result(uuid, bigint, jsonb)'
  ]::regprocedure[] loop
    execute format('revoke all on function %s from public, anon, authenticated', door);
    execute format('grant execute on function %s to service_role, ifc_worker', door);
  end loop;
end
$$;
