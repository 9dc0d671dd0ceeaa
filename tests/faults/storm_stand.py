"""Everything a combination of ledger and queue runs on, on this machine, started again whenever it
dies, as an operator's service manager would; and who can be killed there."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg

from ifcbase.cli.gateway import listening, url_of
from ifcbase.cli.processes import Workers
from ifcbase.errors import IfcbaseError
from ifcbase.jobs.engines import engine_for
from ifcbase.jobs.submit import project_named
from ifcbase.ledger import keys
from ifcbase.settings import Settings
from ifcbase.stack import migrations
from ifcbase.stack.embedded import EmbeddedPostgres
from tests.integration.jobs.brokers import Broker
from tests.integration.rest.stack import EXPOSED, PASSWORD, RestStack, minted
from tests.integration.servers import FAST, Database

COMBINATIONS = ("postgres + Procrastinate", "postgres + RQ", "REST + RQ")
_ROOT = Path(__file__).resolve().parents[2]
#: Leases that lapse while one waits for it, results that soon go into the spool and soon out of it.
_HASTY = {
    "IFCBASE_LEASE_S": "5",
    "IFCBASE_HEARTBEAT_S": "0.5",
    "IFCBASE_REAP_S": "1",
    "IFCBASE_JOB_ATTEMPTS": "6",
    "IFCBASE_SPOOL_AFTER_S": "1",
    "IFCBASE_SPOOL_RETRY_S": "2",
    "IFCBASE_TEND_S": "5",
}
#: Longer than any storm (seconds).
_TOKEN_S = 12 * 3600


class Gate(RestStack):
    """PostgREST behind nginx, each of which can be killed and started again."""

    def kill_postgrest(self) -> bool:
        """kill -9; whether it ran."""
        if self._processes[0].poll() is not None:
            return False
        self._processes[0].kill()
        return True

    def kill_nginx(self) -> bool:
        """The same of all of it, as a service manager does when the first of them is gone."""
        if self._processes[1].poll() is not None:
            return False
        first = psutil.Process(self._processes[1].pid)
        for each in [first, *first.children(recursive=True)]:
            killed(each)
        return True

    def ended(self) -> list[str]:
        """Which of them do not run."""
        names = zip(("PostgREST", "nginx"), self._processes, strict=True)
        return [name for name, process in names if process.poll() is not None]

    def again(self, name: str) -> None:
        """Start one of them anew."""
        if name == "PostgREST":
            self._processes.pop(0)
            self.start_postgrest()
        else:
            self._processes.pop(1)
            self.start_nginx()


class Stand:
    """One combination. ``seed`` decides how long what has died stays away."""

    def __init__(self, combination: str, home: Path, seed: int, workers: int = 2) -> None:
        self.home = home
        self.rest = combination.startswith("REST")
        self.random = random.Random(seed)  # noqa: S311 (to be repeated, not to be secret)
        common = {"PYTHONPATH": str(_ROOT / "src"), "IFCBASE_HOME": str(home), **_HASTY}
        self.postgres = EmbeddedPostgres(home, settings=FAST)
        self.broker: Broker | None = None
        if combination.endswith("RQ"):
            folder = home / "broker"
            folder.mkdir(parents=True)
            self.broker = Broker(folder)
            common["REDIS_URL"] = self.broker.url
        self.settings = Settings(home=home, REDIS_URL=common.get("REDIS_URL"))
        self._with_database = common | {"IFCBASE_EMBEDDED": "1"}
        self._common, self._count = common, workers
        self.gate: Gate | None = None
        self.url = self.key = ""
        #: When what has ended is started again, by name.
        self._due: dict[str, float] = {}
        self._busy = threading.Lock()

    @contextmanager
    def standing(self) -> Iterator[None]:
        """All of it runs and is kept running in the block."""
        with ExitStack() as held:
            if self.broker:
                self.broker.start()
                held.callback(self.broker.kill)
            dsn = self.postgres.ensure_running()
            held.callback(self.postgres.stop)
            migrations.migrate(dsn)
            with psycopg.connect(dsn, autocommit=True) as connection:
                engine_for(self.settings, dsn).install(connection)
                project = project_named(connection, "default")
                self.key = keys.make_key(connection, project, "storm", keys.VERBS).key
            if self.rest:
                self._open_gate(dsn)
                assert self.gate is not None
                held.callback(self.gate.stop)
            listener = held.enter_context(closing(listening("127.0.0.1", 0)))
            self.url = url_of(*listener.getsockname()[:2])
            logs, place = self.home / "logs", listener.fileno()
            self.workers = Workers(self._count, logs, self._environment())
            self.gateway = Workers(
                1, logs, self._with_database, command=["gateway", "--fd", str(place)], files=[place]
            )
            # In the order of `ifcbase up`: first who takes new work.
            held.callback(self.workers.stop)
            held.callback(self.gateway.stop)
            self.workers.start()
            self.gateway.start()
            ended = threading.Event()
            keeper = threading.Thread(target=self._keep, args=[ended], name="keeper")
            held.callback(keeper.join)
            held.callback(ended.set)
            keeper.start()
            yield

    def _environment(self) -> dict[str, str]:
        """What workers know: over REST no database, and a token that may do nothing else."""
        if self.gate is None:
            return self._with_database
        return self._common | {
            "SUPABASE_URL": self.gate.url,
            "SUPABASE_PUBLISHABLE_KEY": minted("anon", valid_s=_TOKEN_S),
            "SUPABASE_WORKER_JWT": minted("ifc_worker", valid_s=_TOKEN_S, sub="storm"),
        }

    def _open_gate(self, dsn: str) -> None:
        database = Database("ifcbase", dsn, self.postgres.admin_dsn())
        with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
            admin.execute(f"alter role authenticator login password '{PASSWORD}'".encode())
        self.gate = Gate(database, self.home / "gate", EXPOSED, "commit")
        self.gate.start()

    # --- kept running ---

    def _keep(self, ended: threading.Event) -> None:
        while not ended.wait(0.2):
            self.workers.watch()
            self.gateway.watch()
            with self._busy:
                for name, again in self._ended().items():
                    due = self._due.setdefault(name, time.monotonic() + self._away_s())
                    if time.monotonic() >= due:
                        del self._due[name]
                        # Killed once more while it starts: the next round sees it.
                        with suppress(IfcbaseError, psycopg.OperationalError):
                            again()

    def _away_s(self) -> float:
        """Mostly a moment; now and then so long that results go into the spool."""
        long = self.random.random() < 0.2
        return self.random.uniform(7, 10) if long else self.random.uniform(0, 2)

    def _ended(self) -> dict[str, Callable[[], object]]:
        found: dict[str, Callable[[], object]] = {}
        if self.broker and self.broker.process is None:
            found["Valkey"] = self.broker.start
        if self.gate:
            for name in self.gate.ended():
                found[name] = lambda name=name: self.gate.again(name)  # type: ignore[misc]
        if not self.postgres.status().running:
            found["Postgres"] = self.postgres.ensure_running
        return found

    # --- who dies ---

    def victims(self) -> dict[str, Callable[[random.Random], bool]]:
        """Who can be killed, and how, chosen by chance among several; whether somebody was there."""
        found: dict[str, Callable[[random.Random], bool]] = {
            "worker": lambda chance: self._kill_any(self.processes("worker"), chance),
            "child": lambda chance: self._kill_any(self.processes("ifcbase.jobs.child"), chance),
            "gateway": lambda chance: self._kill_any(self.processes("gateway"), chance),
            "Postgres": self._kill_postgres,
        }
        if self.broker:
            found["Valkey"] = self._kill_broker
        if self.gate:
            gate = self.gate
            found["PostgREST"] = lambda _: gate.kill_postgrest()
            found["nginx"] = lambda _: gate.kill_nginx()
        return found

    def processes(self, word: str) -> list[psutil.Process]:
        """Descendants of this process with a word on their command line."""
        mine = psutil.Process().children(recursive=True)
        return [each for each in mine if word in (quietly(each.cmdline) or [])]

    def _kill_any(self, found: list[psutil.Process], chance: random.Random) -> bool:
        return bool(found) and killed(chance.choice(found))

    def _kill_postgres(self, _: random.Random) -> bool:
        data = self.postgres.status().data
        assert data is not None
        try:
            first = psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))
        except (FileNotFoundError, psutil.NoSuchProcess):
            # It has not come back from the last time.
            return False
        return killed(first)

    def _kill_broker(self, _: random.Random) -> bool:
        with self._busy:
            if self.broker is None or self.broker.process is None:
                return False
            self.broker.kill()
            return True

    # --- looked at from outside ---

    def value(self, query: str) -> Any:
        """The first value of a query. Raises OperationalError while the database is away."""
        with psycopg.connect(self.postgres.dsn(), autocommit=True) as connection:
            row = connection.execute(query.encode()).fetchone()
        return row[0] if row else None

    def logs(self) -> str:
        """The ends of all logs."""
        found = sorted((self.home / "logs").glob("*.log"))
        return "\n".join(f"--- {each.name}\n{each.read_text()[-3000:]}" for each in found)


def killed(process: psutil.Process) -> bool:
    """kill -9; whether it was there to be killed."""
    try:
        process.kill()
    except psutil.Error:
        return False
    return True


def quietly(act: Callable[..., Any], *given: Any) -> Any:
    """What is to be killed may have ended by itself."""
    with suppress(psutil.Error, FileNotFoundError):
        return act(*given)
    return None
