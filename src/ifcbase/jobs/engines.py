"""Which queue engine delivers the jobs here."""

from __future__ import annotations

from ifcbase.errors import ConfigError
from ifcbase.jobs.engine import Engine
from ifcbase.settings import Settings


def engine_for(settings: Settings, dsn: str | None) -> Engine:
    """RQ where ``REDIS_URL`` is set, else Procrastinate on the ledger's own Postgres.

    Raises ConfigError without either: a worker without a DSN takes its jobs from Redis."""
    # Each is loaded where it is used: they take long, and most commands need neither.
    if settings.redis_url is not None:
        from ifcbase.jobs.rq_engine import RqEngine

        return RqEngine(settings.redis_url.get_secret_value(), production=settings.production)
    if dsn is None:
        raise ConfigError(
            "a worker that reaches the ledger by SUPABASE_URL takes its jobs from Redis",
            hint="Set REDIS_URL, or DATABASE_URL.",
        )
    from ifcbase.jobs.procrastinate_engine import ProcrastinateEngine

    return ProcrastinateEngine(dsn)
