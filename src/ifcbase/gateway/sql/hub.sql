-- now: what is visible at this moment, as a position from which events can be read.
select pg_current_snapshot()::text

-- since: events that were not visible at a position and are now, in the order of their ids, each with the new position; one row without an event if there are none.
select s.now::text as position, e.id, e.project_id, e.type, e.data, e.at
  from (select pg_current_snapshot() as now) s
  left join core.events e
    on e.xact >= pg_snapshot_xmin(%(position)s::pg_snapshot)
   and not pg_visible_in_snapshot(e.xact, %(position)s::pg_snapshot)
 order by e.id

-- missed: the same of one project, for who was away; at most so many.
select e.id, e.project_id, e.type, e.data, e.at
  from core.events e
 where e.project_id = %(project)s
   and e.xact >= pg_snapshot_xmin(%(position)s::pg_snapshot)
   and not pg_visible_in_snapshot(e.xact, %(position)s::pg_snapshot)
   and pg_visible_in_snapshot(e.xact, %(until)s::pg_snapshot)
 order by e.id limit %(most)s

-- known: whether a position can be one of this database's, and not too old to know what followed: of events older than a week only the last of a project stays.
select pg_snapshot_xmax(%(position)s::pg_snapshot) <= pg_snapshot_xmax(pg_current_snapshot())
       and not exists (select from core.events e
                        where e.project_id = %(project)s
                          and e.at < clock_timestamp() - interval '7 days'
                          and not pg_visible_in_snapshot(e.xact, %(position)s::pg_snapshot))

-- progress: how far running jobs are; of these, or of all.
select j.id, j.project_id, j.check_name, j.progress from core.jobs j
 where j.state = 'running' and j.progress is not null
   and (%(jobs)s::uuid[] is null or j.id = any (%(jobs)s::uuid[]))

-- may_still: whether who listens may still read the project.
select core.can(%(project)s, 'read')

-- key_holds: whether an API key still is one.
select exists (select from core.api_keys k where k.prefix = %(prefix)s and k.revoked_at is null
                and (k.expires_at is null or k.expires_at > clock_timestamp()))
