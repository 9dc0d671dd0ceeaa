-- What a conversion wrote and what it could not: counts, coverage and the elements left out.

alter table conversion.results
  add column selected int check (selected >= 0),
  add column converted int check (converted between 0 and selected),
  add column left_out_counts jsonb not null default '{}',
  add column counts jsonb not null default '{}';
comment on column conversion.results.selected is
  'Elements that were asked for; null where nobody counted.';
comment on column conversion.results.converted is 'Those of them that are in the output.';
comment on column conversion.results.left_out_counts is 'How many were left out, by reason.';
comment on column conversion.results.counts is
  'What the output holds: vertices, triangles, materials, storeys or properties.';

create table conversion.left_out (
  result_id bigint not null references conversion.results on delete cascade,
  element_id bigint not null references core.elements on delete cascade,
  reason text not null,
  detail text,
  primary key (result_id, element_id)
);
comment on table conversion.left_out is
  'The elements a conversion selected and could not write, each with the reason.';
comment on column conversion.left_out.detail is 'What the meshers said, for people.';
create index left_out_element on conversion.left_out (element_id);

create or replace view public.conversion_results with (security_invoker = true) as
  select id, input_filename, output_filename, conversion_options, created_at, project_id, job_id,
         accepted, verdict, coverage, warnings, engine, output_sha256, finished_at, selected,
         converted, left_out_counts, counts
    from conversion.results where state = 'finished';

create or replace function conversion.append_to(attempt core.attempts, result bigint, kind text, rows jsonb)
returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  mine conversion.results;
  given int;
  known int;
begin
  select r.* into mine from conversion.results r
    where r.id = append_to.result and r.job_id = attempt.job_id
      and (r.attempt_id = attempt.id or r.state = 'finished');
  if mine.id is null then
    perform core.refuse('404', 'not-found', 'this attempt has no such result');
  end if;
  if append_to.kind <> 'left_out' then
    perform core.no_rows('conversion', append_to.kind);
  end if;
  if mine.state = 'finished' then
    return;  -- an earlier attempt stored it all
  end if;
  with given as (
    select r.* from jsonb_to_recordset(append_to.rows)
      as r (input text, global_id text, n int, reason text, detail text)
  ), found as (
    select g.reason, g.detail, e.id
      from given g
      join core.job_inputs i on i.job_id = attempt.job_id and i.name = g.input
      join core.model_versions v on v.id = i.model_version_id
      -- Looked up one by one: elements just stored have no statistics yet to plan a join by.
      cross join lateral (
        select x.id from core.elements x
         where x.model_id = v.model_id and x.global_id = g.global_id and x.n = g.n offset 0) e
  ), stored as (
    insert into conversion.left_out (result_id, element_id, reason, detail)
    select mine.id, f.id, f.reason, f.detail from found f
    on conflict on constraint left_out_pkey do nothing
  )
  select (select count(*) from given), (select count(*) from found) into given, known;
  if known <> given then
    perform core.refuse('422', 'request-invalid', 'rows name an element that is not in the model');
  end if;
end
$$;
comment on function conversion.append_to(core.attempts, bigint, text, jsonb) is
  'Adds the elements left out to a conversion result; sending them twice does no harm.';

create or replace function conversion.finish(attempt core.attempts, result bigint, footer jsonb)
returns bigint language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  update conversion.results r set
    selected = (footer ->> 'selected')::int, converted = (footer ->> 'converted')::int,
    left_out_counts = coalesce(footer -> 'left_out_counts', '{}'),
    counts = coalesce(footer -> 'counts', '{}')
    where r.id = result and r.attempt_id = attempt.id and r.state = 'writing';
  return core.conclude('conversion', attempt, result, footer);
end
$$;
comment on function conversion.finish(core.attempts, bigint, jsonb) is
  'Makes a conversion result visible with what it holds and gives its id.';

alter table conversion.left_out enable row level security;
revoke all on conversion.left_out from public, anon, authenticated, ifc_worker;
grant select, insert, update, delete on conversion.left_out to service_role;
grant select on conversion.left_out to anon, authenticated;
create policy service on conversion.left_out to service_role using (true) with check (true);
-- Row-level security of results applies inside, so what is of an unfinished one stays hidden.
create policy read on conversion.left_out for select to anon, authenticated
  using (exists (select from conversion.results r where r.id = result_id));

do $$
declare
  item regprocedure;
begin
  foreach item in array array[
    'conversion.append_to(core.attempts, bigint, text, jsonb)',
    'conversion.finish(core.attempts, bigint, jsonb)'
  ]::regprocedure[] loop
    execute format('revoke all on function %s from public, anon, authenticated, ifc_worker', item);
    execute format('grant execute on function %s to service_role', item);
  end loop;
end
$$;
