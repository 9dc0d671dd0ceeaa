"""Speed of converting real models to GLB, beside IfcOpenShell's own serializer with OpenCASCADE.

`python -m benchmarks.conversion [MODELS [ROUNDS]]` converts every model below the folder, each time
in a process of its own that has imported everything before the clock starts, the three ways in
turn: the serializer, ours without kept meshes, ours with them. All three run in one thread; what is
counted is the time of its core, which other work of the machine does not change. Shows medians;
exits with 1 if ours is not five times faster over all models.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path

from benchmarks.measuring import RESULTS, machine, write_section

TARGET = 5.0
HEAD = f"{'core seconds':>44}  {'stock':>7} {'cold':>7} {'warm':>7}   faster: cold, warm"
Job = tuple[Path, Path, Path]  # model, scratch folder, cache folder


def stock(job: Job) -> float:
    """IfcOpenShell: iterate with OpenCASCADE, one thread, and serialize; seconds of a core."""
    import ifcopenshell
    import ifcopenshell.geom

    model, folder, _ = job
    began = time.process_time()
    file = ifcopenshell.open(str(model))
    settings = ifcopenshell.geom.settings()
    serializer = ifcopenshell.geom.serializers.glb(str(folder / "stock.glb"), settings)
    serializer.setFile(file)
    serializer.writeHeader()
    iterator = ifcopenshell.geom.iterator(settings, file, 1, geometry_library="opencascade")
    more = iterator.initialize()
    while more:
        serializer.write(iterator.get())
        more = bool(iterator.next())
    serializer.finalize()
    return time.process_time() - began


def cold(job: Job) -> float:
    """Ours, meshes made; seconds of a core. They are kept for ``warm``."""
    return _ours(job, kept=False)


def warm(job: Job) -> float:
    """Ours, meshes kept; seconds of a core."""
    return _ours(job, kept=True)


def _ours(job: Job, *, kept: bool) -> float:

    from ifcbase.conversion.convert import Meshes, convert
    from ifcbase.conversion.request import parse_request
    from ifcbase.ifc.mesh_cache import MeshCache
    from ifcbase.ifc.meshing import fast, geometry_library  # noqa: F401  imported before the clock

    model, scratch, cache_folder = job
    cache = MeshCache(cache_folder, 4 << 30)
    request = parse_request({"input_filename": model.name, "output_filename": "a.glb"})
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        stage = Path(name) / "stage"
        stage.mkdir()
        began = time.process_time()
        convert(request, model, Path(name), Meshes(stage, cache if kept else None))
        seconds = time.process_time() - began
        cache.admit_all(stage)
    return seconds


def measured(way: Callable[[Job], float], job: Job) -> float:
    """One run in a fresh process that has imported what it needs."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        pool.submit(_imports).result()
        return pool.submit(way, job).result()


def _imports() -> None:

    import ifcbase.conversion.convert  # noqa: F401


def main(folder: Path, rounds: int) -> int:
    """Measure and print; the exit code."""
    models = sorted(folder.rglob("*.ifc"))
    if not models:
        sys.stderr.write(f"no models in {folder}\n")
        return 2
    ways: tuple[Callable[[Job], float], ...] = (stock, cold, warm)
    totals = [0.0, 0.0, 0.0]
    table: list[str] = []
    print(HEAD)
    with tempfile.TemporaryDirectory(prefix="ifcbase-bench-") as name:
        for model in models:
            cache = Path(name) / "cache"
            cache.mkdir(exist_ok=True)
            job = model, Path(name), cache
            times = [[measured(way, job) for way in ways] for _ in range(rounds)]
            medians = [statistics.median(column) for column in zip(*times, strict=True)]
            totals = [total + value for total, value in zip(totals, medians, strict=True)]
            table.append(_line(f"{model.parent.name}/{model.name}"[-44:], medians))
            print(table[-1], flush=True)
    table.append(_line("all", totals))
    print(table[-1])
    said = machine({name: version(name) for name in ("ifcopenshell", "numpy")})
    lines = [*said, "", f"Models to GLB, core seconds, medians of {rounds} interleaved rounds.", ""]
    write_section(RESULTS, "conversion", [*lines, "```", HEAD, *table, "```"])
    return int(totals[0] < TARGET * totals[1])


def _line(name: str, seconds: list[float]) -> str:
    before, made, kept = seconds
    return (
        f"{name:>44}  {before:7.2f} {made:7.2f} {kept:7.2f}   "
        f"{before / made:5.1f} x {before / kept:6.1f} x"
    )


if __name__ == "__main__":
    default = os.environ.get("IFCBASE_MODELS", "../shared/models")
    given = [*sys.argv[1:], default][0]
    sys.exit(main(Path(given), int(sys.argv[2]) if len(sys.argv) > 2 else 3))
