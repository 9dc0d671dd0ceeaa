"""Arrays that a child hands over, read by a parent that does not trust them."""

from __future__ import annotations

import struct
import zipfile
from typing import Any

import numpy as np
import numpy.typing as npt

from ifcbase.errors import ReportInvalid

#: What reading a damaged archive raises.
BROKEN = (OSError, ValueError, RuntimeError, EOFError, struct.error, zipfile.BadZipFile)

Array = npt.NDArray[Any]


class Arrays:
    """The members of an .npz, each read once, only as the plain type that is expected."""

    def __init__(self, archive: zipfile.ZipFile, most: int) -> None:
        """``most``: bytes that all members together may hold."""
        self._archive = archive
        members = archive.infolist()
        self.unread = {each.filename: each for each in members}
        _check(len(self.unread) == len(members), "an array occurs twice")
        _check(sum(each.file_size for each in members) <= most, "it is too large")

    def take(self, name: str, dtype: type, width: int = 1) -> Array:
        """One array of shape (n,) or (n, width). Its size must be what its bytes hold."""
        info = self.unread.pop(name + ".npy", None)
        if info is None:
            raise ReportInvalid(f"the report does not hold together: no array {name}")
        plain = info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & 1
        _check(plain, f"{name} is compressed or encrypted")
        with self._archive.open(info) as stream:
            try:
                version = np.lib.format.read_magic(stream)
                _check(version == (1, 0), f"the header of {name}")
                header = np.lib.format.read_array_header_1_0(stream)
                data = stream.read()
            except BROKEN as error:
                raise ReportInvalid(f"the array {name} is broken", detail=str(error)) from error
        shape, fortran, found = header
        rest = () if width == 1 else (width,)
        _check(found == np.dtype(dtype) and shape[1:] == rest and len(shape) > 0, f"type of {name}")
        _check(len(data) == found.itemsize * int(np.prod(shape, dtype=object)), f"size of {name}")
        order = "F" if fortran and width > 1 else "C"
        return np.frombuffer(data, found).reshape(shape, order=order).copy()  # type: ignore[call-overload,no-any-return]


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise ReportInvalid(f"the report does not hold together: {what}")
