-- The write API: how inventories and results get in. Each function needs the token of a live lease;
-- rows arrive as JSON (append_rows) or by COPY into a table made for it (copy_target, append_copied).

-- Tables rows are copied into ----------------------------------------------------------------------

create function core.writer() returns name language sql stable set search_path = pg_catalog, pg_temp as $$
  select coalesce(nullif(current_setting('role', true), 'none'), session_user)::name
$$;
comment on function core.writer() is 'The role a caller acts as, also inside a definer function.';

create function core.make_copy_target(kind text, writer text) returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  target text := 'incoming_' || kind;
  owner name;
begin
  select pg_get_userbyid(c.relowner) into owner from pg_class c
    where c.oid = to_regclass('pg_temp.' || quote_ident(target));
  if found then
    if owner <> current_user then
      perform core.refuse('409', 'conflict', format('a table %s is in the way', target));
    end if;
    execute format('truncate pg_temp.%I', target);
    execute format('grant insert on pg_temp.%I to %I', target, writer);
    return target;
  end if;
  case kind
    when 'elements' then
      create temporary table incoming_elements (
        global_id text, n int, ifc_class text, name text, storey text, physical boolean,
        has_representation boolean, signature core.signature) on commit drop;
    when 'sightings' then
      create temporary table incoming_sightings (
        a int, b int, a_position smallint, b_position smallint, kind smallint, measured smallint,
        distance double precision, p1x double precision, p1y double precision, p1z double precision,
        p2x double precision, p2y double precision, p2z double precision, smart_group int)
        on commit drop;
    else
      perform core.refuse('422', 'request-invalid', format('rows of kind %s are not copied', kind));
  end case;
  execute format('grant insert on pg_temp.%I to %I', target, writer);
  return target;
end
$$;
comment on function core.make_copy_target(text, text) is
  'An empty temporary table, ours, that the writer may only insert into; gone with the transaction.';

create function core.require_copied(kind text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select from pg_class c
                  where c.oid = to_regclass('pg_temp.' || quote_ident('incoming_' || kind))
                    and c.relkind = 'r' and c.relowner = (select r.oid from pg_roles r
                                                           where r.rolname = current_user)) then
    perform core.refuse('409', 'conflict', format('no rows of kind %s were copied', kind),
      'Ask for copy_target and copy into it, in the same transaction.');
  end if;
end
$$;
comment on function core.require_copied(text) is
  'Refuses to read a table or view that a caller put in the place of the copy target: what it would run, it would run with our rights.';

create function public.copy_target(lease_token uuid, kind text) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform core.live_attempt(lease_token);
  return core.make_copy_target(copy_target.kind, core.writer());
end
$$;
comment on function public.copy_target(uuid, text) is
  'Name of a temporary table to COPY rows of a kind into, before append_copied.';

-- Inventories --------------------------------------------------------------------------------------

create function core.writable_version(attempt core.attempts, version bigint) returns core.model_versions
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  found_version core.model_versions;
begin
  select v.* into found_version from core.model_versions v
    join core.job_inputs i on i.model_version_id = v.id
   where i.job_id = attempt.job_id and v.id = version limit 1;
  if found_version.id is null then
    perform core.refuse('403', 'conflict', 'that model version is not an input of this job');
  end if;
  return found_version;
end
$$;
comment on function core.writable_version(core.attempts, bigint) is
  'A model version the attempt may describe: one of its job''s inputs.';

create function core.take_elements(attempt core.attempts, version bigint) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform core.require_copied('elements');
  insert into core.incoming_elements (attempt_id, model_version_id, global_id, n, ifc_class, name,
                                      storey, physical, has_representation, signature)
  select attempt.id, version, i.global_id, i.n, i.ifc_class, i.name, i.storey, i.physical,
         i.has_representation, i.signature
    from pg_temp.incoming_elements i
  on conflict do nothing;
end
$$;
comment on function core.take_elements(core.attempts, bigint) is 'Moves copied inventory rows in.';

create function public.append_inventory(lease_token uuid, model_version bigint, rows jsonb)
returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  attempt core.attempts := core.live_attempt(lease_token);
begin
  perform core.writable_version(attempt, model_version);
  perform core.make_copy_target('elements', core.writer());
  insert into pg_temp.incoming_elements
    select * from jsonb_to_recordset(rows) as r (
      global_id text, n int, ifc_class text, name text, storey text, physical boolean,
      has_representation boolean, signature core.signature);
  perform core.take_elements(attempt, model_version);
