"""What the sandboxed child of a diff job calls: a request and files in, files out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ifcbase.diff import handover
from ifcbase.diff.compare import compare
from ifcbase.diff.output import write
from ifcbase.diff.request import parse_request
from ifcbase.ifc.mesh_cache import STAGE, MeshCache
from ifcbase.progress import Progress, silent

OUTPUT = "output.json"


def run(
    request: Mapping[str, Any],
    inputs: Mapping[str, str],
    folder: Path,
    progress: Progress = silent,
    *,
    mesh_cache: str | None = None,
    sign: bool = True,
    isolated: bool = False,
    engine: str = "",  # noqa: ARG001  of clash detection; the caller gives all checks the same
) -> None:
    """Compare and leave in ``folder`` output.json (ifcdiff's shape) and the hand-over files.

    ``inputs`` maps each file name of the request to a path. ``mesh_cache`` is a folder of kept
    meshes, which is only read; new ones are left in STAGE. ``sign``: with the signatures that the
    ledger keeps of elements; ``isolated``: meshers run in processes apart. Raises what parsing and comparing do.
    """
    parsed = parse_request(dict(request))
    stage = folder / STAGE
    stage.mkdir()
    report = compare(
        parsed,
        {name: Path(path) for name, path in inputs.items()},
        signed=sign,
        mesh_cache=MeshCache(Path(mesh_cache), 0) if mesh_cache else None,
        stage=stage,
        isolated=isolated,
        progress=progress,
    )
    write(report, folder / OUTPUT)
    handover.write(report, folder)


def run_again(
    request: Mapping[str, Any],
    inputs: Mapping[str, str],
    folder: Path,
    progress: Progress = silent,
    **options: Any,
) -> None:
    """The same after a try that crashed: now a mesher may crash, and the next takes its place."""
    run(request, inputs, folder, progress, isolated=True, **options)
