-- public: the four result tables as the origin plan names them, its columns first. They are views:
-- rows live in one schema per worker, and only finished results are shown.

create function clash.document(result_id bigint) returns jsonb
language sql stable set search_path = pg_catalog, pg_temp as $$
  with contacts as (
    select s.*, p.a_element, p.b_element,
           case when s.flipped then p.b_element else p.a_element end as on_a,
           case when s.flipped then p.a_element else p.b_element end as on_b
      from clash.sightings s join clash.pairs p on p.id = s.pair_id
     where s.result_id = document.result_id
  ), described as (
    select c.*, k.word, ea.global_id as a_id, eb.global_id as b_id,
           ca.ifc_class as a_class, cb.ifc_class as b_class, ca.name as a_name, cb.name as b_name,
           va.file_name as a_file, vb.file_name as b_file,
           row_number() over (partition by ea.global_id, eb.global_id
                              order by c.a_position, c.b_position, c.pair_id) as again
      from contacts c
      join clash.kinds k on k.kind = c.kind
      join core.elements ea on ea.id = c.on_a
      join core.elements eb on eb.id = c.on_b
      join clash.coverage va on va.result_id = c.result_id and va."position" = c.a_position
      join clash.coverage vb on vb.result_id = c.result_id and vb."position" = c.b_position
      left join core.model_versions na on na.id = va.model_version_id
      left join core.model_versions nb on nb.id = vb.model_version_id
      left join core.content ca on ca.element_id = ea.id and ca.first_number <= na.number
       and (ca.last_number is null or ca.last_number >= na.number)
      left join core.content cb on cb.element_id = eb.id and cb.first_number <= nb.number
       and (cb.last_number is null or cb.last_number >= nb.number)
  ), sides as (
    select v.side, jsonb_agg(
             jsonb_strip_nulls(jsonb_build_object('file', v.file_name, 'mode', v.mode,
               'selector', v.selector, 'selected', v.selected, 'tested', v.tested,
               'left_out', v.left_out)) order by v."position") as files
      from clash.coverage v where v.result_id = document.result_id group by v.side
  )
  -- Put together as text and made jsonb once: each step of jsonb would copy all that is in it.
  select json_build_array((
    select json_object_agg(part.key, part.value) from (
      select given.key, given.value::json as value
        from jsonb_each(r.settings) as given
       where given.key not in ('name', 'a', 'b', 'verdict', 'clashes')
      union all
      select 'name', to_json(r.clash_set_name)
      union all
      select 'a', coalesce((select files::json from sides where side = 'a'), '[]')
      union all
      select 'b', coalesce((select files::json from sides where side = 'b'), '[]')
      union all
      select 'verdict', to_json(r.verdict)
      union all
      select 'clashes', coalesce((
        select json_object_agg(
                 c.a_id || '-' || c.b_id || case when c.again > 1 then '#' || c.again else '' end,
                 case when c.smart_group is null then json_build_object(
                   'a_global_id', c.a_id, 'b_global_id', c.b_id,
                   'a_ifc_class', c.a_class, 'b_ifc_class', c.b_class,
                   'a_name', c.a_name, 'b_name', c.b_name, 'type', c.word,
                   'p1', json_build_array(c.p1x, c.p1y, c.p1z),
                   'p2', json_build_array(c.p2x, c.p2y, c.p2z),
                   'distance', c.distance, 'a_file', c.a_file, 'b_file', c.b_file)
                 else json_build_object(
                   'a_global_id', c.a_id, 'b_global_id', c.b_id,
                   'a_ifc_class', c.a_class, 'b_ifc_class', c.b_class,
                   'a_name', c.a_name, 'b_name', c.b_name, 'type', c.word,
                   'p1', json_build_array(c.p1x, c.p1y, c.p1z),
                   'p2', json_build_array(c.p2x, c.p2y, c.p2z),
                   'distance', c.distance, 'a_file', c.a_file, 'b_file', c.b_file,
                   'smart_group', c.smart_group, 'position', json_build_array(
                     (c.p1x + c.p2x) / 2, (c.p1y + c.p2y) / 2, (c.p1z + c.p2z) / 2)) end)
          from described c), '{}')
    ) as part))::jsonb
    from clash.results r
   where r.id = document.result_id
$$;
comment on function clash.document(bigint) is
  'The rows of a result in the shape ifcclash writes, with our coverage and verdict beside.';