end
$$;
comment on function public.append_inventory(uuid, bigint, jsonb) is
  'Adds elements to the inventory of a model version; sending rows twice does no harm.';

create function public.append_copied_inventory(lease_token uuid, model_version bigint)
returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  attempt core.attempts := core.live_attempt(lease_token);
begin
  perform core.writable_version(attempt, model_version);
  perform core.take_elements(attempt, model_version);
end
$$;
comment on function public.append_copied_inventory(uuid, bigint) is
  'The same for rows that were copied into copy_target(token, ''elements'').';

create function public.finish_inventory(lease_token uuid, model_version bigint, facts jsonb)
returns int language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  attempt core.attempts := core.live_attempt(lease_token);
  version core.model_versions := core.writable_version(attempt, model_version);
  earlier int;
  later int;
  expected int := (facts ->> 'elements')::int;
  stored int;
begin
  -- One inventory of a model at a time; a version is described once. New versions may be numbered
  -- meanwhile.
  if version.inventoried_at is null then
    perform pg_advisory_xact_lock(hashtextextended('ifcbase.inventory:' || version.model_id, 0));
    select v.* into version from core.model_versions v where v.id = model_version;
  end if;
  if version.inventoried_at is not null then
    delete from core.incoming_elements i
      where i.attempt_id = attempt.id and i.model_version_id = version.id;
    return version.elements;
  end if;
  select count(*) into stored from core.incoming_elements i
    where i.attempt_id = attempt.id and i.model_version_id = version.id;
  if stored is distinct from expected then
    perform core.refuse('409', 'conflict',
      format('the inventory has %s elements, %s arrived', expected, stored));
  end if;
  select max(v.number) into earlier from core.model_versions v
    where v.model_id = version.model_id and v.inventoried_at is not null and v.number < version.number;
  select min(v.number) into later from core.model_versions v
    where v.model_id = version.model_id and v.inventoried_at is not null and v.number > version.number;

  insert into core.elements (project_id, model_id, global_id, n)
  select version.project_id, version.model_id, i.global_id, i.n
    from core.incoming_elements i
   where i.attempt_id = attempt.id and i.model_version_id = version.id
   order by i.global_id, i.n
  on conflict do nothing;

  drop table if exists pg_temp.arriving;
  create temporary table arriving on commit drop as
  select e.id as element_id, i.ifc_class, i.name, i.storey, i.physical, i.has_representation,
         i.signature,
         md5(jsonb_build_array(i.ifc_class, i.name, i.storey, i.physical, i.has_representation,
                               (i.signature).properties, (i.signature).content)::text)::uuid
           as fingerprint
    from core.incoming_elements i
    join core.elements e
      on e.model_id = version.model_id and e.global_id = i.global_id and e.n = i.n
   where i.attempt_id = attempt.id and i.model_version_id = version.id;
  create unique index on pg_temp.arriving (element_id);
  analyze pg_temp.arriving;

  -- Ranges that run over this version with another content, or without the element, are cut.
  drop table if exists pg_temp.cut;
  create temporary table cut on commit drop as
  select c.* from core.content c
    left join pg_temp.arriving i on i.element_id = c.element_id and i.fingerprint = c.fingerprint
   where c.model_id = version.model_id and i.element_id is null
     and c.first_number < version.number
     and (c.last_number is null or c.last_number > version.number);
  update core.content c set last_number = earlier
    from pg_temp.cut k where c.element_id = k.element_id and c.first_number = k.first_number;
  insert into core.content (element_id, first_number, last_number, project_id, model_id, fingerprint,
                            ifc_class, name, storey, physical, has_representation, signature)
  select k.element_id, later, k.last_number, k.project_id, k.model_id, k.fingerprint, k.ifc_class,
         k.name, k.storey, k.physical, k.has_representation, k.signature
    from pg_temp.cut k where later is not null;

  -- The same content up to the version before, or from the version after on, is stretched.
  update core.content c set last_number = version.number
    from pg_temp.arriving i
   where c.element_id = i.element_id and c.fingerprint = i.fingerprint and c.last_number = earlier
     and not exists (select from pg_temp.cut k
                      where k.element_id = c.element_id and k.first_number = c.first_number);
  update core.content c set first_number = version.number
    from pg_temp.arriving i
   where c.element_id = i.element_id and c.fingerprint = i.fingerprint and c.first_number = later;

  insert into core.content (element_id, first_number, last_number, project_id, model_id, fingerprint,
                            ifc_class, name, storey, physical, has_representation, signature)
  select i.element_id, version.number, case when later is null then null else version.number end,
         version.project_id, version.model_id, i.fingerprint, i.ifc_class, i.name, i.storey,
         i.physical, i.has_representation, i.signature
    from pg_temp.arriving i
   where not exists (
     select from core.content c
      where c.element_id = i.element_id and c.first_number <= version.number
        and (c.last_number is null or c.last_number >= version.number));

  update core.model_versions v set inventoried_at = now(), elements = expected,
    ifc_schema = facts ->> 'schema', repeated_ids = (facts ->> 'repeated_ids')::int
    where v.id = version.id;
  delete from core.incoming_elements i
    where i.attempt_id = attempt.id and i.model_version_id = version.id;
  drop table pg_temp.arriving;
  drop table pg_temp.cut;
  return expected;
