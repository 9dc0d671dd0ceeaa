-- Matching: what the worker that read a model version needs to say which of its elements are those
-- of the version before, and how a person settles what is doubtful.

-- "Not any of what came after" is a statement without a second element, too.
alter table core.links drop constraint links_check;
alter table core.links add constraint links_named
  check (to_element is not null or verdict in ('doubtful', 'different'));
create index links_version on core.links (model_version_id);

alter table core.model_versions
  add column matched_with bigint references core.model_versions on delete set null;
comment on column core.model_versions.matched_with is
  'The version it was matched with: the nearest inventoried one before it; null for the first.';

create function core.version_before(version bigint) returns bigint
language sql stable set search_path = pg_catalog, pg_temp as $$
  select b.id from core.model_versions v
    join core.model_versions b on b.model_id = v.model_id and b.number < v.number
   where v.id = version and b.inventoried_at is not null
   order by b.number desc limit 1
$$;
comment on function core.version_before(bigint) is 'The nearest inventoried version before one.';

create function core.matchable_versions(attempt core.attempts) returns setof core.model_versions
language sql stable set search_path = pg_catalog, pg_temp as $$
  -- The job's inputs, and what follows each: a late version comes between two others.
  with given as (
    select distinct v.* from core.job_inputs i join core.model_versions v on v.id = i.model_version_id
     where i.job_id = attempt.job_id and v.inventoried_at is not null
  )
  select * from given
  union
  select later.* from given g
    cross join lateral (
      select v.* from core.model_versions v
       where v.model_id = g.model_id and v.number > g.number and v.inventoried_at is not null
       order by v.number limit 1) later
$$;
comment on function core.matchable_versions(core.attempts) is
  'Versions an attempt may match: its job''s inputs and the next inventoried one after each.';

create function core.matchable_version(attempt core.attempts, version bigint)
returns core.model_versions language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  found_version core.model_versions;
begin
  select v.* into found_version from core.matchable_versions(attempt) v where v.id = version;
  if found_version.id is null then
    perform core.refuse('403', 'conflict', 'this job has no such inventoried model version to match');
  end if;
  return found_version;
end
$$;
comment on function core.matchable_version(core.attempts, bigint) is 'One of matchable_versions, or refused.';

create function public.matching_due(lease_token uuid) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  attempt core.attempts := core.live_attempt(lease_token);
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object(
             'version', v.id, 'model', v.model_id, 'previous', core.version_before(v.id))
             order by v.model_id, v.number), '[]')
      from core.matchable_versions(attempt) v
     where v.matched_at is null or v.matched_with is distinct from core.version_before(v.id));
end
$$;
comment on function public.matching_due(uuid) is
  'The model versions of a job that are not matched with the version before them yet.';

create function public.unmatched_content(lease_token uuid, model_version bigint)
returns table (element_id bigint, earlier boolean, global_id text, n int, ifc_class text,
               px double precision, py double precision, pz double precision,
               cx double precision, cy double precision, cz double precision,
               ex real, ey real, ez real, volume double precision, area double precision,
               vertices int, properties bigint, content bigint)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  attempt core.attempts := core.live_attempt(lease_token);
  version core.model_versions := core.matchable_version(attempt, unmatched_content.model_version);
  before core.model_versions;
begin
  select v.* into before from core.model_versions v where v.id = core.version_before(version.id);
  if before.id is null then
    return;
  end if;
  return query
  with standing as (
    select c.element_id, c.ifc_class, c.signature,
           c.first_number <= before.number
             and (c.last_number is null or c.last_number >= before.number) as then_there,
           c.first_number <= version.number
             and (c.last_number is null or c.last_number >= version.number) as now_there
      from core.content c
     where c.model_id = version.model_id and c.first_number <= version.number
       and (c.last_number is null or c.last_number >= before.number)
  ), once as (
    -- One row of content holds then or now, never both: else the element is in both versions.
    select s.element_id, bool_or(s.then_there) as then_there, bool_or(s.now_there) as now_there,
           (array_agg(s.ifc_class) filter (where s.then_there or s.now_there))[1] as ifc_class,
           (array_agg(s.signature) filter (where s.then_there or s.now_there))[1] as signature
      from standing s group by s.element_id
  )
  select o.element_id, o.then_there, e.global_id, e.n, o.ifc_class,
         (o.signature).px, (o.signature).py, (o.signature).pz,
         (o.signature).cx, (o.signature).cy, (o.signature).cz,
         (o.signature).ex, (o.signature).ey, (o.signature).ez,
         (o.signature).volume, (o.signature).area, (o.signature).vertices,
         (o.signature).properties, (o.signature).content
    from once o join core.elements e on e.id = o.element_id
   where o.then_there <> o.now_there
   order by o.element_id;
