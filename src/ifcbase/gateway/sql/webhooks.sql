-- list: the webhooks of a project
select w.id, w.url, w.description, w.types, w.active, w.disabled_reason, w.failing_since, w.made_by,
       w.created_at
  from core.webhooks w
 where w.project_id = %(project)s and (%(webhook)s::uuid is null or w.id = %(webhook)s)
 order by w.created_at, w.id

-- add: a webhook and its secret; its id
select core.add_webhook(%(project)s, %(url)s, %(types)s, %(description)s, %(secret)s) as id

-- change: what is not null
select core.change_webhook(%(webhook)s, %(url)s, %(types)s, %(description)s, %(active)s)

-- remove: a webhook with its log
select core.remove_webhook(%(webhook)s)

-- rotate: a new secret
select core.rotate_webhook_secret(%(webhook)s, %(secret)s, %(keep_s)s)

-- ping: an event that says nothing; the delivery's id
select core.ping_webhook(%(webhook)s) as id

-- redeliver: once more
select core.redeliver(%(delivery)s)

-- deliveries: what was sent or waits to be, latest first
select o.id, e.id as event_id, e.type, o.state, o.attempts, o.ended_at, e.at as event_at,
       case when o.state = 'waiting' then o.next_at end as next_at,
       coalesce((select jsonb_agg(jsonb_build_object('at', d.at, 'seconds', d.seconds,
                        'status', d.status, 'error', d.error) order by d.id)
                   from core.deliveries d where d.outbox_id = o.id), '[]') as log
  from core.outbox o
  join core.events e on e.id = o.event_id
 where o.webhook_id = %(webhook)s and o.project_id = %(project)s
   and (%(before)s::bigint is null or o.id < %(before)s)
   and (%(delivery)s::bigint is null or o.id = %(delivery)s)
   and (%(state)s::text is null or o.state = %(state)s)
 order by o.id desc limit %(limit)s