end
$$;
comment on function public.finish_inventory(uuid, bigint, jsonb) is
  'Makes the appended elements the content of a model version; versions may come in any order.';

-- Clash results ------------------------------------------------------------------------------------

create function clash.set_version(project bigint, set_name text, definition jsonb, definition_hash text)
returns clash.set_versions language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  chain clash.sets;
  version clash.set_versions;
begin
  insert into clash.sets (project_id, name) values (project, set_name)
    on conflict (project_id, name) do nothing;
  select * into strict chain from clash.sets s
    where s.project_id = project and s.name = set_name for no key update;
  select * into version from clash.set_versions v
    where v.set_id = chain.id and v.hash = definition_hash;
  if not found then
    insert into clash.set_versions (project_id, set_id, number, definition, hash)
    values (project, chain.id,
            (select coalesce(max(v.number), 0) + 1 from clash.set_versions v where v.set_id = chain.id),
            set_version.definition, definition_hash)
    returning * into version;
  end if;
  return version;
end
$$;
comment on function clash.set_version(bigint, text, jsonb, text) is
  'The version of a clash set with this definition; a new definition makes a new version.';

create function clash.open_result(attempt core.attempts, header jsonb) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  version clash.set_versions := clash.set_version(
    attempt.project_id, header ->> 'set', header -> 'definition', header ->> 'definition_hash');
  made bigint;
begin
  select r.id into made from clash.results r
    where r.attempt_id = attempt.id and r.set_id = version.set_id;
  if found then
    return made;
  end if;
  insert into clash.results (project_id, job_id, attempt_id, set_id, set_version_id, accepted, state,
                             clash_set_name, output_filename, settings)
  select attempt.project_id, attempt.job_id, attempt.id, version.set_id, version.id, j.accepted,
         'writing', header ->> 'set', header ->> 'output_filename', header -> 'settings'
    from core.jobs j where j.id = attempt.job_id
  returning id into made;
  return made;
end
$$;
comment on function clash.open_result(core.attempts, jsonb) is
  'Opens the result of one clash set; opening it again gives the same id.';

create function clash.append_coverage(result clash.results, rows jsonb) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  line record;
  chosen bigint;
begin
  for line in
    select * from jsonb_to_recordset(rows) as r (
      "position" smallint, side text, input text, mode text, selector text, selected int, tested int,
      left_out jsonb, matched jsonb)
  loop
    chosen := null;
    if line.selector <> '' then
      select s.id into chosen from core.selections s
        join core.job_inputs i on i.job_id = result.job_id and i.name = line.input
       where s.model_version_id = i.model_version_id and s.selector = line.selector;
      if not found then
        perform core.refuse('422', 'request-invalid',
          format('what %s matches in %s was not appended', line.selector, line.input));
      end if;
    end if;
    insert into clash.coverage (result_id, "position", project_id, side, model_version_id, file_name,
                                mode, selector, selection_id, selected, tested, left_out)
    select result.id, line."position", result.project_id, line.side, i.model_version_id, i.name,
           line.mode, line.selector, chosen, line.selected, line.tested, line.left_out
      from core.job_inputs i where i.job_id = result.job_id and i.name = line.input
    on conflict do nothing;
    if not exists (select from core.job_inputs i where i.job_id = result.job_id and i.name = line.input)
    then
      perform core.refuse('422', 'request-invalid', format('the job has no input %s', line.input));
    end if;
  end loop;
