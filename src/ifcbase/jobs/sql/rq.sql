-- transaction: which one this is
select pg_current_xact_id()::text

-- ended: how these ended: committed, aborted, or in progress
select x, pg_xact_status(x::xid8) from unnest(%(transactions)s::text[]) x
