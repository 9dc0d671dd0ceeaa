-- Operations: schedules, retention, reports, figures, and what was done.

-- note: something was done to the ledger itself
insert into core.operations (kind, details) values (%(kind)s, %(details)s)

-- take_clock: who calls what is due: pg_cron where it is installed and lets us, else the workers
select core.take_clock()

-- run_due: do what is due, as a worker; a line for each
select core.run_due('worker')

-- schedules: what is done by itself, how often, and when next
select name, active, every::text as every, next_at, settings, core.clock() as clock
  from core.schedules order by name

-- set_schedule: switch a schedule on or off, or change it
update core.schedules s
   set active = coalesce(%(active)s, s.active),
       every = coalesce(%(every)s::interval, s.every),
       next_at = coalesce(%(next_at)s::timestamptz, s.next_at),
       settings = s.settings || %(settings)s
 where s.name = %(name)s
returning s.name

-- thinnable: the results that retention would thin, oldest first
select check_name as "check", result_id, name, finished_at
  from core.thinnable(%(age)s::interval, %(keep)s)

-- thin: thin one batch
select check_name as "check", result_id, name, finished_at, sightings
  from core.thin(%(age)s::interval, %(keep)s, %(batch)s)

-- unwanted_files: files whose bytes nobody needs any more, and for how many seconds
select p.name, f.project_id, f.sha256,
       extract(epoch from clock_timestamp() - f.unwanted_at)::float8 as unwanted_s
  from core.files f join core.projects p on p.id = f.project_id
 where f.unwanted_at is not null and f.removed_at is null
   -- Whoever came to need them while they were let go.
   and not exists (select from core.job_inputs i
                    where i.project_id = f.project_id and i.sha256 = f.sha256)
   and not exists (select from core.job_outputs o
                    where o.project_id = f.project_id and o.sha256 = f.sha256)
   and not exists (select from core.model_versions v
                    where v.project_id = f.project_id and v.sha256 = f.sha256)
   and not exists (select from core.uploads u
                    where u.project_id = f.project_id and u.sha256 = f.sha256)
   -- Who computes may be about to store the same bytes, and would find them there.
   and (not %(careful)s
        or f.unwanted_at < clock_timestamp() - interval '1 day'
           and not exists (select from core.jobs j
                            where j.project_id = f.project_id and j.state in ('running', 'computed')))
 order by f.unwanted_at limit %(limit)s
   for update of f skip locked

-- file_removed: the bytes are gone
update core.files set removed_at = clock_timestamp()
 where project_id = %(project)s and sha256 = %(sha256)s and unwanted_at is not null

-- unwritten_reports: reports of which no files were made yet
select id, document from core.reports where written_at is null order by id limit 50
   for update skip locked

-- report_written: files were made of a report
update core.reports set written_at = clock_timestamp(), files = %(files)s where id = %(id)s

-- period_report: a report of a period, made now
select core.period_report(p.id, clock_timestamp() - %(period)s::interval) as document
  from core.projects p where p.name = %(project)s

-- figures: figures for monitoring
select name, label, value from core.figures()
