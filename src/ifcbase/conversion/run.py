"""What the sandboxed child of a conversion job calls: a request and a model in, files out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ifcbase.conversion import handover
from ifcbase.conversion.convert import Meshes, convert
from ifcbase.conversion.request import parse_request
from ifcbase.errors import FileMissing
from ifcbase.ifc.mesh_cache import STAGE, MeshCache
from ifcbase.progress import Progress, silent


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
    """Convert and leave in ``folder`` the output files and the report.

    ``inputs`` maps the file name of the request to a path. ``mesh_cache`` is a folder of kept
    meshes, which is only read; new ones are left in STAGE. Without ``sign`` the report cannot be
    recorded; ``isolated``: see Meshes. Raises what parsing and converting do.
    """
    parsed = parse_request(dict(request))
    if parsed.input_filename not in inputs:
        raise FileMissing(f"{parsed.input_filename} was not given")
    stage = folder / STAGE
    stage.mkdir()
    # The limit is the owner's business: nothing is added or cleaned here.
    cache = None if mesh_cache is None else MeshCache(Path(mesh_cache), 0)
    report = convert(
        parsed,
        Path(inputs[parsed.input_filename]),
        folder,
        Meshes(stage, cache, isolated),
        signed=sign,
        progress=progress,
    )
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
