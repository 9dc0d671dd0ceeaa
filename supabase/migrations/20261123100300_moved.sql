-- Elements that moved to another model whose version came with another job: what left or arrived in
-- the last step of every other model of the project is compared, too.

create index content_ended on core.content (model_id, last_number) where last_number is not null;
create index job_inputs_version on core.job_inputs (model_version_id);

create function core.first_given(version bigint) returns bigint
language sql stable set search_path = pg_catalog, pg_temp as $$
  select min(j.accepted) from core.job_inputs i join core.jobs j on j.id = i.job_id
   where i.model_version_id = version
$$;
comment on function core.first_given(bigint) is 'When the first job with a model version was accepted.';

create function public.moved_candidates(lease_token uuid, earlier boolean, classes text[] default null)
returns table (version bigint, model bigint, element_id bigint, was_earlier boolean, global_id text, n int,
               ifc_class text, px double precision, py double precision, pz double precision,
               cx double precision, cy double precision, cz double precision,
               ex real, ey real, ez real, volume double precision, area double precision,
               vertices int, properties bigint, content bigint)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  attempt core.attempts := core.live_attempt(lease_token);
  since bigint;
begin
  -- A step counts that came with a later job than the versions before those that are due: what two
  -- models brought at once stands in both.
  select min(core.first_given(b.id)) into since
    from core.matchable_versions(attempt) v
    join core.model_versions b on b.id = core.version_before(v.id)
   where v.matched_at is null or v.matched_with is distinct from b.id;
  return query
  with due as materialized (
    select v.id, v.model_id from core.matchable_versions(attempt) v
     where v.matched_at is null or v.matched_with is distinct from core.version_before(v.id)
  ), latest as materialized (
    select distinct on (v.model_id) v.id, v.model_id, v.number
      from core.model_versions v
     where v.project_id = attempt.project_id and v.inventoried_at is not null
     order by v.model_id, v.number desc
  ), steps as materialized (
    select l.*, b.number as before
      from latest l left join core.model_versions b on b.id = core.version_before(l.id)
     where not exists (select from due d where d.model_id = l.model_id)
           and (since is null or core.first_given(l.id) > since)
        -- All of a model's first version is new in it: unmatched_content says nothing of it.
        or b.id is null and exists (select from due d where d.id = l.id)
  ), found as (
    select s.id, s.model_id, c.element_id, c.ifc_class, c.signature
      from steps s
      join core.content c on c.model_id = s.model_id and c.last_number = s.before
     where moved_candidates.earlier
       and not exists (select from core.content k
                        where k.element_id = c.element_id and k.first_number <= s.number
                          and (k.last_number is null or k.last_number >= s.number))
       and not exists (select from core.links_on(array[c.element_id]) k
                        where k.from_element = c.element_id and k.verdict = 'same')
    union all
    select s.id, s.model_id, c.element_id, c.ifc_class, c.signature
      from steps s
      join core.content c on c.model_id = s.model_id and c.first_number = s.number
     where not moved_candidates.earlier
       and (classes is null or c.ifc_class = any(classes))
       and not exists (select from core.content k
                        where k.element_id = c.element_id and k.first_number <= s.before
                          and (k.last_number is null or k.last_number >= s.before))
       and not exists (select from core.links_on(array[c.element_id]) k
                        where k.to_element = c.element_id and k.verdict = 'same')
  )
  select f.id, f.model_id, f.element_id, moved_candidates.earlier, e.global_id, e.n, f.ifc_class,
         (f.signature).px, (f.signature).py, (f.signature).pz,
         (f.signature).cx, (f.signature).cy, (f.signature).cz,
         (f.signature).ex, (f.signature).ey, (f.signature).ez,
         (f.signature).volume, (f.signature).area, (f.signature).vertices,
         (f.signature).properties, (f.signature).content
    from found f join core.elements e on e.id = f.element_id
   order by f.element_id;
end
$$;
comment on function public.moved_candidates(uuid, boolean, text[]) is
  'What left (earlier) or arrived in the last step of each model of the project that the job brings '
  'nothing new of, and is linked with nothing: it may have moved. Arrivals of some classes only, if '
  'they are given; with them the first versions that the job brings.';

create or replace function public.store_links(lease_token uuid, model_version bigint, previous bigint, rows jsonb)
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
  -- A move is a statement on the version of arrival; where the arrival came with another job and was
  -- there before, on the version of departure, and then only a doubt: both were there for a while.
  if exists (
       select from pg_temp.statements s
         left join core.elements e on e.id = s.from_element and e.project_id = version.project_id
         left join core.elements t on t.id = s.to_element and t.project_id = version.project_id
        where s.method not in ('content', 'nearest', 'moved') or s.verdict not in ('same', 'doubtful')
           or e.id is null or (s.to_element is not null and t.id is null)
           or (s.method <> 'moved' and e.model_id <> version.model_id)
           or (s.method = 'moved' and (t.id is null or e.model_id = t.model_id))
           or (t.model_id = version.model_id and not exists (
                select from core.content c
                 where c.element_id = t.id and c.first_number <= version.number
                   and (c.last_number is null or c.last_number >= version.number)))
           or (t.model_id <> version.model_id
               and (s.method <> 'moved' or s.verdict <> 'doubtful' or e.model_id <> version.model_id))
     ) then
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

revoke all on function core.first_given(bigint) from public, anon, authenticated, ifc_worker;
grant execute on function core.first_given(bigint) to service_role;
revoke all on function public.moved_candidates(uuid, boolean, text[])
  from public, anon, authenticated, ifc_worker;
grant execute on function public.moved_candidates(uuid, boolean, text[]) to service_role, ifc_worker;
