"""Which transport of the ledger a worker gets."""

from __future__ import annotations

from ifcbase.errors import ConfigError
from ifcbase.ledger.interface import Ledger
from ifcbase.settings import Settings


def open_ledger(settings: Settings, dsn: str | None) -> Ledger:
    """Postgres where there is a DSN, which wins; else Supabase's REST door.

    Raises ConfigError if the settings name neither."""
    if dsn is not None:
        from ifcbase.ledger.postgres import PostgresLedger

        return PostgresLedger(dsn, writing_idle_s=settings.lease_s * 3)
    # Here and not above: who has a DSN does not wait for the client of Supabase.
    from ifcbase.ledger.rest.client import access_of
    from ifcbase.ledger.rest.ledger import RestLedger

    access = access_of(settings)
    if access is None:
        raise ConfigError(
            "no database: neither DATABASE_URL nor SUPABASE_URL is set",
            hint="Set DATABASE_URL, or SUPABASE_URL and a key.",
        )
    return RestLedger(access)
