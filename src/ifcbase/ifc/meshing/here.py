"""Meshing in this process, which is the child of a job already: no other has to start and read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ifcbase.ifc.mesh_cache import MeshCache, entry_key, stage
from ifcbase.ifc.meshing.build import default_meshers, engine_facts, mesh_file
from ifcbase.ifc.meshing.entry import read_entry
from ifcbase.ifc.meshing.filemeshes import FileMeshes
from ifcbase.ifc.meshing.mesher import Wanted
from ifcbase.ifc.opening import FileFacts
from ifcbase.progress import Progress

if TYPE_CHECKING:
    import ifcopenshell


def mesh_here(
    facts: FileFacts,
    model: ifcopenshell.file,
    wanted: Wanted,
    *,
    folder: Path,
    cache: MeshCache | None,
    progress: Progress,
) -> FileMeshes:
    """The meshes of an open model, kept or made now; new ones lie in ``folder``.

    A mesher that crashes takes the process with it: the next attempt calls ``mesh_files``, which
    outlives that. Raises the mesher's error where none can read the file.
    """
    key = entry_key(facts.sha256, wanted, engine_facts(default_meshers()))
    kept = None if cache is None else cache.get(key)
    if kept is not None:
        return kept

    def watch(mesher: str, elements: int) -> None:
        progress("meshing", 1.0 - elements / len(wanted), mesher)

    made = mesh_file(facts.path, wanted, watch=watch, model=model)
    # What is written is read again, so that a run with kept meshes sees the same.
    return read_entry(stage(folder, key, made), key)
