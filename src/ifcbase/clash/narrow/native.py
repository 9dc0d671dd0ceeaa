"""The compiled kernels in memory: found in a folder, checked, mapped and called.

``kernels.py`` makes one file of machine code per group of functions (see ``_doors.DOORS``). Loading
one needs llvmlite but not numba, writes nothing, and takes milliseconds.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import json
import os
import platform
import sys
import tempfile
import threading
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ifcbase.errors import KernelsUnusable

#: A change of what is in the files.
FORMAT = 1
MAGIC = b"IFCBKRN1"
GROUPS = ("pairs", "meshes")

_SOURCES = Path(__file__).parent


@functools.cache
def key() -> str:
    """What the machine code depends on: sources, compilers, kind of machine."""
    digest = hashlib.sha256(f"{FORMAT} {sys.platform} {platform.machine()}".encode())
    for name in ("numba", "llvmlite"):
        digest.update(f" {name} {metadata.version(name)}".encode())
    names = {path.name for path in _SOURCES.glob("_[a-z]*.py")} - {"_sweep.py"}
    for name in sorted(names | {"kinds.py", "layout.py", "kernels.py"}):
        digest.update(name.encode() + b"\0" + (_SOURCES / name).read_bytes())
    return digest.hexdigest()[:24]


def folder() -> Path:
    """Where kernels are kept: ``NUMBA_CACHE_DIR``, else the cache under ``IFCBASE_HOME``."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    home = os.environ.get("IFCBASE_HOME") or "~/.ifcbase"
    base = Path(given) if given else Path(home).expanduser().absolute() / "cache"
    return base / "kernels"


def package_folder() -> Path:
    """Kernels that came with the program (an image, a wheel); looked at before ``folder``."""
    return _SOURCES / "compiled"


def file_name(group: str) -> str:
    return f"{group}-{key()}.kernel"


def is_ready() -> bool:
    """Whether nothing has to be compiled before pairs can be measured. Takes milliseconds."""
    return all(find(group) is not None for group in GROUPS)


def find(group: str) -> Path | None:
    """The file of a group, if there is one for these sources and this kind of machine."""
    for place in (package_folder(), folder()):
        path = place / file_name(group)
        if path.is_file():
            return path
    return None


def pack(doors: dict[str, str], code: bytes) -> bytes:
    """A kernel file: signatures by function, then the object file."""
    header = json.dumps(doors, sort_keys=True).encode()
    body = len(header).to_bytes(8, "little") + header + code
    return MAGIC + hashlib.sha256(body).digest() + body


def unpack(data: bytes) -> tuple[dict[str, str], bytes]:
    """Signatures and object file. Raises KernelsUnusable if a byte is not as written."""
    start = len(MAGIC) + 32
    body = data[start:]
    if data[: len(MAGIC)] != MAGIC or hashlib.sha256(body).digest() != data[len(MAGIC) : start]:
        raise KernelsUnusable("a file of compiled kernels is damaged")
    length = int.from_bytes(body[:8], "little")
    doors: dict[str, str] = json.loads(body[8 : 8 + length])
    return doors, body[8 + length :]


class Group:
    """The functions of one group as attributes; loaded (compiled if need be) at first use."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("_"):
            raise AttributeError(name)
        with self._lock:
            if name not in self.__dict__:
                self.__dict__.update(_load(self._name))
        if name not in self.__dict__:
            raise AttributeError(f"no compiled function {name}")
        found: Callable[..., None] = self.__dict__[name]
        return found


pairs = Group("pairs")
meshes = Group("meshes")


def _load(group: str) -> dict[str, Callable[..., None]]:
    path = find(group)
    if path is not None:
        try:
            return _functions(*unpack(path.read_bytes()))
        except KernelsUnusable:
            path = None  # damaged: built again below
    from ifcbase.clash.narrow import kernels  # only then: nothing of it is needed otherwise

    place = folder()
    if not kernels.is_writable(place):
        with tempfile.TemporaryDirectory(prefix="ifcbase-kernels-") as scratch:
            return _functions(*unpack(kernels.build_group(group, Path(scratch)).read_bytes()))
    return _functions(*unpack(kernels.build_group(group, place).read_bytes()))


_engines: list[Any] = []  # the machine code lives as long as they do


def _functions(doors: dict[str, str], code: bytes) -> dict[str, Callable[..., None]]:
    import llvmlite.binding as llvm  # type: ignore[import-untyped]

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    try:
        machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
    except (RuntimeError, OSError) as error:
        raise KernelsUnusable("the compiled kernels cannot be loaded", detail=str(error)) from error
    _engines.append(engine)
    return {
        name: _callable(name, engine.get_function_address(symbol(name)), signature.split())
        for name, signature in doors.items()
    }


def symbol(name: str) -> str:
    return f"ifcbase_{name}"


def _callable(name: str, address: int, signature: list[str]) -> Callable[..., None]:
    """Call with numpy arrays; everything is checked, because the code itself checks nothing.

    Numba's calling convention: place of the result, place of the exception, then the arguments,
    an array as owner, parent, items, item size, data, shape and strides.
    """
    if not address:
        raise KernelsUnusable(f"the compiled kernels have no function {name}")
    kinds = [tuple(s.split(":")) for s in signature]
    types: list[Any] = [ctypes.c_void_p, ctypes.c_void_p]
    expected: list[tuple[Any, int]] = []
    for kind in kinds:
        if len(kind) == 1:
            types.append(ctypes.c_double if kind[0] == "f8" else ctypes.c_int64)
            expected.append((None, 0))
        else:
            dimensions = int(kind[1])
            types += [ctypes.c_void_p] * 2 + [ctypes.c_int64] * 2 + [ctypes.c_void_p]
            types += [ctypes.c_int64] * (2 * dimensions)
            expected.append((np.dtype(kind[0]), dimensions))
    function = ctypes.CFUNCTYPE(ctypes.c_int32, *types)(address)  # releases the lock while it runs

    def call(*arguments: Any) -> None:
        flat: list[Any] = []
        for argument in arguments:
            if isinstance(argument, tuple):
                flat.extend(argument)
            else:
                flat.append(argument)
        if len(flat) != len(expected):
            raise TypeError(f"{name} takes {len(expected)} arguments, not {len(flat)}")
        result, exception = ctypes.c_void_p(), ctypes.c_void_p()
        words: list[Any] = [ctypes.addressof(result), ctypes.addressof(exception)]
        for argument, (dtype, dimensions) in zip(flat, expected, strict=True):
            if dtype is None:
                words.append(argument)
                continue
            if (
                argument.dtype != dtype
                or argument.ndim != dimensions
                or not argument.flags.c_contiguous
            ):
                raise TypeError(f"{name}: {argument.dtype} {argument.shape} where {dtype} belongs")
            words += (None, None, argument.size, argument.itemsize, argument.ctypes.data)
            words += argument.shape
            words += argument.strides
        status = function(*words)
        if status != 0:
            raise KernelsUnusable(f"the kernel {name} failed", detail=f"status {status}")

    return call


__all__ = ["GROUPS", "find", "folder", "is_ready", "key", "meshes", "package_folder", "pairs"]
