-- add: stores an API key
select core.add_api_key(%(project)s, %(name)s, %(prefix)s, %(hash)s, %(verbs)s, %(expires_at)s) as id

-- revoke: ends an API key
select core.revoke_api_key(%(project)s, %(key)s)

-- list: the API keys of a project, the living ones first
select k.id, k.name, k.prefix, k.verbs, k.expires_at, k.revoked_at, k.last_used_at, k.made_by,
       k.created_at,
       case when k.revoked_at is not null then 'revoked'
            when k.expires_at <= now() then 'expired' else 'valid' end as state
  from core.api_keys k
 where k.project_id = %(project)s and (%(key)s::bigint is null or k.id = %(key)s)
 order by k.revoked_at is not null, k.id

-- find: the key of a prefix, for comparing its secret; none that is revoked or expired
select k.id, k.name, k.prefix, k.hash, k.verbs, k.project_id, p.name as project,
       k.last_used_at is null or k.last_used_at < now() - interval '1 minute' as stale
  from core.api_keys k join core.projects p on p.id = k.project_id
 where k.prefix = %(prefix)s and k.revoked_at is null
   and (k.expires_at is null or k.expires_at > now())

-- used: notes that a key is in use, at most once a minute
update core.api_keys k set last_used_at = now()
 where k.id = %(key)s and (k.last_used_at is null or k.last_used_at < now() - interval '1 minute')