end
$$;
comment on function clash.append_coverage(clash.results, jsonb) is
  'What each side of the set selected and tested in each file.';

create function clash.take_sightings(result clash.results) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform core.require_copied('sightings');
  analyze pg_temp.incoming_sightings;
  -- One writer of a chain at a time: each new pair is one finding.
  perform 1 from clash.sets s where s.id = result.set_id for no key update;
  with seen as (
    select distinct least(a.element_id, b.element_id) as a_element,
           greatest(a.element_id, b.element_id) as b_element
      from pg_temp.incoming_sightings i
      join clash.result_elements a on a.result_id = result.id and a.ref = i.a
      join clash.result_elements b on b.result_id = result.id and b.ref = i.b
  ), fresh as materialized (
    select nextval(pg_get_serial_sequence('core.findings', 'id')) as id, s.a_element, s.b_element
      from seen s
     where not exists (select from clash.pairs p where p.set_id = result.set_id
                        and p.a_element = s.a_element and p.b_element = s.b_element)
  ), found as (
    insert into core.findings (id, project_id, check_name)
    select f.id, result.project_id, 'clash' from fresh f
  )
  insert into clash.pairs (id, project_id, set_id, a_element, b_element)
  select f.id, result.project_id, result.set_id, f.a_element, f.b_element from fresh f;
  insert into clash.sightings (result_id, pair_id, distance, p1x, p1y, p1z, p2x, p2y, p2z,
                               smart_group, a_position, b_position, kind, measured, flipped)
  select result.id, p.id, i.distance, i.p1x, i.p1y, i.p1z, i.p2x, i.p2y, i.p2z,
         nullif(i.smart_group, -1), i.a_position, i.b_position, i.kind, i.measured, a.element_id > b.element_id
    from pg_temp.incoming_sightings i
    join clash.result_elements a on a.result_id = result.id and a.ref = i.a
    join clash.result_elements b on b.result_id = result.id and b.ref = i.b
    join clash.pairs p on p.set_id = result.set_id
     and p.a_element = least(a.element_id, b.element_id)
     and p.b_element = greatest(a.element_id, b.element_id)
  on conflict do nothing;
end
$$;
comment on function clash.take_sightings(clash.results) is
  'Moves copied sightings in, giving each its lasting pair.';

create function clash.append_rows(result clash.results, kind text, rows jsonb) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  case kind
    when 'selection' then
      perform clash.append_selection(result, rows);
    when 'coverage' then
      perform clash.append_coverage(result, rows);
    when 'elements' then
      insert into clash.result_elements (result_id, ref, element_id)
      select result.id, r.ref, e.id
        from jsonb_to_recordset(rows) as r (ref int, input text, global_id text, n int)
        join core.job_inputs i on i.job_id = result.job_id and i.name = r.input
        join core.model_versions v on v.id = i.model_version_id
        -- Looked up one by one: elements just stored have no statistics yet to plan a join by.
        cross join lateral (
          select x.id from core.elements x
           where x.model_id = v.model_id and x.global_id = r.global_id and x.n = r.n offset 0) e
      on conflict do nothing;
      perform clash.require_known(result, array(
        select r.ref from jsonb_to_recordset(rows) as r (ref int)));
    when 'left_out' then
      perform clash.require_known(result, array(
        select r.element from jsonb_to_recordset(rows) as r (element int)));
      insert into clash.left_out (result_id, "position", element_id, reason)
      select result.id, r."position", e.element_id, r.reason
        from jsonb_to_recordset(rows) as r ("position" smallint, element int, reason text)
        join clash.result_elements e on e.result_id = result.id and e.ref = r.element
      on conflict do nothing;
    when 'sightings' then
      perform core.make_copy_target('sightings', core.writer());
      insert into pg_temp.incoming_sightings
        select * from jsonb_to_recordset(rows) as r (
          a int, b int, a_position smallint, b_position smallint, kind smallint, measured smallint,
          distance double precision, p1x double precision, p1y double precision, p1z double precision,
          p2x double precision, p2y double precision, p2z double precision, smart_group int);
      perform clash.take_sightings(result);
    else
      perform core.refuse('422', 'request-invalid', format('a clash result has no rows of kind %s', kind));
  end case;
