"""What is measured, whatever the mode, and what a clash set reports of it."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ifcbase.clash.engine import Contacts, Undecided
from ifcbase.clash.kept import Block
from ifcbase.clash.report import Kind
from ifcbase.clash.request import ClashSet, Mode
from ifcbase.ifc.versions import installed

#: Elements nearer than this, or overlapping by no more, touch (metres).
CONTACT_BAND = 1e-4

_COLUMNS = ("x_model", "y_model", "x", "y", "kind", "distance", "measured", "p_x", "p_y")


class Rule(NamedTuple):
    """What of a clash set decides what is measured; the rest decides what is reported."""

    reach: float  # metres up to which gaps are measured
    include_related: bool

    @property
    def margin(self) -> float:
        """How near boxes must come (metres)."""
        return max(self.reach, CONTACT_BAND)


def answer(clash_set: ClashSet, blocks: list[tuple[tuple[int, int], Block]]) -> Contacts:
    """What a clash set reports of all that was measured."""
    limit = max(clash_set.tolerance, CONTACT_BAND)
    columns: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in _COLUMNS}
    touching = 0
    for (i, j), block in blocks:
        touch = block.kind == Kind.TOUCHING
        touching += int(touch.sum())
        if clash_set.mode is Mode.INTERSECTION:
            keep = ~touch & (block.distance > limit)
        elif clash_set.mode is Mode.COLLISION:
            keep = ~touch | clash_set.allow_touching
        else:
            near = touch | (block.kind == Kind.CLEARANCE)
            keep = ~near | (block.distance < clash_set.clearance)
        rows = np.flatnonzero(keep)
        columns["x_model"].append(np.full(len(rows), i, np.int32))
        columns["y_model"].append(np.full(len(rows), j, np.int32))
        for name in _COLUMNS[2:]:
            columns[name].append(getattr(block, name)[rows])
    empty = nothing()
    joined: dict[str, Any] = {
        name: np.concatenate(parts) if parts else getattr(empty, name.removesuffix("_model"))
        for name, parts in columns.items()
    }
    return Contacts(
        **joined,
        touching=touching,
        related=tuple(((i, x), (j, y)) for (i, j), block in blocks for x, y in block.related),
        undecided=tuple(
            Undecided((i, x), (j, y), reason)
            for (i, j), block in blocks
            for x, y, reason in block.undecided
        ),
    )


def nothing(related: tuple[tuple[int, int], ...] = ()) -> Block:
    """No contacts, and these pairs left out."""
    none, byte = np.zeros(0, np.int32), np.zeros(0, np.uint8)
    return Block(
        none, none, byte, np.zeros(0), byte, np.zeros((0, 3)), np.zeros((0, 3)), related=related
    )


@lru_cache(maxsize=1)
def measuring_facts() -> dict[str, Any]:
    """What decides a measurement besides the meshes."""
    return {
        "sources": source_digest(),
        "versions": {name: installed(name) for name in ("manifold3d", "numba", "numpy")},
    }


@lru_cache(maxsize=1)
def source_digest() -> str:
    """SHA-256 of the narrow phase and of who calls it: other sources may measure otherwise."""
    here = Path(__file__).with_name("solid.py")
    digest = hashlib.sha256()
    for source in [here, *sorted((here.parent / "narrow").glob("*.py"))]:
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()
