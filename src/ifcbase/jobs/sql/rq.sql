-- transaction: which one this is
select pg_current_xact_id()::text

-- committed: whether these were
select x from unnest(%(transactions)s::text[]) x where pg_xact_status(x::xid8) = 'committed'
