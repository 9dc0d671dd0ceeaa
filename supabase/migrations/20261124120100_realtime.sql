-- Whoever listens is told by ids: by NOTIFY always, by Supabase's Realtime where that is. Neither can
-- fail the write that it tells of.

create or replace function core.tell(project bigint, topic text, subject text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  message jsonb := jsonb_build_object('project', project, 'topic', topic, 'id', subject);
begin
  begin
    perform pg_notify('ifcbase', message::text);
  exception when others then
    raise warning 'nobody was notified of % %: %', topic, subject, sqlerrm;
  end;
  -- Progress is for those who wait for one job; Realtime keeps what it is given for days.
  if topic = 'progress' or to_regprocedure('realtime.send(jsonb, text, text, boolean)') is null then
    return;
  end if;
  begin
    execute 'select realtime.send($1, $2, $3, true)' using message, topic, 'ifcbase:project:' || project;
  exception when others then
    raise warning 'Realtime was not told of % %: %', topic, subject, sqlerrm;
  end;
end
$$;
comment on function core.tell(bigint, text, text) is
  'Tells listeners that something changed, ids only: by NOTIFY, and on the private topic '
  '"ifcbase:project:<id>" of Realtime where that is installed.';

create function core.tell_result() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform core.tell(new.project_id, 'result', new.id::text);
  return null;
end
$$;
comment on function core.tell_result() is 'Tells of a result that a client inserted.';

do $$
declare
  room text;
begin
  foreach room in array array['conversion', 'tester', 'diff'] loop
    execute format('create trigger tell_result after insert on %I.results for each row '
      'when (new.state = ''finished'') execute function core.tell_result()', room);
  end loop;
end
$$;

create function core.may_listen(topic text) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (select from core.own_projects('read') p where 'ifcbase:project:' || p = topic)
$$;
comment on function core.may_listen(text) is
  'Whether the caller may receive what is said on a topic of Realtime: that of a project it is in.';

create function core.apply_realtime() returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  item text;
begin
  if to_regclass('realtime.messages') is null then
    return false;
  end if;
  drop policy if exists ifcbase_listen on realtime.messages;
  create policy ifcbase_listen on realtime.messages for select to authenticated
    using (extension = 'broadcast' and (select core.may_listen(realtime.topic())));
  -- Changes of the headers, for who listens to tables: rows pass row-level security there as well.
  if exists (select from pg_publication where pubname = 'supabase_realtime' and not puballtables) then
    foreach item in array array['clash', 'conversion', 'tester', 'diff'] loop
      if not exists (select from pg_publication_tables where pubname = 'supabase_realtime'
                        and schemaname = item and tablename = 'results') then
        execute format('alter publication supabase_realtime add table %I.results', item);
      end if;
    end loop;
  end if;
  return true;
end
$$;
comment on function core.apply_realtime() is
  'Lets members receive what is said on their projects'' topics of Realtime, and offers changes of the '
  'result headers; false where Realtime is not installed (call it again afterwards).';

do $$
declare
  item regprocedure;
begin
  foreach item in array array['core.tell_result()', 'core.apply_realtime()', 'core.may_listen(text)']
      ::regprocedure[] loop
    execute format('revoke all on function %s from public, anon, authenticated, ifc_worker', item);
    execute format('grant execute on function %s to service_role', item);
  end loop;
  grant execute on function core.may_listen(text) to authenticated;
  begin
    perform core.apply_realtime();
  exception when insufficient_privilege then
    raise warning 'Realtime''s policies could not be set: %. Run select core.apply_realtime() as who may.',
      sqlerrm;
  end;
end
$$;