end
$$;
comment on function clash.append_rows(clash.results, text, jsonb) is
  'Adds rows to a clash result that is being written; sending them twice does no harm.';

create function clash.require_known(result clash.results, refs int[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  stranger int;
begin
  -- A set operation: without statistics on rows just written a join would compare all with all.
  select x.ref into stranger from (
    select r.ref from unnest(refs) as r (ref)
    except
    select e.ref from clash.result_elements e where e.result_id = result.id) x limit 1;
  if found then
    perform core.refuse('422', 'request-invalid',
      format('element %s is in no inventory of the job''s inputs', coalesce(stranger::text, 'null')));
  end if;
end
$$;
comment on function clash.require_known(clash.results, int[]) is
  'Refuses numbers that stand for no element: rows about them would be lost.';

create function clash.append_selection(result clash.results, rows jsonb) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  line record;
  chosen bigint;
begin
  for line in
    select r.*, v.id as version_id, v.model_id from jsonb_to_recordset(rows) as r (
      input text, selector text, matched jsonb)
    left join core.job_inputs i on i.job_id = result.job_id and i.name = r.input
    left join core.model_versions v on v.id = i.model_version_id
    order by v.id, r.selector
  loop
    if line.version_id is null then
      perform core.refuse('422', 'request-invalid', format('the job has no model %s', line.input));
    end if;
    insert into core.selections (project_id, model_version_id, selector)
    values (result.project_id, line.version_id, line.selector)
    on conflict do nothing;
    select s.id into strict chosen from core.selections s
      where s.model_version_id = line.version_id and s.selector = line.selector;
    insert into core.selection_elements (selection_id, element_id)
    select chosen, e.id
      from jsonb_array_elements(line.matched) as m
      join core.elements e on e.model_id = line.model_id
       and e.global_id = m ->> 0 and e.n = (m ->> 1)::int
    on conflict do nothing;
    if exists (
         select from jsonb_array_elements(line.matched) as m
           left join core.elements e on e.model_id = line.model_id
            and e.global_id = m ->> 0 and e.n = (m ->> 1)::int
          where e.id is null) then
      perform core.refuse('422', 'request-invalid',
        format('%s names elements that are in no inventory of %s', line.selector, line.input));
    end if;
  end loop;
end
$$;
comment on function clash.append_selection(clash.results, jsonb) is
  'The elements a selector matched in a model version: [GlobalId, n] each, shared by all results.';

create function clash.finish_result(result clash.results, footer jsonb) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  standing bigint;
  arrived int;
  expected int := (footer ->> 'clash_count')::int;
  gap smallint;
begin
  -- One finish of a set at a time, so that the chain has one first result.
  perform 1 from clash.sets s where s.id = result.set_id for no key update;
  select r.id into standing from clash.results r
    where r.job_id = result.job_id and r.set_id = result.set_id and r.state = 'finished';
  if found then
    if standing <> result.id then
      delete from clash.results r where r.id = result.id;
    end if;
    return standing;
  end if;
  -- Counted as the document shows them: of a known kind, between sides whose coverage is known.
  select count(*) into arrived from clash.sightings s
    join clash.kinds k on k.kind = s.kind
    join clash.coverage a on a.result_id = s.result_id and a."position" = s.a_position
    join clash.coverage b on b.result_id = s.result_id and b."position" = s.b_position
   where s.result_id = result.id;
  if arrived is distinct from expected then
    perform core.refuse('409', 'conflict',
      format('the result counts %s clashes, %s arrived', expected, arrived));
  end if;
  if not exists (select from clash.coverage c where c.result_id = result.id and c.side = 'a') then
    perform core.refuse('409', 'conflict', 'a result must say what it tested');
  end if;
  select c."position" into gap from clash.coverage c
   where c.result_id = result.id and c.selected - c.tested <> (
     select count(*) from clash.left_out l
      where l.result_id = c.result_id and l."position" = c."position") limit 1;
  if found then
    perform core.refuse('409', 'conflict',
      format('the result does not name every element that coverage %s left out', gap));
  end if;
  update clash.results r set state = 'finished', finished_at = clock_timestamp(),
    clash_count = expected, verdict = footer ->> 'verdict',
    coverage = (footer ->> 'coverage')::double precision,
    related_left_out = coalesce((footer ->> 'related_left_out')::int, 0),
    touching = coalesce((footer ->> 'touching')::int, 0),
    warnings = coalesce((select array_agg(w) from jsonb_array_elements_text(footer -> 'warnings') w), '{}'),
    engine = footer -> 'engine', incomplete = footer ->> 'incomplete',
    measure_version = footer -> 'engine' ->> 'measure_version', output_sha256 = footer ->> 'output_sha256'
    where r.id = result.id;
  perform clash.link_chain(result.set_id);
  delete from clash.result_elements e where e.result_id = result.id;
  perform core.tell(result.project_id, 'result', result.id::text);
  return result.id;
end
$$;
comment on function clash.finish_result(clash.results, jsonb) is
  'Makes a result visible, once per (job, clash set): a second one gives way to the first.';

create function clash.link_chain(chain bigint) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  origin bigint;
begin
  select r.id into origin from clash.results r
    where r.set_id = chain and r.state = 'finished' order by r.accepted, r.id limit 1;
  update clash.results r set original_clash_id = nullif(origin, r.id)
    where r.set_id = chain and r.state = 'finished' and not r.original_given
      and r.original_clash_id is distinct from nullif(origin, r.id);
end
$$;
comment on function clash.link_chain(bigint) is
  'Points every result of a chain at its first one, also when a late result turns out to be the first.';

-- The doors ----------------------------------------------------------------------------------------

create function clash.writing(attempt core.attempts, result_id bigint) returns clash.results
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  result clash.results;
begin
  select * into result from clash.results r
    where r.id = result_id and r.attempt_id = attempt.id;
  if not found then
    perform core.refuse('404', 'not-found', 'this attempt has no such result');
  end if;
  return result;
end
$$;
comment on function clash.writing(core.attempts, bigint) is 'A result of the attempt that writes it.';

create function core.check_of(attempt core.attempts) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select j.check_name from core.jobs j where j.id = attempt.job_id
$$;
comment on function core.check_of(core.attempts) is 'The check an attempt computes.';

create function public.open_result(lease_token uuid, header jsonb) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  attempt core.attempts := core.live_attempt(lease_token);
begin
  case core.check_of(attempt)
    when 'clash' then return clash.open_result(attempt, header);
    else perform core.refuse('422', 'request-invalid', 'this check writes no rows');
  end case;
end
$$;
comment on function public.open_result(uuid, jsonb) is 'Opens a result; opening it again gives the same id.';

create function public.append_rows(lease_token uuid, result bigint, kind text, rows jsonb) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  attempt core.attempts := core.live_attempt(lease_token);
  open_result clash.results := clash.writing(attempt, result);
begin
  if open_result.state = 'writing' then
    perform clash.append_rows(open_result, append_rows.kind, append_rows.rows);
  end if;
end
$$;
comment on function public.append_rows(uuid, bigint, text, jsonb) is
  'Adds rows of a kind to an open result; sending them twice does no harm.';

create function public.append_copied(lease_token uuid, result bigint, kind text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  attempt core.attempts := core.live_attempt(lease_token);
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
comment on function public.append_copied(uuid, bigint, text) is
  'The same for rows that were copied into copy_target.';

create function public.add_output(lease_token uuid, sha256 text, size bigint, name text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  attempt core.attempts := core.live_attempt(lease_token);
begin
  perform core.add_file(attempt.project_id, add_output.sha256, add_output.size, add_output.name);
end
$$;
comment on function public.add_output(uuid, text, bigint, text) is
  'Notes a file the job made; its bytes were put into the files backend before.';

create function public.finish_result(lease_token uuid, result bigint, footer jsonb) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  attempt core.attempts := core.live_attempt(lease_token);
begin
  return clash.finish_result(clash.writing(attempt, result), footer);
end
$$;
comment on function public.finish_result(uuid, bigint, jsonb) is
  'Makes a result visible and gives its id (that of the one already there, if the job has one).';
