-- A worker's token can be revoked before it expires, by its id (the claim jti): from then on it starts
-- nothing, renews nothing, writes nothing and reads nothing, whatever it still holds.

create table core.revoked_tokens (
  jti text primary key check (jti <> ''),
  reason text,
  expires_at timestamptz,
  revoked_at timestamptz not null default now()
);
comment on table core.revoked_tokens is
  'Ids of tokens that are refused although they have not expired.';
comment on column core.revoked_tokens.expires_at is
  'When the token expires by itself, where that is known: its line is of no use after that.';

create function core.token_revoked() returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (select from core.revoked_tokens r where r.jti = auth.jwt() ->> 'jti')
$$;
comment on function core.token_revoked() is 'Whether the caller''s token was revoked.';

create function core.revoke_token(jti text, reason text default null, expires_at timestamptz default null)
returns boolean language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  insert into core.revoked_tokens (jti, reason, expires_at)
    values (revoke_token.jti, revoke_token.reason, revoke_token.expires_at)
    on conflict on constraint revoked_tokens_pkey do nothing;
  return found;
end
$$;
comment on function core.revoke_token(text, text, timestamptz) is
  'Revokes a token by its id; false where that was done before.';

create function core.refuse_revoked() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if core.token_revoked() then
    perform core.refuse('401', 'token-revoked', 'this worker''s token was revoked',
      'Give the worker a new one: `ifcbase keys renew-worker`.');
  end if;
  return new;
end
$$;
comment on function core.refuse_revoked() is
  'Every function of a worker starts or renews an attempt: here a revoked token is refused.';
create trigger refuse_revoked before insert or update on core.attempts
  for each row execute function core.refuse_revoked();

create or replace function public.attempt_outcome(lease_token uuid) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  if core.token_revoked() then
    perform core.refuse('401', 'token-revoked', 'this worker''s token was revoked',
      'Give the worker a new one: `ifcbase keys renew-worker`.');
  end if;
  return (select coalesce(a.outcome, 'open') from core.attempts a where a.token = lease_token);
end
$$;

create or replace function core.owns_job(job uuid) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select not core.token_revoked() and exists (
    select from core.attempts a where a.job_id = job and a.started_by = core.principal())
$$;

alter table core.revoked_tokens enable row level security;
create policy service on core.revoked_tokens to service_role using (true) with check (true);
revoke all on core.revoked_tokens from public, anon, authenticated, ifc_worker;
grant select, insert, update, delete on core.revoked_tokens to service_role;
revoke all on function core.token_revoked(), core.revoke_token(text, text, timestamptz),
  core.refuse_revoked() from public, anon, authenticated, ifc_worker;
grant execute on function core.token_revoked(), core.revoke_token(text, text, timestamptz),
  core.refuse_revoked() to service_role;
