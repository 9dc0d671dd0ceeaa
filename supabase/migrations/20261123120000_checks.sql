-- One write API for all checks. A check's schema has its name and provides
--   <check>.open_result(attempt core.attempts, header jsonb) returns bigint
--   <check>.append_to(attempt core.attempts, result bigint, kind text, rows jsonb) returns void
--   <check>.finish(attempt core.attempts, result bigint, footer jsonb) returns bigint
-- and the doors in public call them. A migration that extends a check replaces these functions.

-- Result tables ------------------------------------------------------------------------------------

do $$
declare
  room text;
begin
  foreach room in array array['conversion', 'tester', 'diff'] loop
    execute format($ddl$
      alter table %1$I.results
        add column accepted bigint,
        add column verdict text,
        add column coverage double precision check (coverage between 0 and 1),
        add column warnings text[] not null default '{}',
        add column engine jsonb,
        add column output_sha256 text,
        add column finished_at timestamptz default now()
      $ddl$, room);
    execute format('update %I.results set finished_at = created_at', room);
    execute format('comment on column %I.results.accepted is %L', room,
      'Place among the results: when its job was accepted; null where nobody asked for it by a job.');
    execute format('comment on column %I.results.coverage is %L', room,
      'Share of what should have been looked at that really was.');
    execute format('create unique index %I on %I.results (attempt_id)', room || '_one_per_attempt', room);
  end loop;
end
$$;

create or replace view public.conversion_results with (security_invoker = true) as
  select id, input_filename, output_filename, conversion_options, created_at, project_id, job_id,
         accepted, verdict, coverage, warnings, engine, output_sha256, finished_at
    from conversion.results where state = 'finished';
create or replace view public.tester_results with (security_invoker = true) as
  select id, ifc_filename, ids_filename, test_results, pass_count, fail_count, created_at, project_id,
         job_id, accepted, verdict, coverage, warnings, engine, output_sha256, finished_at
    from tester.results where state = 'finished';
create or replace view public.diff_results with (security_invoker = true) as
  select id, old_file, new_file, diff_count, diff_data, created_at, project_id, job_id, accepted,
         verdict, coverage, warnings, engine, output_sha256, finished_at
    from diff.results where state = 'finished';

-- Files a job made ---------------------------------------------------------------------------------

create table core.job_outputs (
  job_id uuid not null references core.jobs on delete cascade,
  name text not null check (name <> ''),
  project_id bigint not null references core.projects on delete cascade,
  attempt_id bigint not null references core.attempts on delete cascade,
  sha256 text not null,
  created_at timestamptz not null default now(),
  primary key (job_id, name),
  foreign key (project_id, sha256) references core.files (project_id, sha256)
);
comment on table core.job_outputs is 'The files a job made, by the names they are downloaded under.';

create or replace function public.add_output(lease_token uuid, sha256 text, size bigint, name text)
returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  attempt core.attempts := core.live_attempt(lease_token);
begin
  perform core.add_file(attempt.project_id, add_output.sha256, add_output.size, add_output.name);
  insert into core.job_outputs as o (job_id, name, project_id, attempt_id, sha256)
  values (attempt.job_id, add_output.name, attempt.project_id, attempt.id, add_output.sha256)
  on conflict on constraint job_outputs_pkey
    do update set sha256 = excluded.sha256, attempt_id = excluded.attempt_id;
end
$$;

create or replace function core.end_attempt(attempt core.attempts, outcome text, error jsonb, facts jsonb)
returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  update core.attempts a set ended_at = clock_timestamp(), outcome = end_attempt.outcome,
    error = end_attempt.error, facts = end_attempt.facts where a.id = attempt.id;
  -- What a losing attempt had begun to write goes.
  if end_attempt.outcome <> 'finished' then
    delete from clash.results r where r.attempt_id = attempt.id and r.state = 'writing';
    delete from conversion.results r where r.attempt_id = attempt.id and r.state = 'writing';
    delete from tester.results r where r.attempt_id = attempt.id and r.state = 'writing';
    delete from diff.results r where r.attempt_id = attempt.id and r.state = 'writing';
    delete from core.job_outputs o where o.attempt_id = attempt.id;
  end if;
  delete from core.incoming_elements i where i.attempt_id = attempt.id;
end
$$;

-- What each check provides -------------------------------------------------------------------------

create function clash.append_to(attempt core.attempts, result bigint, kind text, rows jsonb)
returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  open_result clash.results := clash.writing(attempt, result);
begin
  if open_result.state = 'writing' then
    perform clash.append_rows(open_result, append_to.kind, append_to.rows);
  end if;
