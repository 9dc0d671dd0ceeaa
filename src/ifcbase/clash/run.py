"""What the sandboxed child of a clash job calls: a request and files in, files out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ifcbase.clash import handover, kept
from ifcbase.clash.detect import detect, make_engine
from ifcbase.clash.output import write_output
from ifcbase.clash.request import parse_request
from ifcbase.ifc.mesh_cache import STAGE, MeshCache
from ifcbase.progress import Progress, silent

OUTPUT = "output.json"


def kept_in(folder: Path, limit: int) -> MeshCache:
    """The folder of kept meshes and contacts, at most ``limit`` bytes."""
    return MeshCache(folder, limit, {kept.SUFFIX: kept.read_block})


def run(
    request: Mapping[str, Any] | list[Any],
    inputs: Mapping[str, str],
    folder: Path,
    progress: Progress = silent,
    *,
    engine: str = "solid",
    mesh_cache: str | None = None,
    keep_going: bool = False,
    sign: bool = True,
) -> None:
    """Detect and leave in ``folder`` output.json (ifcclash's shape) and the hand-over files.

    ``inputs`` maps each file name of the request to a path. ``mesh_cache`` is a folder of kept
    meshes, which is only read; new ones are left in the folder STAGE. ``sign``: the report carries
    signatures, by which elements of two versions are matched. Raises what parsing and detecting do.
    """
    parsed = parse_request(request)
    options: dict[str, Any] = {"sign": sign}
    if mesh_cache is not None and engine == "solid":
        # The limit is the owner's business: nothing is added or cleaned here.
        options |= {"cache": kept_in(Path(mesh_cache), 0), "stage": folder / STAGE}
    report = detect(
        parsed,
        {name: Path(path) for name, path in inputs.items()},
        engine=make_engine(engine, **options),
        keep_going=keep_going,
        progress=progress,
    )
    write_output(report, folder / OUTPUT, parsed.min_coverage)
    handover.write(report, folder)
