"""Two hosts with addresses and disks of their own share the work; one whose cable is pulled in the
middle of a job costs its lease, comes back, and cannot write what is not its own any more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ifcbase.files.backend import file_store
from ifcbase.jobs.engines import engine_for
from ifcbase.jobs.submit import Given, submit
from ifcbase.settings import Settings
from tests.acceptance.conftest import QUICK
from tests.acceptance.stand import Stand, eventually
from tests.faults.hosts import Host, two_hosts
from tests.faults.whole import Boxes, assert_nothing_left, assert_whole, everyone, until_fenced_off
from tests.faults.wire import Wire
from tests.integration.files import standin
from tests.integration.jobs.brokers import Broker

pytestmark = pytest.mark.long


class Site:
    """Two hosts, and on this machine one database, one queue and one Storage that they reach."""

    def __init__(self, stand: Stand, folder: Path, stack: ExitStack, *, redis: bool) -> None:
        self.stand = stand
        here, self.one, self.two = stack.enter_context(two_hosts(folder))
        self.storage = stack.enter_context(standin.running())
        known = conninfo_to_dict(stand.database())

        def reached(host: str, port: int) -> int:
            return stack.enter_context(Wire((host, port), address=here).running()).port

        database = reached(str(known["host"]), int(str(known["port"])))
        storage = reached("127.0.0.1", int(self.storage.url.rpartition(":")[2]))
        self.variables = QUICK | {
            "DATABASE_URL": make_conninfo(stand.database(), host=here, port=database),
            "IFCBASE_FILES_BACKEND": "supabase",
            "SUPABASE_URL": f"http://{here}:{storage}",
            "SUPABASE_ANON_KEY": standin.KEY,
            "SUPABASE_WORKER_JWT": self.storage.token,
        }
        url = None
        if redis:
            broker = Broker(folder / "broker")
            broker.folder.mkdir()
            broker.start()
            stack.callback(broker.kill)
            url = broker.url
            self.variables["REDIS_URL"] = url.replace(
                f"127.0.0.1:{broker.port}", f"{here}:{reached('127.0.0.1', broker.port)}"
            )
        self.settings = Settings(
            home=folder / "submitter", files_backend="supabase", REDIS_URL=url,
            SUPABASE_URL=self.storage.url, SUPABASE_ANON_KEY=standin.KEY,
            SUPABASE_WORKER_JWT=self.storage.token,
        )  # fmt: skip
        self.engine = engine_for(self.settings, stand.database())
        with stand.connection() as connection:
            self.engine.install(connection)

    def submit(self, boxes: Boxes) -> str:
        paths = (boxes.walls, boxes.pipes)
        with self.stand.connection() as connection:
            return submit(
                connection, self.engine, file_store(self.settings), self.settings, "clash",
                boxes.request(), {path.name: Given(path) for path in paths},
            ).job_id  # fmt: skip

    def hosts(self, job: str) -> list[str]:
        """Where the attempts of a job were."""
        return [each["host"] for each in self.stand.job(job)["attempts"]]


@pytest.fixture(params=["Procrastinate", "RQ"])
def site(request: pytest.FixtureRequest, stand: Stand, tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(stand, tmp_path, stack, redis=request.param == "RQ")


def cached(host: Host) -> set[str]:
    return {
        path.name for path in (host.home / "cache" / "files").rglob("*") if len(path.name) == 64
    }


def test_two_hosts_share_the_work_and_one_that_is_cut_off_costs_its_lease(
    site: Site, boxes: Boxes
) -> None:
    one, two = site.one, site.two
    for host in (one, two):
        host.fault("hold")
    with one.worker(**site.variables) as first, two.worker(**site.variables) as second:
        jobs = [site.submit(boxes), site.submit(boxes)]
        # Each has one of them in the middle: neither waits for the other.
        eventually(
            lambda: one.held() and two.held(), "both work", lambda: first.log() + second.log()
        )
        taken = {site.hosts(job)[0]: job for job in jobs}
        assert set(taken) == {one.name, two.name}
        models = set(site.storage.objects)
        assert {name.rpartition("/")[2] for bucket, name in models if bucket == "models"} <= (
            cached(one) & cached(two)
        ), "each has copies of its own, known by their hash"

        one.plug(in_=False)
        two.no_fault()
        # The other does its own, and then what the lease of the lost one gives back.
        for job in jobs:
            assert site.stand.ended(job)["state"] == "finished"
        assert site.stand.outcomes(taken[two.name]) == ["finished"]
        assert site.stand.outcomes(taken[one.name]) == ["lost", "finished"]
        assert site.hosts(taken[one.name]) == [one.name, two.name]
        results = site.stand.query("select * from clash.results order by id")

        # It computes to the end, alone, and comes back: it may not write.
        one.no_fault()
        one.plug(in_=True)
        until_fenced_off(first)
        assert site.stand.query("select * from clash.results order by id") == results
        # And it is one of two again.
        two.fault("hold")
        jobs += [site.submit(boxes), site.submit(boxes)]
        eventually(
            lambda: any(site.hosts(job) == [one.name] for job in jobs[2:])
            and any(site.stand.job(job)["state"] == "finished" for job in jobs[2:]),
            "it takes jobs again", first.log,
        )  # fmt: skip
        two.no_fault()
        for job in jobs[2:]:
            assert site.stand.ended(job)["state"] == "finished"
        pids = everyone(first) + everyone(second)
    assert_whole(site.stand, jobs)
    for host in (one, two):
        assert_nothing_left(host.home, pids)
