-- A worker's token without an id (the claim jti) could never be revoked: it is refused as one that was.

create or replace function core.token_revoked() returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select case
    when coalesce(auth.jwt() ->> 'jti', '') <> ''
      then exists (select from core.revoked_tokens r where r.jti = auth.jwt() ->> 'jti')
    else coalesce(auth.jwt() ->> 'role' = 'ifc_worker', false)
  end
$$;
comment on function core.token_revoked() is
  'Whether the caller''s token was revoked, or is a worker''s and has no id by which it could be.';

create or replace function core.refuse_revoked() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if core.token_revoked() then
    perform core.refuse('401', 'token-revoked',
      'this worker''s token was revoked, or has no id (jti) by which it could be',
      'Give the worker a new one: `ifcbase keys renew-worker`.');
  end if;
  return new;
end
$$;

create or replace function public.attempt_outcome(lease_token uuid) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  if core.token_revoked() then
    perform core.refuse('401', 'token-revoked',
      'this worker''s token was revoked, or has no id (jti) by which it could be',
      'Give the worker a new one: `ifcbase keys renew-worker`.');
  end if;
  return (select coalesce(a.outcome, 'open') from core.attempts a where a.token = lease_token);
end
$$;