end
$$;
comment on function clash.append_to(core.attempts, bigint, text, jsonb) is
  'Adds rows of a kind to a clash result while it is being written.';

create function clash.append_copied(attempt core.attempts, result bigint, kind text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  open_result clash.results := clash.writing(attempt, result);
begin
  if append_copied.kind <> 'sightings' then
    perform core.refuse('422', 'request-invalid', format('rows of kind %s are not copied', append_copied.kind));
  end if;
  if open_result.state = 'writing' then
    perform clash.take_sightings(open_result);
  end if;
end
$$;
comment on function clash.append_copied(core.attempts, bigint, text) is
  'The same for rows that were copied.';

create function clash.finish(attempt core.attempts, result bigint, footer jsonb) returns bigint
language sql set search_path = pg_catalog, pg_temp as $$
  select clash.finish_result(clash.writing(attempt, result), footer)
$$;
comment on function clash.finish(core.attempts, bigint, jsonb) is
  'Makes a clash result visible and gives its id.';

create function core.conclude(room text, attempt core.attempts, result bigint, footer jsonb)
returns bigint language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  standing bigint;
  changed int;
begin
  execute format('select r.id from %I.results r where r.job_id = $1 and r.state = ''finished''', room)
    into standing using attempt.job_id;
  if standing is not null then
    execute format('delete from %I.results r where r.id = $1 and r.attempt_id = $2
                      and r.state = ''writing''', room) using result, attempt.id;
    return standing;
  end if;
  execute format($f$
    update %I.results r set state = 'finished', finished_at = clock_timestamp(),
      verdict = $3 ->> 'verdict', coverage = ($3 ->> 'coverage')::double precision,
      warnings = coalesce((select array_agg(w) from jsonb_array_elements_text($3 -> 'warnings') w), '{}'),
      engine = $3 -> 'engine', output_sha256 = $3 ->> 'output_sha256'
      where r.id = $1 and r.attempt_id = $2 and r.state = 'writing'
    $f$, room) using result, attempt.id, footer;
  get diagnostics changed = row_count;
  if changed = 0 then
    perform core.refuse('404', 'not-found', 'this attempt has no such result');
  end if;
  perform core.tell(attempt.project_id, 'result', result::text);
  return result;
end
$$;
comment on function core.conclude(text, core.attempts, bigint, jsonb) is
  'Makes the result of a check that has one per job visible; a second one gives way to the first.';

create function core.no_rows(room text, kind text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform core.refuse('422', 'request-invalid', format('a %s result has no rows of kind %s', room, kind));
end
$$;
comment on function core.no_rows(text, text) is 'Refuses rows of a kind that a check does not know.';

create function core.require_keys(document jsonb, keys text[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  missing text;
begin
  select k into missing from unnest(keys) as k where document ->> k is null limit 1;
  if found then
    perform core.refuse('422', 'request-invalid', format('%s is missing', missing));
  end if;
end
$$;
comment on function core.require_keys(jsonb, text[]) is 'Refuses a header or footer without these keys.';

create function conversion.open_result(attempt core.attempts, header jsonb) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  made bigint;
begin
  perform core.require_keys(header, array['input_filename', 'output_filename']);
  select r.id into made from conversion.results r where r.attempt_id = attempt.id;
  if found then
    return made;
  end if;
  insert into conversion.results (project_id, job_id, attempt_id, accepted, state, finished_at,
                                  input_filename, output_filename, conversion_options)
  select attempt.project_id, attempt.job_id, attempt.id, j.accepted, 'writing', null,
         header ->> 'input_filename', header ->> 'output_filename',
         coalesce(header -> 'conversion_options', '{}')
    from core.jobs j where j.id = attempt.job_id
  returning id into made;
  return made;
end
$$;
comment on function conversion.open_result(core.attempts, jsonb) is
  'Opens the result of a conversion; opening it again gives the same id.';

create function conversion.append_to(attempt core.attempts, result bigint, kind text, rows jsonb)
returns void language sql set search_path = pg_catalog, pg_temp as $$
  select core.no_rows('conversion', kind)
$$;
comment on function conversion.append_to(core.attempts, bigint, text, jsonb) is
  'Adds rows of a kind to a conversion result; there are none yet.';

create function conversion.finish(attempt core.attempts, result bigint, footer jsonb) returns bigint
language sql set search_path = pg_catalog, pg_temp as $$
  select core.conclude('conversion', attempt, result, footer)
$$;
comment on function conversion.finish(core.attempts, bigint, jsonb) is
  'Makes a conversion result visible and gives its id.';

create function diff.open_result(attempt core.attempts, header jsonb) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  made bigint;
begin
  perform core.require_keys(header, array['old_file', 'new_file']);
  select r.id into made from diff.results r where r.attempt_id = attempt.id;
  if found then
    return made;
  end if;
  insert into diff.results (project_id, job_id, attempt_id, accepted, state, finished_at, old_file,
                            new_file, diff_count, diff_data)
  select attempt.project_id, attempt.job_id, attempt.id, j.accepted, 'writing', null,
         header ->> 'old_file', header ->> 'new_file', 0, '{}'
    from core.jobs j where j.id = attempt.job_id
  returning id into made;
  return made;
end
$$;
comment on function diff.open_result(core.attempts, jsonb) is
  'Opens the result of a diff; opening it again gives the same id.';

create function diff.append_to(attempt core.attempts, result bigint, kind text, rows jsonb)
returns void language sql set search_path = pg_catalog, pg_temp as $$
  select core.no_rows('diff', kind)
$$;
comment on function diff.append_to(core.attempts, bigint, text, jsonb) is
  'Adds rows of a kind to a diff result; there are none yet.';

create function diff.finish(attempt core.attempts, result bigint, footer jsonb) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform core.require_keys(footer, array['diff_count', 'document']);
  update diff.results r set diff_count = (footer ->> 'diff_count')::int, diff_data = footer -> 'document'
    where r.id = result and r.attempt_id = attempt.id and r.state = 'writing';
  return core.conclude('diff', attempt, result, footer);
end
$$;
comment on function diff.finish(core.attempts, bigint, jsonb) is
  'Makes a diff result with its count and document visible and gives its id.';

create function tester.open_result(attempt core.attempts, header jsonb) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  made bigint;
begin
  perform core.require_keys(header, array['ifc_filename', 'ids_filename']);
  select r.id into made from tester.results r where r.attempt_id = attempt.id;
  if found then
    return made;
  end if;
  insert into tester.results (project_id, job_id, attempt_id, accepted, state, finished_at,
                              ifc_filename, ids_filename, test_results, pass_count, fail_count)
  select attempt.project_id, attempt.job_id, attempt.id, j.accepted, 'writing', null,
         header ->> 'ifc_filename', header ->> 'ids_filename', '{}', 0, 0
    from core.jobs j where j.id = attempt.job_id
  returning id into made;
  return made;
end
$$;
comment on function tester.open_result(core.attempts, jsonb) is
  'Opens the result of an IDS check; opening it again gives the same id.';

create function tester.append_to(attempt core.attempts, result bigint, kind text, rows jsonb)
returns void language sql set search_path = pg_catalog, pg_temp as $$
  select core.no_rows('tester', kind)
$$;
comment on function tester.append_to(core.attempts, bigint, text, jsonb) is
  'Adds rows of a kind to the result of an IDS check.';

create function tester.finish(attempt core.attempts, result bigint, footer jsonb) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform core.require_keys(footer, array['pass_count', 'fail_count', 'document']);
  update tester.results r set test_results = footer -> 'document',
    pass_count = (footer ->> 'pass_count')::int, fail_count = (footer ->> 'fail_count')::int
    where r.id = result and r.attempt_id = attempt.id and r.state = 'writing';
  return core.conclude('tester', attempt, result, footer);
end
$$;
comment on function tester.finish(core.attempts, bigint, jsonb) is
  'Makes the result of an IDS check with its document and counts visible and gives its id.';

-- The doors ----------------------------------------------------------------------------------------

create function core.room_of(attempt core.attempts) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  asked text := core.check_of(attempt);
begin
  if asked is null or asked <> all (array['clash', 'conversion', 'tester', 'diff']) then
    perform core.refuse('422', 'request-invalid', format('there is no check %s', asked));
  end if;
  return asked;
end
$$;
comment on function core.room_of(core.attempts) is
  'The schema whose functions write what an attempt computes: that of its check.';

create or replace function public.open_result(lease_token uuid, header jsonb) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  attempt core.attempts := core.live_attempt(lease_token);
  made bigint;
begin
  execute format('select %I.open_result($1, $2)', core.room_of(attempt)) into made using attempt, header;
  return made;
end
$$;

create or replace function public.append_rows(lease_token uuid, result bigint, kind text, rows jsonb)
returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  attempt core.attempts := core.live_attempt(lease_token);
begin
  execute format('select %I.append_to($1, $2, $3, $4)', core.room_of(attempt))
    using attempt, append_rows.result, append_rows.kind, append_rows.rows;
end
$$;

create or replace function public.append_copied(lease_token uuid, result bigint, kind text)
returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  attempt core.attempts := core.live_attempt(lease_token);
begin
  if core.room_of(attempt) <> 'clash' then
    perform core.refuse('422', 'request-invalid', format('rows of kind %s are not copied', append_copied.kind));
  end if;
  perform clash.append_copied(attempt, append_copied.result, append_copied.kind);
end
$$;

create or replace function public.finish_result(lease_token uuid, result bigint, footer jsonb)
returns bigint language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  attempt core.attempts := core.live_attempt(lease_token);
  given bigint;
begin
  execute format('select %I.finish($1, $2, $3)', core.room_of(attempt))
    into given using attempt, finish_result.result, footer;
  return given;
end
$$;

-- A job ends with a result -------------------------------------------------------------------------

create function core.require_result() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  stored boolean;
begin
  execute format('select exists (select from %I.results r where r.job_id = $1 and r.state = ''finished'')',
    new.check_name) into stored using new.id;
  if not stored then
    perform core.refuse('409', 'conflict', 'this job has no finished result');
  end if;
  return null;
end
$$;
comment on function core.require_result() is 'Refuses to call a job finished that stored no result.';
-- Clash jobs have one result for each set they were asked for: finish_job counts them.
create trigger require_result after update of state on core.jobs
  for each row when (new.state = 'finished' and old.state <> 'finished' and new.check_name <> 'clash')
  execute function core.require_result();

-- All results --------------------------------------------------------------------------------------

create view core.all_results with (security_invoker = true) as
  select 'clash' as check_name, r.id, r.project_id, r.job_id, r.accepted, r.clash_set_name as name,
         r.clash_count as count, r.verdict, r.coverage, r.warnings, r.engine, r.output_filename,
         r.output_sha256, r.created_at, r.finished_at
    from clash.results r where r.state = 'finished'
  union all
  select 'conversion', r.id, r.project_id, r.job_id, r.accepted,
         r.input_filename || ' to ' || r.output_filename, null, r.verdict, r.coverage, r.warnings,
         r.engine, r.output_filename, r.output_sha256, r.created_at, r.finished_at
    from conversion.results r where r.state = 'finished'
  union all
  select 'tester', r.id, r.project_id, r.job_id, r.accepted,
         r.ids_filename || ' on ' || r.ifc_filename, r.fail_count, r.verdict, r.coverage, r.warnings,
         r.engine, null, r.output_sha256, r.created_at, r.finished_at
    from tester.results r where r.state = 'finished'
  union all
  select 'diff', r.id, r.project_id, r.job_id, r.accepted, r.old_file || ' to ' || r.new_file,
         r.diff_count, r.verdict, r.coverage, r.warnings, r.engine, null, r.output_sha256,
         r.created_at, r.finished_at
    from diff.results r where r.state = 'finished';
comment on view core.all_results is
  'Finished results of all checks. Count: clashes, specifications that failed, or changes. Ids are '
  'unique per check.';

-- Access -------------------------------------------------------------------------------------------

alter table core.job_outputs enable row level security;
revoke all on core.job_outputs, core.all_results from public, anon, authenticated, ifc_worker;
grant select, insert, update, delete on core.job_outputs to service_role;
grant select on core.all_results to anon, authenticated, service_role;
grant select on core.job_outputs to authenticated;
create policy service on core.job_outputs to service_role using (true) with check (true);
create policy read on core.job_outputs for select to authenticated
  using (project_id = any (array(select core.own_projects('read'))));

do $$
declare
  item regprocedure;
begin
  foreach item in array array[
    'clash.append_to(core.attempts, bigint, text, jsonb)',
    'clash.append_copied(core.attempts, bigint, text)',
    'clash.finish(core.attempts, bigint, jsonb)',
    'conversion.open_result(core.attempts, jsonb)',
    'conversion.append_to(core.attempts, bigint, text, jsonb)',
    'conversion.finish(core.attempts, bigint, jsonb)',
    'diff.open_result(core.attempts, jsonb)',
    'diff.append_to(core.attempts, bigint, text, jsonb)',
    'diff.finish(core.attempts, bigint, jsonb)',
    'tester.open_result(core.attempts, jsonb)',
    'tester.append_to(core.attempts, bigint, text, jsonb)',
    'tester.finish(core.attempts, bigint, jsonb)',
    'core.conclude(text, core.attempts, bigint, jsonb)',
    'core.no_rows(text, text)',
    'core.require_keys(jsonb, text[])',
    'core.room_of(core.attempts)',
    'core.require_result()'
  ]::regprocedure[] loop
    execute format('revoke all on function %s from public, anon, authenticated, ifc_worker', item);
    execute format('grant execute on function %s to service_role', item);
  end loop;
end
$$;
