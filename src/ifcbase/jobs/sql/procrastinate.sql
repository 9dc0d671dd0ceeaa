-- installed: whether the engine's tables are there
select to_regclass('procrastinate.procrastinate_jobs') is not null

-- lock_install: one installation at a time
select pg_advisory_xact_lock(hashtext('ifcbase.procrastinate'))

-- create_schema: the engine lives outside public
create schema if not exists procrastinate

-- use_schema: the engine's functions and triggers name its tables without a schema
select set_config('search_path', 'procrastinate', true)

-- close_schema: nobody reaches the queue through the API
revoke all on schema procrastinate from public

-- deliver: enters an id in the caller's transaction
select procrastinate.procrastinate_defer_jobs_v1(array[
  row(%(queue)s, %(task)s, 0, null, null, %(args)s, null)::procrastinate.procrastinate_job_to_defer_v1])

-- waiting: which of these ids nobody has taken yet
select args ->> 'job' from procrastinate.procrastinate_jobs
 where status = 'todo' and args ->> 'job' = any(%(jobs)s)

-- tidy: entries in the hands of workers that are gone; core.jobs knows better what became of them
delete from procrastinate.procrastinate_jobs j
 where j.status = 'doing'
   and not exists (select from procrastinate.procrastinate_workers w
                    where w.id = j.worker_id and w.last_heartbeat > now() - interval '60 seconds')
