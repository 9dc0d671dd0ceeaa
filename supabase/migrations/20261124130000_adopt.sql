-- Rows of the origin plan's tables, where they were set aside (supabase/roles.sql), come into ours:
-- ids, names, documents and chains as they were. The tables in origin_plan stay as they are.

do $$
declare
  home bigint := (select p.id from core.projects p where p.name = 'default');
  part record;
  there bigint;
  come bigint;
  taken text;
begin
  for part in
    select t.origin, to_regclass('origin_plan.' || t.origin) as source, t.room
      from (values ('clash_results', 'clash.results'), ('conversion_results', 'conversion.results'),
                   ('tester_results', 'tester.results'), ('diff_results', 'diff.results'))
           as t (origin, room)
     where to_regclass('origin_plan.' || t.origin) is not null
  loop
    execute format('select count(*) from %s', part.source) into there;
    execute format('select string_agg(p.id::text, '', '' order by p.id) from %s p join %s r using (id)',
                   part.source, part.room) into taken;
    if taken is not null then
      raise exception 'rows written since % was set aside have its ids %', part.origin, taken
        using hint = format('Stop what writes results, give those rows of %s ids of their own, and '
                            'migrate again.', part.room);
    end if;

    case part.origin
    when 'clash_results' then
      insert into clash.sets (project_id, name)
        select distinct home, p.clash_set_name from origin_plan.clash_results p
        on conflict (project_id, name) do nothing;
      -- original_given: the plan's chains are what somebody said, null included, and are kept.
      insert into clash.results (id, project_id, set_id, accepted, state, original_clash_id,
                                 original_given, clash_set_name, output_filename, clash_count,
                                 document, created_at, finished_at)
        select p.id, home, s.id, nextval('core.accepted'), 'finished', p.original_clash_id, true,
               p.clash_set_name, p.output_filename, p.clash_count, p.clash_data,
               coalesce(p.created_at, now()), coalesce(p.created_at, now())
          from (select * from origin_plan.clash_results
                 order by created_at nulls last, id offset 0) p
          join lateral (select x.id from clash.sets x
                         where x.project_id = home and x.name = p.clash_set_name) s on true;
    when 'conversion_results' then
      insert into conversion.results (id, project_id, input_filename, output_filename,
                                      conversion_options, created_at, finished_at)
        select p.id, home, p.input_filename, p.output_filename, p.conversion_options,
               coalesce(p.created_at, now()), coalesce(p.created_at, now())
          from origin_plan.conversion_results p;
    when 'tester_results' then
      insert into tester.results (id, project_id, ifc_filename, ids_filename, test_results,
                                  pass_count, fail_count, created_at, finished_at)
        select p.id, home, p.ifc_filename, p.ids_filename, p.test_results, p.pass_count,
               p.fail_count, coalesce(p.created_at, now()), coalesce(p.created_at, now())
          from origin_plan.tester_results p;
    else
      insert into diff.results (id, project_id, old_file, new_file, diff_count, diff_data,
                                created_at, finished_at)
        select p.id, home, p.old_file, p.new_file, p.diff_count, p.diff_data,
               coalesce(p.created_at, now()), coalesce(p.created_at, now())
          from origin_plan.diff_results p;
    end case;
    get diagnostics come = row_count;
    if come <> there then
      raise exception '% of % rows of % came over', come, there, part.origin;
    end if;

    -- An id that the plan's table has given out, also to a row that is gone, is not given again.
    perform setval(ours.name, greatest(given.last, known.last))
      from pg_get_serial_sequence(part.room, 'id') as ours (name),
           lateral (select pg_sequence_last_value(ours.name::regclass) as last) known,
           lateral (select pg_sequence_last_value(
                      pg_get_serial_sequence('origin_plan.' || part.origin, 'id')::regclass) as last) given
     where given.last is not null;
    raise notice '% rows of % imported', come, part.origin;
  end loop;
end
$$;