create view public.clash_results with (security_invoker = true) as
  select r.id, r.original_clash_id, r.clash_set_name, r.output_filename, r.clash_count,
         case when r.set_version_id is null then r.document else clash.document(r.id) end as clash_data,
         r.created_at,
         r.project_id, r.job_id, r.accepted, r.verdict, r.coverage, r.related_left_out, r.touching,
         r.warnings, r.engine, r.output_sha256, d.number as set_version, r.finished_at
    from clash.results r
    left join clash.set_versions d on d.id = r.set_version_id
   where r.state = 'finished';
comment on view public.clash_results is
  'Clash results: the plan''s seven columns first. clash_data is made from rows when it is asked for.';

create function clash.insert_document() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  made record;
begin
  if num_nonnulls(new.job_id, new.accepted, new.verdict, new.coverage, new.related_left_out,
                  new.touching, new.warnings, new.engine, new.output_sha256, new.set_version,
                  new.finished_at) > 0 then
    raise exception 'of the columns after created_at only project_id can be given'
      using errcode = '428C9', hint = 'The others say what the job that made a result knows.';
  end if;
  new.project_id := coalesce(new.project_id, core.default_project());
  if new.clash_set_name is null or new.output_filename is null or new.clash_count is null
     or new.clash_data is null then
    raise exception 'clash_set_name, output_filename, clash_count and clash_data must be given'
      using errcode = '23502';
  end if;
  insert into clash.sets (project_id, name) values (new.project_id, new.clash_set_name)
    on conflict (project_id, name) do nothing;
  -- One writer of a chain at a time, so that it has one first result.
  perform 1 from clash.sets s
    where s.project_id = new.project_id and s.name = new.clash_set_name for no key update;
  if new.original_clash_id is not null and not exists (
       select from clash.results r
        where r.id = new.original_clash_id and r.project_id = new.project_id) then
    raise exception 'original_clash_id % is no clash result of this project', new.original_clash_id
      using errcode = '23503';
  end if;
  insert into clash.results as r (id, project_id, set_id, accepted, state, original_clash_id,
                                  original_given, clash_set_name, output_filename, clash_count,
                                  document, created_at, finished_at)
  select coalesce(new.id, nextval(pg_get_serial_sequence('clash.results', 'id'))), new.project_id,
         s.id, nextval('core.accepted'), 'finished',
         coalesce(new.original_clash_id, (
           select f.id from clash.results f where f.set_id = s.id and f.state = 'finished'
            order by f.accepted, f.id limit 1)),
         new.original_clash_id is not null, new.clash_set_name, new.output_filename, new.clash_count,
         new.clash_data, coalesce(new.created_at, now()), now()
    from clash.sets s where s.project_id = new.project_id and s.name = new.clash_set_name
  returning r.id, r.original_clash_id, r.created_at, r.accepted, r.finished_at, r.warnings,
            r.related_left_out, r.touching into made;
  new.id := made.id;
  new.original_clash_id := made.original_clash_id;
  new.created_at := made.created_at;
  new.accepted := made.accepted;
  new.finished_at := made.finished_at;
  new.warnings := made.warnings;
  new.related_left_out := made.related_left_out;
  new.touching := made.touching;
  perform core.tell(new.project_id, 'result', made.id::text);
  return new;
end
$$;
comment on function clash.insert_document() is
  'Plain inserts into public.clash_results: the document is kept as it came, in its place in the chain.';

create trigger insert_document instead of insert on public.clash_results
  for each row execute function clash.insert_document();

create view public.conversion_results with (security_invoker = true) as
  select id, input_filename, output_filename, conversion_options, created_at, project_id, job_id
    from conversion.results where state = 'finished';
comment on view public.conversion_results is 'Conversion results: the plan''s columns first.';

create view public.tester_results with (security_invoker = true) as
  select id, ifc_filename, ids_filename, test_results, pass_count, fail_count, created_at, project_id,
         job_id
    from tester.results where state = 'finished';
comment on view public.tester_results is 'IDS test results: the plan''s columns first.';

create view public.diff_results with (security_invoker = true) as
  select id, old_file, new_file, diff_count, diff_data, created_at, project_id, job_id
    from diff.results where state = 'finished';
comment on view public.diff_results is 'Diff results: the plan''s columns first.';
