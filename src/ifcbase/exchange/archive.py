"""Zip files whose bytes depend on their content alone."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: The earliest moment a zip entry can carry.
_EPOCH = (1980, 1, 1, 0, 0, 0)


class Archive:
    """A zip file being written, entry by entry."""

    def __init__(self, stream: zipfile.ZipFile) -> None:
        self._stream = stream

    def add(self, name: str, text: str) -> None:
        """Add one text file (UTF-8)."""
        info = zipfile.ZipInfo(name, _EPOCH)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o644 << 16
        # The system that wrote it decides nothing about how it is read.
        info.create_system = 3
        self._stream.writestr(info, text.encode())

    def add_folder(self, name: str) -> None:
        """Add the entry of a folder, which some readers want before its files."""
        info = zipfile.ZipInfo(name.rstrip("/") + "/", _EPOCH)
        info.external_attr = (0o40755 << 16) | 0x10
        info.create_system = 3
        self._stream.writestr(info, b"")


@contextmanager
def archive(path: Path) -> Iterator[Archive]:
    """Write a zip file."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as stream:
        yield Archive(stream)
