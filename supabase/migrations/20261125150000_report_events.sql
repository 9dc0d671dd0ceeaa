-- The weekly report is told to webhooks and listeners, as soon as its files are there: whoever was the
-- clock, pg_cron or a worker, it is a worker that writes the files.

alter table core.reports add column files text[] not null default '{}';
comment on column core.reports.files is 'Where its files are, as who wrote them sees them.';

alter table core.events drop constraint events_type_check;
alter table core.events add constraint events_type_check check (type in ('job.queued', 'job.running',
  'job.computed', 'job.finished', 'job.failed', 'job.cancelled', 'result.finished', 'report.weekly',
  'ping'));

create or replace function core.event_types() returns text[]
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select array['job.queued', 'job.running', 'job.computed', 'job.finished', 'job.failed',
               'job.cancelled', 'result.finished', 'report.weekly']
$$;

create function core.event_of_report() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into core.events (project_id, type, data)
  select new.project_id, 'report.weekly', jsonb_build_object(
           'report_id', new.id, 'files', to_jsonb(new.files),
           'since', new.document -> 'since', 'until', new.document -> 'until',
           'results', new.document -> 'results', 'inconclusive', new.document -> 'inconclusive',
           'failed_jobs', new.document -> 'failed_jobs',
           'new', coalesce(sum((c ->> 'new')::bigint), 0),
           'solved', coalesce(sum((c ->> 'solved')::bigint), 0),
           'open', coalesce(sum((c ->> 'open')::bigint), 0),
           'untested', coalesce(sum((c ->> 'untested')::bigint), 0),
           'disciplines', new.document -> 'disciplines')
    from jsonb_array_elements(new.document -> 'checks') c;
  return null;
end
$$;
comment on function core.event_of_report() is
  'Writes the event of a report whose files were made: its figures, and where they are.';
create trigger event_written after update of written_at on core.reports
  for each row when (old.written_at is null and new.written_at is not null)
  execute function core.event_of_report();
revoke all on function core.event_of_report() from public, anon, authenticated, ifc_worker;
grant execute on function core.event_of_report() to service_role;