end
$$;
comment on function public.unmatched_content(uuid, bigint) is
  'The elements of the version before (earlier) that are missing in a version, and those that are '
  'new in it: an element in both has kept its id.';

create function public.store_links(lease_token uuid, model_version bigint, previous bigint, rows jsonb)
returns int language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  attempt core.attempts := core.live_attempt(lease_token);
  version core.model_versions := core.matchable_version(attempt, model_version);
  stated int;
  changed bigint[];
begin
  perform pg_advisory_xact_lock(hashtextextended('ifcbase.inventory:' || version.model_id, 0));
  if core.version_before(version.id) is distinct from previous then
    perform core.refuse('409', 'conflict', 'another version came in between: match again');
  end if;

  drop table if exists pg_temp.statements;
  create temporary table statements on commit drop as
  select r."from" as from_element, r."to" as to_element, r.verdict, r.method, r.confidence
    from jsonb_to_recordset(rows) as r (
      "from" bigint, "to" bigint, verdict text, method text, confidence double precision);
  analyze pg_temp.statements;
  if exists (
       select from pg_temp.statements s
        where s.method not in ('content', 'nearest', 'moved') or s.verdict not in ('same', 'doubtful')
           or not exists (
                select from core.elements e
                  join core.model_versions v on v.model_id = e.model_id
                  join core.job_inputs i on i.model_version_id = v.id and i.job_id = attempt.job_id
                 where e.id = s.from_element and (s.method = 'moved' or e.model_id = version.model_id))
           or (s.to_element is not null and not exists (
                select from core.content c
                 where c.element_id = s.to_element and c.model_id = version.model_id
                   and c.first_number <= version.number
                   and (c.last_number is null or c.last_number >= version.number)))) then
    perform core.refuse('422', 'request-invalid', 'a statement is about elements of other versions');
  end if;

  drop table if exists pg_temp.standing;
  create temporary table standing on commit drop as
  select distinct on (least(l.from_element, l.to_element), greatest(l.from_element, l.to_element)) l.*
    from (select o.* from core.links o join pg_temp.statements s on s.from_element = o.from_element
          union
          select o.* from core.links o join pg_temp.statements s on s.to_element = o.to_element
          union
          select o.* from core.links o where o.model_version_id = version.id) l
   order by least(l.from_element, l.to_element), greatest(l.from_element, l.to_element), l.id desc;

  -- What was said about this version and is not said any more: first, since any later statement
  -- that is no doubt ends a doubt about nobody in particular.
  with withdrawn as (
    insert into core.links (project_id, from_element, to_element, model_version_id, verdict, method,
                            confidence, note)
    select version.project_id, f.from_element, f.to_element, version.id, 'different', f.method, 0,
           'withdrawn: matched again with another version before it'
      from pg_temp.standing f
      join core.elements e on e.id = f.from_element and e.model_id = version.model_id
     where f.model_version_id = version.id and f.method in ('content', 'nearest')
       and f.verdict <> 'different'
       and not exists (select from pg_temp.statements s where s.from_element = f.from_element
                          and s.to_element is not distinct from f.to_element)
    returning from_element, to_element
  )
  select count(*), coalesce(array_agg(w.from_element) || array_agg(w.to_element), '{}')
    into stated, changed from withdrawn w;

  -- Never over a person, and nothing that holds already.
  with told as (
    insert into core.links (project_id, from_element, to_element, model_version_id, verdict, method,
                            confidence)
    select version.project_id, s.from_element, s.to_element, version.id, s.verdict, s.method,
           s.confidence
      from pg_temp.statements s
     where not exists (
             select from pg_temp.standing f where f.from_element = s.from_element
                and f.to_element is not distinct from s.to_element
                and (f.method = 'person' or (f.verdict = s.verdict and f.method = s.method)))
       and not exists (
             select from pg_temp.standing f where f.method = 'person' and f.verdict = 'same'
                and f.to_element = s.to_element)
       and not exists (
             select from pg_temp.standing f where f.method = 'person' and f.verdict = 'same'
                and f.from_element = s.from_element and f.model_version_id = version.id)
    returning from_element, to_element
  )
  select stated + count(*), changed || coalesce(array_agg(t.from_element) || array_agg(t.to_element), '{}')
    into stated, changed from told t;
  drop table pg_temp.statements;
  drop table pg_temp.standing;

  if stated > 0 then
    perform core.refresh_identities(array(
      select distinct c from unnest(changed) c where c is not null));
  end if;
  -- Results on a version that was not matched until now are judged again by a trigger.
  update core.model_versions v set matched_at = now(), matched_with = previous where v.id = version.id;
  return stated;
