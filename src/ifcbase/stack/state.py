"""``server.json``: what a home knows about its embedded server, passwords included (mode 0600)."""

from __future__ import annotations

import json
import os
import secrets
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from ifcbase.errors import StackError
from ifcbase.stack.cluster import ADMIN, HOST

ROLE = "postgres"
DATABASE = "postgres"


@dataclass(frozen=True)
class ServerState:
    """``data`` is the data folder in use, below ``folder`` (empty: the folder of ``server.json``,
    so that a home can be moved); ``ready`` is set when the application's role exists."""

    folder: str
    data: str
    port: int
    admin_password: str
    password: str
    ready: bool = False

    def dsn(self, database: str = DATABASE) -> str:
        """The application's connection string."""
        return self._dsn(ROLE, self.password, database)

    def admin_dsn(self, database: str = DATABASE) -> str:
        """The superuser's connection string."""
        return self._dsn(ADMIN, self.admin_password, database)

    def _dsn(self, role: str, password: str, database: str) -> str:
        return f"postgresql://{role}:{password}@{HOST}:{self.port}/{quote(database, safe='')}"


def read_state(path: Path) -> ServerState | None:
    """The content of ``server.json``; None where no server was ever made. Raises StackError."""
    try:
        return ServerState(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise StackError(
            f"{path} belongs to another user",
            hint="Run ifcbase as the user who made it, or set IFCBASE_HOME to a folder of your own.",
        ) from error
    except (ValueError, TypeError) as error:
        raise StackError(
            f"{path} is damaged",
            hint="It holds the passwords of the database: bring it back from a backup.",
            detail=str(error),
        ) from error


def write_state(path: Path, state: ServerState) -> None:
    """Replace ``server.json`` in one step, durably, and keep it with the user who owns it."""
    unfinished = path.with_suffix(f".{secrets.token_hex(4)}")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(asdict(state), stream, indent=1)
            stream.flush()
            os.fsync(stream.fileno())
        if path.exists() and sys.platform != "win32":
            os.chown(unfinished, path.stat().st_uid, path.stat().st_gid)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
