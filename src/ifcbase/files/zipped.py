"""ZIP archives from outside: looked at with suspicion, unpacked with limits."""

from __future__ import annotations

import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ifcbase.errors import ArchiveUnsafe, FileTooLarge, InputError, NotIfc

MAX_MEMBERS = 10_000
#: Text packs to about a tenth; what packs better than this is made to fill disks.
MAX_RATIO = 200
#: Below this size a ratio means nothing.
_SMALL = 1 << 20
_CHUNK = 1 << 20
_ENCRYPTED = 0x1


def members(path: Path, name: str, wrong: type[InputError]) -> list[zipfile.ZipInfo]:
    """The members of an archive that is safe to unpack.

    Raises ``wrong`` if it is no archive, ArchiveUnsafe for names outside of its folder, links,
    passwords, far too many members and sizes that only a bomb has."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise wrong(f"{name} is a damaged ZIP archive", detail=str(error)) from error
    if len(found) > MAX_MEMBERS:
        raise ArchiveUnsafe(f"{name} holds {len(found)} files")
    for each in found:
        _refuse_harm(name, each)
    return found


def unpack_model(path: Path, name: str, target: Path, limit: int) -> None:
    """Write the one IFC file of an ifcZIP to ``target``. ``limit`` is in bytes.

    Raises NotIfc, ArchiveUnsafe, FileTooLarge."""
    models = [
        each
        for each in members(path, name, NotIfc)
        if not each.is_dir() and each.filename.lower().endswith(".ifc")
    ]
    if len(models) != 1:
        count = "no" if not models else str(len(models))
        raise NotIfc(
            f"{name} is a ZIP archive with {count} IFC files in it",
            hint="An ifcZIP holds one file in STEP form (.ifc).",
        )
    inner = models[0]
    if inner.file_size > limit:
        raise FileTooLarge(f"{name} unpacks to {inner.file_size >> 20} MiB")
    _copy(path, name, inner, target, limit)


def _copy(path: Path, name: str, inner: zipfile.ZipInfo, target: Path, limit: int) -> None:
    """Sizes are counted as they come: what the archive says of them may be a lie."""
    written = 0
    try:
        with (
            zipfile.ZipFile(path) as archive,
            archive.open(inner) as reader,
            target.open("wb") as writer,
        ):
            while chunk := reader.read(_CHUNK):
                written += len(chunk)
                if written > limit:
                    raise FileTooLarge(f"{name} unpacks to more than {limit >> 20} MiB")
                if written > _SMALL and written > MAX_RATIO * max(inner.compress_size, 1):
                    raise ArchiveUnsafe(f"{name} unpacks to far more than it holds")
                writer.write(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise NotIfc(f"{name} is a damaged ZIP archive", detail=str(error)) from error


def _refuse_harm(name: str, member: zipfile.ZipInfo) -> None:
    inner = member.orig_filename
    slashed = inner.replace("\\", "/")
    parts = PurePosixPath(slashed).parts
    if "\0" in inner or slashed.startswith("/") or ".." in parts or slashed[1:2] == ":":
        raise ArchiveUnsafe(f"{name} holds a file that would be written outside of its folder")
    mode = member.external_attr >> 16
    if mode and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_IFMT(mode) == 0):
        raise ArchiveUnsafe(f"{name} holds a link or device")
    if member.flag_bits & _ENCRYPTED:
        raise ArchiveUnsafe(f"{name} is protected by a password")
    if member.file_size > _SMALL and member.file_size > MAX_RATIO * max(member.compress_size, 1):
        raise ArchiveUnsafe(f"{name} unpacks to far more than it holds")