end
$$;
comment on function public.store_links(uuid, bigint, bigint, jsonb) is
  'Appends what matching a version with the one before it (previous) found, and marks it matched.';

create function core.open_doubts(project bigint) returns setof core.links
language sql stable set search_path = pg_catalog, pg_temp as $$
  -- As core.in_doubt sees it: who surely is somebody is not in doubt any more.
  with said as materialized (
    select l.* from core.links_in_force() l where l.project_id = project
  )
  select d.* from said d
   where d.verdict = 'doubtful'
     and not exists (select from said s where s.from_element = d.from_element and s.verdict = 'same')
     and (d.to_element is not null
          or not exists (select from said s where s.from_element = d.from_element and s.id > d.id
                            and s.verdict <> 'doubtful'))
$$;
comment on function core.open_doubts(bigint) is 'Doubtful statements of a project that nobody settled.';

create function core.state_link(from_element bigint, to_element bigint, verdict text, note text default null,
                                decided_by uuid default auth.uid())
returns bigint language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
  old core.elements;
  new core.elements;
  doubt core.links;
  version core.model_versions;
  made bigint;
begin
  select e.* into old from core.elements e where e.id = from_element;
  select e.* into new from core.elements e where e.id = to_element;
  if old.id is null or (to_element is not null and (new.id is null or new.project_id <> old.project_id)) then
    perform core.refuse('404', 'not-found', 'there are no two such elements in one project');
  end if;
  if verdict not in ('same', 'different') or (verdict = 'same' and to_element is null) then
    perform core.refuse('422', 'request-invalid', 'a person says "same" or "different" of two elements');
  end if;
  if verdict = 'same' and exists (
       select from core.content a join core.content b on b.model_id = a.model_id
        where a.element_id = old.id and b.element_id = new.id
          and a.first_number <= coalesce(b.last_number, 2147483647)
          and b.first_number <= coalesce(a.last_number, 2147483647)) then
    perform core.refuse('409', 'conflict', 'both are in the same version of a model: they are two things');
  end if;
  select l.* into doubt from core.links l
    where l.from_element = old.id and l.verdict = 'doubtful'
      and (l.to_element = to_element or to_element is null or l.to_element is null)
    order by (l.to_element is not distinct from to_element) desc, l.id desc limit 1;
  select v.* into version from core.model_versions v where v.id = coalesce(doubt.model_version_id, (
    -- No doubt was stated: it is about the version in which the second first was, or the first last.
    select w.id from core.content c
      join core.model_versions w on w.model_id = c.model_id and w.number >= c.first_number
     where c.element_id = coalesce(new.id, old.id) order by w.number limit 1));
  if verdict = 'same' then
    -- It is this one, hence no other one of that version.
    insert into core.links (project_id, from_element, to_element, model_version_id, verdict, method,
                            confidence, decided_by, note)
    select l.project_id, l.from_element, l.to_element, l.model_version_id, 'different', 'person', 1,
           decided_by, note
      from core.links_in_force() l
     where l.from_element = old.id and l.verdict = 'doubtful' and l.to_element is distinct from new.id
       and l.model_version_id = version.id;
  end if;
  insert into core.links (project_id, from_element, to_element, model_version_id, verdict, method,
                          confidence, decided_by, note)
  values (old.project_id, old.id, new.id, version.id, verdict, 'person', 1, decided_by, note)
  returning id into made;
  perform core.refresh_identities(array_remove(array[old.id, new.id], null));
  return made;
end
$$;
comment on function core.state_link(bigint, bigint, text, text, uuid) is
  'A person says that an element is, or is not, the one that came before it; without a second '
  'element: that it is none of what came after. States follow at once.';

do $$
declare
  door regprocedure;
  room text;
begin
  foreach room in array array['core'] loop
    execute format('revoke all on all functions in schema %I from public, anon, authenticated', room);
    execute format('grant execute on all functions in schema %I to service_role', room);
  end loop;
  foreach door in array array[
    'public.matching_due(uuid)',
    'public.unmatched_content(uuid, bigint)',
    'public.store_links(uuid, bigint, bigint, jsonb)'
  ]::regprocedure[] loop
    execute format('revoke all on function %s from public, anon, authenticated', door);
    execute format('grant execute on function %s to service_role, ifc_worker', door);
  end loop;
end
$$;
