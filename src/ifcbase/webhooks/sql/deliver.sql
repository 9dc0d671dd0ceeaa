-- may_deliver: whether this role may read the secrets events are signed with.
select coalesce(bool_and(has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')), false)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where n.nspname = 'core' and c.relname = 'webhook_secrets'

-- next: an event that is due at an endpoint nobody is talking to; both are locked until the transaction ends, the endpoint first, as who changes or removes it does: else each could wait for the other.
select o.id, o.attempts, o.webhook_id, o.project_id, w.url, w.failing_since,
       e.id as event_id, e.type, e.data, e.at, p.name as project
  from core.outbox o
  join core.webhooks w on w.id = o.webhook_id
  join core.events e on e.id = o.event_id
  join core.projects p on p.id = o.project_id
 where o.state = 'waiting' and o.next_at <= clock_timestamp() and w.active
   and not o.webhook_id = any (%(busy)s::uuid[])
 order by o.next_at, o.id
 limit 1
 for no key update of w, o skip locked

-- secrets: what an endpoint's events are signed with, the newest first.
select s.secret from core.webhook_secrets s
 where s.webhook_id = %(webhook)s and (s.ends_at is null or s.ends_at > clock_timestamp())
 order by s.id desc

-- log: an attempt.
insert into core.deliveries (project_id, outbox_id, seconds, status, error)
values (%(project)s, %(outbox)s, %(seconds)s, %(status)s, %(error)s)

-- delivered: the endpoint took it.
update core.outbox set state = 'delivered', attempts = attempts + 1, ended_at = clock_timestamp()
 where id = %(outbox)s

-- later: it is tried again.
update core.outbox set attempts = attempts + 1,
  next_at = clock_timestamp() + make_interval(secs => %(wait_s)s) where id = %(outbox)s

-- given_up: it is not tried again by itself.
update core.outbox set state = 'failed', attempts = attempts + 1, ended_at = clock_timestamp()
 where id = %(outbox)s

-- works: the endpoint takes events.
update core.webhooks set failing_since = null where id = %(webhook)s and failing_since is not null

-- fails: the endpoint did not take an event.
update core.webhooks set failing_since = coalesce(failing_since, clock_timestamp())
 where id = %(webhook)s

-- disable: the endpoint is switched off, with what waits for it, but for what is being delivered just now.
with off as (
  update core.webhooks set active = false, disabled_reason = %(reason)s
   where id = %(webhook)s and active returning id, project_id
), dropped as (
  update core.outbox o set state = 'failed', ended_at = clock_timestamp()
   where o.id in (select w.id from core.outbox w where w.webhook_id = %(webhook)s
                    and w.state = 'waiting' for no key update skip locked)
)
select id from off

-- overdue: whether an endpoint has failed for so long without a single success.
select w.failing_since < clock_timestamp() - make_interval(secs => %(after_s)s)
  from core.webhooks w where w.id = %(webhook)s

-- forget: events older than a week, with their deliveries, a few at a time. The last of each project stays, without deliveries: by it who asks for what it missed is told that more is not known.
with old as (
  select e.id, e.id = max(e.id) over (partition by e.project_id) as last
    from (select e.id, e.project_id from core.events e
           where e.at < clock_timestamp() - interval '7 days' order by e.at limit 5000) e
), undelivered as (
  delete from core.outbox o using old where o.event_id = old.id and old.last
)
delete from core.events e using old where e.id = old.id and not old.last
