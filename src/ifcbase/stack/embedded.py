"""The embedded Postgres: found or made, started when it does not answer, shared by all processes.

Everything is in ``<home>/postgres``: ``lock``, ``server.json`` (port, passwords, which data folder;
mode 0600), ``pg-<major>`` and ``log``. Run by root, the last two may lie below ``/var/lib/ifcbase``
(see ``placement``); ``server.json`` names the place.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg

from ifcbase.errors import StackError
from ifcbase.settings import get_settings
from ifcbase.stack.binaries import find_binaries, install_hint
from ifcbase.stack.client import Answer, ask, make_role
from ifcbase.stack.cluster import Cluster, free_port, label_of, major_of, postmaster_of
from ifcbase.stack.locking import file_lock
from ifcbase.stack.placement import (
    folders_left_behind,
    make_home,
    programs_for,
    server_folder,
    server_user,
)
from ifcbase.stack.state import ServerState, read_state, write_state

log = logging.getLogger(__name__)

_LOCK_TIMEOUT_S = 180
_START_TIMEOUT_S = 120
_PORT_RETRIES = 5


@dataclass(frozen=True)
class ServerStatus:
    """What is known about the embedded server; everything but ``running`` may be unknown."""

    running: bool
    port: int | None = None
    major: int | None = None
    provider: str | None = None
    data: Path | None = None
    log: Path | None = None


class EmbeddedPostgres:
    """The embedded server of a home. ``major`` decides for a new data folder only; ``settings``
    are further server settings (tests switch fsync off with them)."""

    def __init__(
        self, home: Path, *, major: int | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self.home = Path(os.path.abspath(home))  # noqa: PTH100 - keeps links as they are
        self.major = major
        self.settings = dict(settings or {})

    # --- what others call ------------------------------------------------------------------------

    def ensure_running(self) -> str:
        """The connection string of the application's role, after starting the server if it does
        not answer. Any number of processes may call this at once. Raises StackError."""
        if get_settings().container:
            raise StackError(
                "the embedded Postgres does not run inside the container image",
                hint="Set DATABASE_URL to the database this container is to use.",
            )
        state = read_state(self.state_file)
        if state is None or not self.answers(state):
            with self.locked():
                state = self.start_locked()
        return state.dsn()

    def stop(self) -> bool:
        """Stop the server orderly; False if none ran."""
        if read_state(self.state_file) is None:
            return False
        with self.locked():
            state = read_state(self.state_file)
            return state is not None and self.cluster(state).stop()

    def status(self) -> ServerStatus:
        """How things are, without changing them. Raises StackError if ``server.json`` is broken or
        the programs of its major version are gone."""
        state = read_state(self.state_file)
        if state is None:
            return ServerStatus(running=False)
        cluster = self.cluster(state)
        return ServerStatus(
            running=self.answers(state),
            port=state.port,
            major=cluster.binaries.major,
            provider=cluster.binaries.provider,
            data=cluster.data,
            log=cluster.log,
        )

    def dsn(self) -> str:
        """The application's connection string, whether the server runs or not."""
        return self._state().dsn()

    def admin_dsn(self) -> str:
        """The superuser's connection string; for upgrades and for people, not for the service."""
        return self._state().admin_dsn()

    @property
    def state_file(self) -> Path:
        """``server.json``."""
        return self.home / "postgres" / "server.json"

    # --- for the other modules of stack, under the lock ---------------------------------------------

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock under which a server is made, started, stopped or moved."""
        folder = make_home(self.home, server_user())
        with file_lock(folder / "lock", timeout_s=_LOCK_TIMEOUT_S):
            yield

    def folder(self, state: ServerState) -> Path:
        """Where data and logs lie."""
        return self.state_file.parent / state.folder

    def answers(self, state: ServerState) -> bool:
        """Whether the server of this home is ready and answers."""
        return state.ready and ask(state, label_of(self.folder(state))) is Answer.OURS

    def cluster(self, state: ServerState) -> Cluster:
        """The data folder in use with the programs of the major that made it. Raises StackError
        saying what to install if they are gone."""
        folder, name = self.folder(state), state.data
        major = major_of(folder / name) or int(name.removeprefix("pg-"))
        try:
            binaries = find_binaries(major)
        except StackError as error:
            raise StackError(
                f"the data folder {folder / name} was made by Postgres {major}, "
                f"and no Postgres {major} is installed",
                hint=f"{install_hint(major)} Then `ifcbase db upgrade` moves the data to a newer "
                "version.",
                detail=error.detail,
            ) from error
        user = server_user(folder / name)
        return Cluster(programs_for(binaries, user), folder, name, user, self.settings)

    def start_locked(self) -> ServerState:
        """Make what is missing, clear what a crash left, start; the state of the running server."""
        state = read_state(self.state_file) or self._new_state()
        if self.answers(state):
            return state
        cluster = self.cluster(state)
        self.sweep_unfinished(cluster.folder)
        if not cluster.data.exists():
            if state.ready:
                raise StackError(
                    f"the data folder {cluster.data} is gone",
                    hint="Bring it back from a backup, or remove "
                    f"{self.state_file} to begin with an empty database.",
                )
            self._create(state, cluster)
        if not self._waited_for(state, cluster):
            cluster.clear_leftovers()
            state = self._start(state, cluster)
        if not state.ready:
            try:
                make_role(state.admin_dsn(), state.password)
            except psycopg.Error as error:
                raise StackError(
                    f"the application's role could not be made: {error}",
                    hint=f"The server's log is in {cluster.log}",
                ) from error
            state = replace(state, ready=True)
            write_state(self.state_file, state)
        if not self.answers(state):
            raise StackError(
                "the embedded Postgres was started but refuses its application's role",
                hint=f"Its log is in {cluster.log}",
            )
        return state

    def sweep_unfinished(self, folder: Path) -> None:
        """Stop and remove data folders that an interrupted first start or upgrade left half-made;
        they never held anything that is not elsewhere."""
        for path in folder.glob("pg-*.part"):
            self._stop_other(path)
            shutil.rmtree(path)
        for path in folder.glob("dump-*"):
            shutil.rmtree(path)

    # --- inside ----------------------------------------------------------------------------------

    def _state(self) -> ServerState:
        state = read_state(self.state_file)
        if state is None:
            raise StackError(
                "there is no embedded Postgres yet", hint="`make up` or `make demo` makes it."
            )
        return state

    def _new_state(self) -> ServerState:
        for left in folders_left_behind(self.home):
            for data in left.glob("pg-*"):
                self._stop_other(data)
            log.warning("%s holds the database of an earlier %s; it is kept", left, self.home)
        binaries = find_binaries(self.major)
        folder = server_folder(self.home, server_user())
        state = ServerState(
            folder="" if folder == self.state_file.parent else str(folder),
            data=f"pg-{binaries.major}",
            port=free_port(),
            admin_password=secrets.token_urlsafe(32),
            password=secrets.token_urlsafe(32),
        )
        write_state(self.state_file, state)
        return state

    @staticmethod
    def _stop_other(data: Path) -> None:
        """Stop the server of a data folder that is not, or no longer, the one in use."""
        if postmaster_of(data) is not None:
            user = server_user(data)
            binaries = programs_for(find_binaries(major_of(data)), user)
            Cluster(binaries, data.parent, data.name, user).stop()

    def _create(self, state: ServerState, cluster: Cluster) -> None:
        """Make the data folder under another name, so that a half-made one is never used."""
        unfinished = replace(cluster, name=f"{cluster.name}.part")
        unfinished.create(state.admin_password)
        unfinished.data.rename(cluster.data)

    def _waited_for(self, state: ServerState, cluster: Cluster) -> bool:
        """True when a server process that is there, starting or recovering, came to answer; False
        when none is there (any more)."""
        deadline = time.monotonic() + _START_TIMEOUT_S
        while cluster.postmaster() is not None:
            port_is_right = cluster.port() in (None, state.port)
            answer = ask(state, cluster.label) if state.ready and port_is_right else None
            if answer is Answer.OURS:
                return True
            if answer is not Answer.NONE:
                # An interrupted upgrade left it on another port, an interrupted first start
                # without the role, or its folder was moved while it ran (then the server crashes
                # over its old path instead of stopping, and its log repairs that).
                cluster.stop()
                return False
            if time.monotonic() > deadline:
                raise StackError(
                    f"the server process {cluster.postmaster()} is there but did not answer for "
                    f"{_START_TIMEOUT_S} s",
                    hint=f"Look at its log in {cluster.log}; if it hangs, end it and try again.",
                )
            time.sleep(0.1)
        return False

    def _start(self, state: ServerState, cluster: Cluster) -> ServerState:
        """Start on the recorded port, or on another one if that is taken."""
        for attempt in range(_PORT_RETRIES):
            port = free_port(state.port if attempt == 0 else None)
            if port != state.port:
                state = replace(state, port=port)
                write_state(self.state_file, state)
            try:
                cluster.start(port, timeout_s=_START_TIMEOUT_S)
            except StackError as error:
                # Somebody may take the port between our look and the server's.
                taken = "could not bind IPv4 address" in (error.detail or "")
                if not taken or attempt == _PORT_RETRIES - 1:
                    raise
            else:
                break
        return state
