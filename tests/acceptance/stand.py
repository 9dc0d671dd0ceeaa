"""A place to try ifcbase as its users do: a home, a database, real processes, and what became of them."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from ifcbase.files.local import LocalFiles
from ifcbase.jobs.engines import engine_for
from ifcbase.jobs.submit import Given, show_job, submit
from ifcbase.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
ENDED = {"finished", "failed", "cancelled"}
#: What a loaded machine may need for what takes a second or two.
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Run:
    """What a command did."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


class Worker:
    """A worker process; ``pid`` is its own, its children are those of the sandbox."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def pid(self) -> int:
        return self.process.pid

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.pid).children(recursive=True)

    def ready(self) -> Worker:
        eventually(lambda: " serves " in self.log(), "the worker serves", self.log)
        return self

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self, *, grace_s: float = 20.0) -> int:
        """Stop it in order and give its exit code; a stopped one is woken first."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(grace_s)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"the worker did not end:\n{self.log()}") from None
        return self.process.returncode


@dataclass
class Stand:
    """A home and a database. Without ``dsn`` the home's own embedded server is used."""

    home: Path
    dsn: str | None
    variables: dict[str, str] = field(default_factory=dict)
    #: Of the superuser, for another database of the same server.
    admin_dsn: str = ""
    workers: int = 0

    def environment(self, **extra: str) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("IFCBASE_", "DATABASE_URL", "FORCE_COLOR"))
        }
        kept |= {
            "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
            "IFCBASE_HOME": str(self.home),
        }
        kept |= {"DATABASE_URL": self.dsn} if self.dsn else {"IFCBASE_EMBEDDED": "1"}
        return kept | self.variables | extra

    def cli(
        self, *arguments: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Run:
        """Run ``ifcbase`` to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "ifcbase", *map(str, arguments)],
            cwd=cwd or self.home,
            env=self.environment(**(env or {})),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=180,
            check=False,
        )
        return Run(done.returncode, done.stdout.decode(), done.stderr.decode())

    @contextmanager
    def worker(
        self, *, faulty: bool = False, module: str = "ifcbase", **extra: str
    ) -> Iterator[Worker]:
        """A worker process, ended at the end. ``faulty``: its checks do what ``fault`` says;
        ``module``: another command line."""
        self.workers += 1
        module = "tests.acceptance.faulty" if faulty else module
        log = self.home / f"worker-{self.workers}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", module, "worker"],
                cwd=self.home,
                env=self.environment(**extra),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
                preexec_fn=_die_with_the_tests,
            )
        worker = Worker(process, log)
        try:
            yield worker.ready()
        finally:
            worker.end()

    # --- faults (see faulty.py) ---

    def fault(self, kind: str) -> None:
        """What the next checks of faulty workers do."""
        (self.home / "fault").write_text(kind, encoding="ascii")

    def no_fault(self) -> None:
        """Let checks that are held go on, and the next ones do nothing special."""
        (self.home / "fault").unlink()

    def held(self) -> list[int]:
        """The processes that are held in the middle of their check."""
        pids = (int(path.name.removeprefix("held-")) for path in self.home.glob("held-*"))
        return [pid for pid in pids if alive(pid)]

    def wait_held(self, job: str, attempt: int = 1) -> int:
        """Wait until the attempt's child is in the middle of its work; gives its process id."""

        def in_the_middle() -> bool:
            found = self.job(job)
            progress = found["progress"] or {}
            return len(found["attempts"]) == attempt and progress.get("phase") == "held"

        eventually(in_the_middle, f"attempt {attempt} is in the middle", lambda: self.job(job))
        (pid,) = self.held()
        return pid

    # --- the database ---

    def database(self) -> str:
        if self.dsn:
            return self.dsn
        from ifcbase.stack.embedded import EmbeddedPostgres

        return EmbeddedPostgres(self.home).dsn()

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self.database(), autocommit=True) as connection:
            yield connection

    @contextmanager
    def outage(self) -> Iterator[None]:
        """A time in which the database refuses everybody."""
        name = sql.Identifier(str(conninfo_to_dict(self.database())["dbname"]))
        with psycopg.connect(self.admin_dsn, autocommit=True) as admin:
            admin.execute(sql.SQL("alter database {} allow_connections false").format(name))
            admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
                [conninfo_to_dict(self.database())["dbname"]],
            )
            try:
                yield
            finally:
                admin.execute(sql.SQL("alter database {} allow_connections true").format(name))

    def query(self, text: str, *parameters: Any) -> list[dict[str, Any]]:
        with self.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(text.encode(), parameters).fetchall()

    def count(self, table: str) -> int:
        return int(self.query(f"select count(*) as n from {table}")[0]["n"])

    def submit(self, request: Mapping[str, Any], *paths: Path, **settings: Any) -> str:
        """Submit a clash check through the Python API; gives the job's id."""
        known = Settings(home=self.home, REDIS_URL=self.variables.get("REDIS_URL"), **settings)
        with self.connection() as connection:
            return submit(
                connection,
                engine_for(known, self.database()),
                LocalFiles(self.home / "files"),
                known,
                "clash",
                request,
                {path.name: Given(path) for path in paths},
            ).job_id

    def job(self, job: str) -> dict[str, Any]:
        with self.connection() as connection:
            return show_job(connection, job)

    def ended(self, job: str, *, within_s: float = PATIENCE_S) -> dict[str, Any]:
        """Wait until the job has ended, however it ended."""
        eventually(
            lambda: self.job(job)["state"] in ENDED,
            f"job {job} ends",
            lambda: self.job(job),
            within_s=within_s,
        )
        return self.job(job)

    def outcomes(self, job: str) -> list[str | None]:
        """How the attempts of a job ended, in their order."""
        return [attempt["outcome"] for attempt in self.job(job)["attempts"]]


def _die_with_the_tests() -> None:
    """Have Linux kill this process when the tests are killed, which then cannot end it."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def eventually(
    holds: Callable[[], bool],
    what: str,
    facts: Callable[[], object] = lambda: "",
    *,
    within_s: float = PATIENCE_S,
    every_s: float = 0.05,
) -> None:
    """Wait until something holds; fail with what is known if it does not in time."""
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:g} s: {what}\n{facts()}")
        time.sleep(every_s)


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def two_sided(a: Path, b: Path, **rules: Any) -> dict[str, Any]:
    """A request of one clash set between two models."""
    sides = {"a": [{"file": a.name}], "b": [{"file": b.name}]}
    return {"clash_sets": [{"name": f"{a.stem} vs {b.stem}"} | sides | rules]}
