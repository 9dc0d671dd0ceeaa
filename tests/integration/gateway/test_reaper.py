"""The gateway takes jobs back: workers that reach the ledger over REST only cannot."""

from __future__ import annotations

import time

from ifcbase.ledger.connect import connect
from ifcbase.ledger.postgres import PostgresLedger
from tests.integration.gateway.conftest import Served

#: How long the reaper of a busy machine may take, in seconds.
PATIENCE_S = 60.0


def test_a_job_whose_worker_died_is_delivered_again_without_any_worker(served: Served) -> None:
    project = served.projects["alpha"]
    with connect(served.dsn) as connection:
        row = connection.execute(
            "select job_id::text from core.accept_job(%s, 'clash', '{}', '[]', 60, 512, 3, null)",
            [project],
        ).fetchone()
    assert row is not None
    job = row[0]
    ledger = PostgresLedger(served.dsn)
    # Nobody renews it: its worker is dead.
    assert ledger.start_attempt(job, worker="dead", host="gone", lease_s=0.5) is not None
    ledger.close()
    delivered = "select count(*) from procrastinate.procrastinate_jobs where args ->> 'job' = %s"
    end = time.monotonic() + PATIENCE_S
    while served.sql(delivered, job) == [(0,)]:
        assert time.monotonic() < end, "nobody takes back what the dead worker held"
        time.sleep(0.1)
    assert served.sql("select state from core.jobs where id = %s", job) == [("queued",)]
    outcome = "select outcome from core.attempts where job_id = %s"
    assert served.sql(outcome, job) == [("lost",)]
    served.sql("delete from core.jobs where id = %s", job)
