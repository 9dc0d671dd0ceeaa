-- revoke: refuse a token by its id
select core.revoke_token(%(token)s::text, %(reason)s::text, %(expires)s::timestamptz)

-- forget: refusals of tokens that expired long ago by themselves
delete from core.revoked_tokens where expires_at < now() - interval '30 days'
