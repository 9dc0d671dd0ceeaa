-- Result tables that the origin plan's SQL made go into the schema origin_plan, rows, indexes and all:
-- our views take their names, and the migration "adopt" imports the rows. Does nothing without such
-- tables, and may be run again. `ifcbase db migrate` runs it by itself, in one transaction with the
-- migrations; `supabase/roles.sql` is the same text, for `supabase db push --include-roles`.
do $$
declare
  wanted text;
  needed text;
  wrong text;
  who name;
begin
  -- Set aside means that the migration of the views has not been here yet.
  for wanted, needed in values
    ('clash_results', 'id bigint, original_clash_id bigint, clash_set_name text, output_filename text, '
                      'clash_count integer, clash_data jsonb, created_at timestamp with time zone'),
    ('conversion_results', 'id bigint, input_filename text, output_filename text, '
                           'conversion_options jsonb, created_at timestamp with time zone'),
    ('tester_results', 'id bigint, ifc_filename text, ids_filename text, test_results jsonb, '
                       'pass_count integer, fail_count integer, created_at timestamp with time zone'),
    ('diff_results', 'id bigint, old_file text, new_file text, diff_count integer, diff_data jsonb, '
                     'created_at timestamp with time zone')
  loop
    continue when not exists (
      select from pg_catalog.pg_class c
       where c.relnamespace = 'public'::regnamespace and c.relname = wanted and c.relkind in ('r', 'p'));
    select string_agg(n.line, ', ') into wrong
      from unnest(string_to_array(needed, ', ')) as n (line)
     where not exists (
       select from pg_catalog.pg_attribute a
        where a.attrelid = format('public.%I', wanted)::regclass and a.attnum > 0 and not a.attisdropped
          and format('%s %s', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)) = n.line);
    if wrong is not null then
      raise exception 'public.% is not the plan''s table: it has no column %', wanted, wrong
        using hint = 'Rename the table or move it to another schema, and migrate again.';
    end if;
    if to_regnamespace('origin_plan') is null then
      create schema origin_plan;
      comment on schema origin_plan is
        'The tables of the origin plan as they were before ifcbase took their names. Not exposed.';
    end if;
    begin
      execute format('alter table public.%I set schema origin_plan', wanted);
    exception when insufficient_privilege then
      raise exception 'public.% belongs to %, not to %', wanted,
          (select pg_get_userbyid(c.relowner) from pg_catalog.pg_class c
            where c.oid = format('public.%I', wanted)::regclass), current_user
        using hint = format('As that role or a superuser: alter table public.%I owner to %I', wanted,
                            current_user);
    end;
    -- Everybody could read these rows, or write them, by the policies and grants they came with.
    execute format('alter table origin_plan.%I enable row level security', wanted);
    execute format('revoke all on origin_plan.%I from public', wanted);
    for who in select r.rolname from pg_catalog.pg_roles r
                where r.rolname in ('anon', 'authenticated', 'service_role', 'ifc_worker') loop
      execute format('revoke all on origin_plan.%I from %I', wanted, who);
    end loop;
    raise notice 'public.% is now origin_plan.%', wanted, wanted;
  end loop;
end
$$;
