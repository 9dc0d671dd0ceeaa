"""`ifcbase diff` against stock ifcdiff on the same jobs: import, reading, comparing and report included.

Run ``python -m benchmarks.diff MODELS [--stock FOLDER]`` from the repository's root; ``FOLDER`` is where
ifcdiff and deepdiff were installed (``pip install --target``), if they are not in the environment. Runs are
interleaved; each is a process of its own, measured in wall and CPU seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ifcopenshell
import ifcopenshell.util.unit

from benchmarks.measuring import RESULTS, machine, write_section
from ifcbase.samples import generate

ALL = "attributes geometry type property container aggregate classification"
OURS = """
import sys
from pathlib import Path
from ifcbase.diff.run import run
old, new, folder = sys.argv[1:]
files = {"old.ifc": old, "new.ifc": new}
run({"old_file": "old.ifc", "new_file": "new.ifc"}, files, Path(folder), sign=False)
"""
STOCK = f"""
import sys
sys.argv = ["ifcdiff", sys.argv[1], sys.argv[2], "-o", sys.argv[3] + "/output.json", "-r", {ALL!r}]
import runpy
runpy.run_module("ifcdiff", run_name="__main__")
"""


@dataclass
class Job:
    """Two files; ``moved`` are GlobalIds of elements known to have been moved."""

    name: str
    old: Path
    new: Path
    moved: set[str] = field(default_factory=set)


@dataclass
class Run:
    wall: float
    cpu: float
    changed: set[str]


def edited(path: Path, folder: Path, seed: int = 1) -> tuple[Path, set[str]]:
    """A copy in which every 20th element is moved by 0.1 m and every other 20th is renamed."""
    file = ifcopenshell.open(str(path))
    scale = ifcopenshell.util.unit.calculate_unit_scale(file)
    rng = random.Random(seed)  # noqa: S311
    elements = [e for e in file.by_type("IfcElement") if not e.is_a("IfcFeatureElement")]
    chosen = rng.sample(elements, max(2, len(elements) // 10))
    moved: set[str] = set()
    for i, element in enumerate(chosen):
        placement = element.ObjectPlacement
        if i % 2 or placement is None or element.Representation is None:
            element.Name = f"{element.Name} (edited)"
            continue
        axes = placement.RelativePlacement
        x, y, z = axes.Location.Coordinates
        point = file.create_entity("IfcCartesianPoint", (x + 0.1 / scale, y, z))
        fresh = file.create_entity("IfcAxis2Placement3D", point, axes.Axis, axes.RefDirection)
        element.ObjectPlacement = file.create_entity(
            "IfcLocalPlacement", placement.PlacementRelTo, fresh
        )
        moved.add(element.GlobalId)
    target = folder / f"edited-{path.name}"
    file.write(str(target))
    return target, moved


def jobs(models: Path, folder: Path) -> list[Job]:
    """Real models edited, real revisions, and a generated building."""
    made: list[Job] = []
    for name in ("duplex/Duplex_Architecture.ifc", "schependomlaan/architect/ROOT-kalkzandsteen.ifc",
                 "schependomlaan/subcontractors/BERNTS-Staalconstructie.ifc"):  # fmt: skip
        copy, moved = edited(models / name, folder)
        made.append(Job(Path(name).stem, models / name, copy, moved))
    for name in ("GEELEN-Breedplaat_V2.ifc", "YTONG-Kavel_01.ifc"):
        root = models / "schependomlaan"
        made.append(
            Job(f"{Path(name).stem}, real", root / "earlier-revisions" / name,
                root / "subcontractors" / name)
        )  # fmt: skip
    generated = generate(folder, elements=2_000).files["Architecture"]
    made.append(Job("generated, 1000", generated, *edited(generated, folder)))
    return made


def run(code: str, job: Job, environment: dict[str, str]) -> Run:
    """One process from start to end."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(job.old), str(job.new), folder],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(said.decode(errors="replace")[-2000:])
        document: Any = json.loads((Path(folder) / "output.json").read_bytes())
    return Run(wall, usage.ru_utime + usage.ru_stime, set(document["changed"]))


HEAD = (
    "| job | ifcdiff: s, CPU s | ifcbase: s, CPU s | faster (wall, CPU) | moved elements found |\n"
    "|---|---|---|---|---|\n"
)


def line(job: Job, stock: list[Run], ours: list[Run]) -> str:
    """A line of a table in Markdown."""
    wall, cpu = (
        [statistics.median(getattr(r, key) for r in runs) for runs in (stock, ours)]
        for key in ("wall", "cpu")
    )
    hits = [len(job.moved & runs[0].changed) for runs in (stock, ours)]
    seen = f"{hits[0]} and {hits[1]} of {len(job.moved)}" if job.moved else "unknown"
    return (
        f"| {job.name} | {wall[0]:.2f}, {cpu[0]:.2f} | {wall[1]:.2f}, {cpu[1]:.2f} | "
        f"{wall[0] / wall[1]:.1f}x, {cpu[0] / cpu[1]:.1f}x | {seen} |\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path)
    parser.add_argument("--stock", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    ours = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1] / "src")}
    stock = (
        {**os.environ, "PYTHONPATH": str(asked.stock.resolve())}
        if asked.stock
        else dict(os.environ)
    )
    probe = subprocess.run(
        [sys.executable, "-c", "import ifcdiff"], env=stock, capture_output=True, check=False
    )
    if probe.returncode:
        sys.stderr.write(
            "ifcdiff is not installed: `pip install --target FOLDER ifcdiff`, then --stock FOLDER\n"
        )
        return 2
    table = HEAD
    sys.stdout.write(HEAD)
    with tempfile.TemporaryDirectory() as folder:
        for job in jobs(asked.models, Path(folder)):
            runs: tuple[list[Run], list[Run]] = ([], [])
            for _ in range(asked.runs):
                runs[0].append(run(STOCK, job, stock))
                runs[1].append(run(OURS, job, ours))
            table += line(job, *runs)
            sys.stdout.write(line(job, *runs))
            sys.stdout.flush()
    said = machine({"ifcopenshell": ifcopenshell.version})
    lines = [*said, "", f"Whole processes, medians of {asked.runs} interleaved runs.", ""]
    write_section(RESULTS, "diff", [*lines, *table.splitlines()])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
