-- jobs: how many there are by check and state
select j.check_name as "check", j.state, count(*) as count from core.jobs j group by 1, 2

-- waiting: how long the oldest waiting job waits, by check, in seconds
select j.check_name as "check",
       extract(epoch from clock_timestamp() - min(j.delivered_at))::float8 as seconds
  from core.jobs j where j.state = 'queued' group by 1

-- workers: live leases
select count(*) as count from core.attempts a
 where a.ended_at is null and a.lease_until > clock_timestamp()

-- outbox: events on their way to webhooks, and how long the most overdue one is late, in seconds
select count(*) as count,
       coalesce(max(extract(epoch from clock_timestamp() - o.next_at)), 0)::float8 as late
  from core.outbox o where o.state = 'waiting'

-- storage: files and their bytes, as projects count them; the database's size
select count(*) as files, coalesce(sum(f.size), 0)::float8 as bytes,
       pg_database_size(current_database()) as database from core.files f
