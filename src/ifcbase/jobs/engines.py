"""Which queue engine delivers the jobs here."""

from __future__ import annotations

from ifcbase.jobs.engine import Engine
from ifcbase.settings import Settings


def engine_for(settings: Settings, dsn: str) -> Engine:
    """RQ where ``REDIS_URL`` is set, else Procrastinate on the ledger's own Postgres."""
    # Each is loaded where it is used: they take long, and most commands need neither.
    if settings.redis_url is not None:
        from ifcbase.jobs.rq_engine import RqEngine

        return RqEngine(settings.redis_url.get_secret_value(), production=settings.production)
    from ifcbase.jobs.procrastinate_engine import ProcrastinateEngine

    return ProcrastinateEngine(dsn)
