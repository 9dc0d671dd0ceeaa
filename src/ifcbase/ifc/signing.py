"""Signatures of an open model, made once per content: from the cache, or made now and staged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ifcbase.ifc.inventory import Inventory
from ifcbase.ifc.mesh_cache import MeshCache, stage_signed
from ifcbase.ifc.meshing.fast import FastMesher
from ifcbase.ifc.opening import FileFacts
from ifcbase.ifc.signatures import Signatures
from ifcbase.ifc.signed import signing_key
from ifcbase.ifc.traits import read_signatures

if TYPE_CHECKING:
    import ifcopenshell


def kept_signatures(
    file: ifcopenshell.file,
    inventory: Inventory,
    facts: FileFacts,
    cache: MeshCache | None,
    stage: Path | None,
) -> Signatures:
    """Signatures of all elements, as ``read_signatures`` makes them; new ones lie in ``stage``."""
    key = signing_key(facts.sha256, FastMesher().version)
    kept = None if cache is None else cache.get_signed(key, inventory)
    if kept is not None:
        return kept
    made = read_signatures(file, inventory, facts.path)
    if stage is not None:
        stage_signed(stage, key, made)
    return made
