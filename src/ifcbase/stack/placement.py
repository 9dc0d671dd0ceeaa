"""Who runs the server and where its folders lie.

Postgres refuses to run as root. Started as root, the server runs as the system user ``postgres``
(else ``nobody``), and that user must reach its programs and its data. Where it cannot, because the
home or the virtual environment lies under a closed folder such as root's home, the data folder goes
below ``/var/lib/ifcbase`` (``server.json`` in the home says where) and the programs are copied there
once per version. An ordinary user needs none of this.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from ifcbase.errors import StackError
from ifcbase.stack.binaries import Binaries

if sys.platform != "win32":
    import pwd

#: What belongs to the server of a root installation whose home is closed to the server's user.
ROOT_STORE = Path("/var/lib/ifcbase")
_READ, _ENTER = 4, 1


@dataclass(frozen=True)
class ServerUser:
    """The unprivileged user a server runs as when we are root."""

    name: str
    uid: int
    gid: int


def server_user(data: Path | None = None) -> ServerUser | None:
    """Who runs the server: None for "we ourselves"; for root the owner of an existing data folder,
    else ``postgres`` or ``nobody``. Raises StackError if root has neither."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    if data is not None and data.exists() and data.stat().st_uid != 0:
        uid = data.stat().st_uid
        try:
            return _user(pwd.getpwuid(uid))
        except KeyError:
            return ServerUser(str(uid), uid, data.stat().st_gid)
    for name in ("postgres", "nobody"):
        try:
            return _user(pwd.getpwnam(name))
        except KeyError:  # the next name is tried, and none of them is an error
            continue
    raise StackError(
        "Postgres does not run as root, and this machine has neither a user postgres nor nobody",
        hint="Run ifcbase as an ordinary user.",
    )


def _user(entry: pwd.struct_passwd) -> ServerUser:
    return ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def reachable(path: Path, user: ServerUser | None) -> bool:
    """Whether the user may enter a folder (or read a file), by the modes of it and all above it."""
    if user is None:
        return True
    path = path.resolve()
    needed = _ENTER if path.is_dir() else _READ
    return _may(path, user, needed) and all(_may(part, user, _ENTER) for part in path.parents)


def _may(path: Path, user: ServerUser, needed: int) -> bool:
    about = path.stat()
    mode = stat.S_IMODE(about.st_mode)
    if about.st_uid == user.uid:
        return bool(mode >> 6 & needed)
    if about.st_gid == user.gid:
        return bool(mode >> 3 & needed)
    return bool(mode & needed)


def make_home(home: Path, user: ServerUser | None) -> Path:
    """Make the folder ``postgres`` of the home and return it: private for an ordinary user,
    passable (not listable) when another user's server must get through it."""
    folder = home / "postgres"
    try:
        for part in (home, folder):
            try:
                part.mkdir(parents=True)
            except FileExistsError:
                continue  # its mode is its owner's affair
            part.chmod(0o700 if user is None else 0o711)
    except PermissionError as error:
        raise StackError(
            f"{folder} cannot be made: {error.strerror}",
            hint="Set IFCBASE_HOME to a folder that belongs to you.",
        ) from error
    return folder


def server_folder(home: Path, user: ServerUser | None) -> Path:
    """Where data and logs of a new server go: the home's own folder if the server's user reaches
    it, else a new one below ``/var/lib/ifcbase``."""
    folder = make_home(home, user)
    if user is None or reachable(folder, user):
        return folder
    name = re.sub(r"[^A-Za-z0-9]+", "-", str(home)).strip("-")[-40:]
    elsewhere = _store() / f"{name}-{secrets.token_hex(4)}"
    elsewhere.mkdir(mode=0o700)
    elsewhere.chmod(0o711)
    (elsewhere / "home").write_text(f"{home}\n", encoding="utf-8")
    return elsewhere


def folders_left_behind(home: Path) -> list[Path]:
    """Folders below ``/var/lib/ifcbase`` that an earlier, since deleted, content of this home
    used. They are never deleted; their servers have to be stopped."""
    if not ROOT_STORE.is_dir():
        return []
    marks = sorted(ROOT_STORE.glob("*/home"))
    return [mark.parent for mark in marks if mark.read_text(encoding="utf-8").strip() == str(home)]


def own(path: Path, user: ServerUser | None, mode: int) -> None:
    """Give a path to the server's user with this mode."""
    path.chmod(mode)
    if user is not None:
        os.chown(path, user.uid, user.gid)


def programs_for(binaries: Binaries, user: ServerUser | None) -> Binaries:
    """The programs at a place where the server's user can run them: where they are, or a copy
    made once (complete or not there at all). Raises StackError if they cannot be copied."""
    if user is None or _usable(binaries, user):
        return binaries
    if binaries.base is None:
        raise StackError(
            f"the user {user.name} cannot reach the Postgres programs in {binaries.bindir}",
            hint="Open the folders above it to others (chmod o+x), or run ifcbase as an "
            "ordinary user.",
        )
    target = _store() / "binaries" / f"{binaries.provider}-{binaries.version}"
    if not target.exists():
        _copy(binaries, target)
    return replace(binaries, bindir=target / binaries.bindir.relative_to(binaries.base))


def _usable(binaries: Binaries, user: ServerUser) -> bool:
    """Whether the programs and a data file of the installation can be read (a strict umask at
    installation time leaves them private even in an open folder)."""
    if not reachable(binaries.bindir, user):
        return False
    for name in ("initdb", "postgres"):
        if not _may(binaries.tool(name), user, _ENTER):
            return False
    share = binaries.bindir.parent / "share" / "postgres.bki"
    return not share.exists() or reachable(share, user)


def _copy(binaries: Binaries, target: Path) -> None:
    assert binaries.base is not None  # noqa: S101 - the caller has looked
    target.parent.mkdir(exist_ok=True)
    target.parent.chmod(0o755)
    unfinished = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    try:
        for part in binaries.parts:
            shutil.copytree(binaries.base / part, unfinished / part)
        for path in (unfinished, *unfinished.rglob("*")):
            open_to_all = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if open_to_all else 0o644)
        unfinished.rename(target)
    except OSError as error:
        if not target.exists():  # else another process was quicker
            raise StackError(
                f"the Postgres programs could not be copied to {target}: {error}",
                hint="Make room there, or run ifcbase as an ordinary user.",
            ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _store() -> Path:
    try:
        ROOT_STORE.mkdir(parents=True, exist_ok=True)
        ROOT_STORE.chmod(0o755)
    except OSError as error:
        raise StackError(
            f"{ROOT_STORE} cannot be made: {error.strerror}",
            hint="Set IFCBASE_HOME to a folder that every user may pass through, or run ifcbase "
            "as an ordinary user.",
        ) from error
    return ROOT_STORE
