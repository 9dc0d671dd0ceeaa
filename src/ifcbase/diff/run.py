"""What the sandboxed child of a diff job calls: a request and files in, files out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ifcbase.diff import handover
from ifcbase.diff.compare import compare
from ifcbase.diff.output import write
from ifcbase.diff.request import parse_request
from ifcbase.ifc.mesh_cache import MeshCache
from ifcbase.progress import Progress, silent

OUTPUT = "output.json"
#: Meshes that the parent may admit to the cache.
STAGE = "meshes"


def run(
    request: Mapping[str, Any],
    inputs: Mapping[str, str],
    folder: Path,
    progress: Progress = silent,
    *,
    mesh_cache: str | None = None,
    signed: bool = True,
) -> None:
    """Compare and leave in ``folder`` output.json (ifcdiff's shape) and the hand-over files.

    ``inputs`` maps each file name of the request to a path. ``signed``: with the signatures that the
    ledger keeps of elements. Raises what parsing and comparing do.
    """
    parsed = parse_request(dict(request))
    stage = folder / STAGE
    stage.mkdir()
    report = compare(
        parsed,
        {name: Path(path) for name, path in inputs.items()},
        signed=signed,
        mesh_cache=MeshCache(Path(mesh_cache), 0) if mesh_cache else None,
        stage=stage,
        progress=progress,
    )
    write(report, folder / OUTPUT)
    handover.write(report, folder)


def run_unsigned(
    request: Mapping[str, Any],
    inputs: Mapping[str, str],
    folder: Path,
    progress: Progress = silent,
) -> None:
    """The same for a report that nobody records: signatures are made only if matching needs them."""
    run(request, inputs, folder, progress, signed=False)
