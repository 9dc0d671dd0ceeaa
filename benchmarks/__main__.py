"""Measures the engine against others and writes a section of RESULTS.md: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

from benchmarks.federations import Federation, generated, revised, shared, tiled
from benchmarks.measure import Cost, median, run
from benchmarks.measuring import write_section

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).with_name("RESULTS.md")
#: 0 nothing found, 1 found, 3 inconclusive.
OURS_ACCEPTED = frozenset({0, 1, 3})

REFERENCE = """
import json, logging, sys
from ifcclash.ifcclash import Clasher, ClashSettings
settings = ClashSettings()
settings.output = sys.argv[2]
settings.logger = logging.getLogger("Clash")
clasher = Clasher(settings)
clasher.clash_sets = json.load(open(sys.argv[1]))
clasher.clash()
clasher.export()
"""
IFCFAST = """
import json, sys, tempfile
from concurrent.futures import ProcessPoolExecutor
import ifcfast
def bundle(job):
    return ifcfast.bundle(job[0], out_dir=job[1])
if __name__ == "__main__":
    sets = json.load(open(sys.argv[1]))
    folder = tempfile.mkdtemp(dir=sys.argv[2])
    files = [s["file"] for side in "ab" for s in sets[0][side]]
    jobs = [(f, f"{folder}/{i}") for i, f in enumerate(files)]
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(bundle, jobs))
    found = ifcfast.clash([out for _, out in jobs], tolerance_m=0.0, write_parquet=False)
    print(len(found))
"""


@dataclass
class Lane:
    """One way to get an answer; ``prepare`` is not measured."""

    name: str
    command: Callable[[], list[str]]
    prepare: Callable[[], None] = lambda: None
    accepted: frozenset[int] = frozenset({0})
    costs: list[Cost] = field(default_factory=list)
    failure: str | None = None


class Race:
    """The lanes of one federation, each run in turn, so that a busy machine is busy for all."""

    def __init__(self, federation: Federation, folder: Path, kernels: Path) -> None:
        self.federation = federation
        self.folder = folder
        self.home = folder / "home"
        self.environment = {
            **os.environ,
            "IFCBASE_HOME": str(self.home),
            "NUMBA_CACHE_DIR": str(kernels),
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]),
        }
        self.sets = folder / "sets.json"
        sides = {
            side: [{"file": str(path.absolute())} for path in paths]
            for side, paths in (("a", federation.a), ("b", federation.b))
        }
        rule = {"name": "race", "mode": "collision", "allow_touching": False}
        self.sets.write_text(json.dumps([rule | sides]), encoding="utf-8")

    def lanes(self, *, reference: bool) -> list[Lane]:
        lanes = []
        if reference:
            lanes.append(Lane("ifcclash", self._script(REFERENCE, self.folder / "reference.json")))
            lanes.append(Lane("ifcfast clash", self._script(IFCFAST, self.folder)))
        lanes += [
            Lane("ifcbase, first run", self._ours(), self._forget, OURS_ACCEPTED),
            Lane("ifcbase, again", self._ours(), accepted=OURS_ACCEPTED),
            Lane("ifcbase, another rule", self._ours(mode="intersection"), accepted=OURS_ACCEPTED),
            Lane("ifcbase, one file revised", self._ours(new=True), accepted=OURS_ACCEPTED),
        ]
        return lanes

    def run(self, lanes: list[Lane], times: int) -> None:
        for turn in range(times):
            for lane in lanes:
                if lane.failure:
                    continue
                lane.prepare()
                try:
                    cost = run(lane.command(), self.environment, lane.accepted)
                except RuntimeError as error:
                    lane.failure = str(error).strip().splitlines()[-1]
                    continue
                lane.costs.append(cost)
                print(
                    f"{self.federation.name}, turn {turn + 1}, {lane.name}: {cost.wall:.2f} s, "
                    f"{cost.cpu:.2f} CPU s, {cost.memory_mb:.0f} MB",
                    flush=True,
                )

    def clashes(self) -> int:
        """Clashes of our last run."""
        document = json.loads((self.folder / "ours.json").read_text(encoding="utf-8"))
        return len(document[0]["clashes"])

    def _script(self, text: str, output: Path) -> Callable[[], list[str]]:
        return lambda: [sys.executable, "-c", text, str(self.sets), str(output)]

    def _ours(self, *, mode: str = "collision", new: bool = False) -> Callable[[], list[str]]:
        def command() -> list[str]:
            words = [sys.executable, "-m", "ifcbase", "clash", "--mode", mode]
            words += ["-o", str(self.folder / "ours.json")]
            for side, paths in (("--a", self.federation.a), ("--b", self.federation.b)):
                for path in paths:
                    if new and path == self._costliest():
                        fresh = Path(tempfile.mkdtemp(dir=self.folder))
                        path = revised(path, fresh)
                    words += [side, str(path.absolute())]
            return words

        return command

    def _costliest(self) -> Path:
        return max(self.federation.a + self.federation.b, key=lambda p: p.stat().st_size)

    def _forget(self) -> None:
        for path in sorted(self.home.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()


def table(race: Race, lanes: list[Lane]) -> list[str]:
    """The lanes of a race in Markdown."""
    federation = race.federation
    lines = [
        (
            f"### {federation.name}: {len(federation.a)} files against {len(federation.b)}, "
            f"{federation.size_mb:.1f} MB, {race.clashes()} clashes"
        ),
        "",
        "| | runs | wall s | CPU s | peak MB | wall against ifcclash | CPU against ifcclash |",
        "|---|---|---|---|---|---|---|",
    ]
    base = next((median(x.costs) for x in lanes if x.name == "ifcclash" and x.costs), None)
    for lane in lanes:
        if lane.failure or not lane.costs:
            lines.append(f"| {lane.name} | failed: {lane.failure} | | | | | |")
            continue
        cost = median(lane.costs)
        ratios = (
            f"{base.wall / cost.wall:.1f}x | {base.cpu / cost.cpu:.1f}x" if base else "not run | "
        )
        lines.append(
            f"| {lane.name} | {len(lane.costs)} | {cost.wall:.2f} | {cost.cpu:.2f} | "
            f"{cost.memory_mb:.0f} | {ratios} |"
        )
    return [*lines, ""]


def heading(times: int) -> list[str]:
    names = ("ifcopenshell", "ifcclash", "ifcfast", "manifold3d", "numba", "numpy")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    memory = psutil.virtual_memory().total / (1 << 30)
    return [
        (
            f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, {memory:.0f} GiB, "
            f"{platform.system()}, Python {platform.python_version()}; {versions}."
        ),
        (
            f"Load averages at the start: {load} (without other work they would be near 0: ratios of "
            "interleaved runs hold, seconds do not)."
        ),
        "",
        (
            f"Collision mode, whole command lines, report written; median of {times} interleaved runs. "
            "Memory is resident, summed over the process tree. Kernels were compiled before. *First "
            "run*: nothing kept; *again*: the same question about the same bytes, so that the whole "
            "answer is kept; *another rule*: the mode intersection, answered from kept meshes and "
            "contacts; *one file revised*: the largest file has other bytes, so it is meshed and its "
            "pairs are measured anew. ifcfast cuts no openings and measures no depth."
        ),
        "",
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    default = os.environ.get("IFCBASE_MODELS", "../shared/models")
    parser.add_argument("--models", type=Path, default=Path(default))
    parser.add_argument("--only", action="append", help="names of shared federations")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--tiles", type=int, default=0, help="also schependomlaan so many times")
    parser.add_argument("--generated", type=int, action="append", default=[], metavar="ELEMENTS")
    parser.add_argument("--no-reference", action="store_true", help="ours only")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    kernels = Path(os.environ.get("NUMBA_CACHE_DIR") or Path("~/.ifcbase/cache").expanduser())
    os.environ["NUMBA_CACHE_DIR"] = str(kernels)
    from ifcbase.clash.narrow.kernels import build

    build()
    lines = heading(options.times)
    with tempfile.TemporaryDirectory(prefix="ifcbase-bench-") as name:
        root = Path(name)
        federations = [f for f in shared(options.models) if f.a and f.b]
        largest = federations[-1]
        if options.only:
            federations = [f for f in federations if f.name in options.only]
        if options.tiles:
            folder = root / "tiles"
            folder.mkdir()
            federations.append(tiled(largest, options.tiles, folder))
        federations += [generated(n, root / f"generated-{n}") for n in options.generated]
        for number, federation in enumerate(federations):
            folder = root / f"race-{number}"
            folder.mkdir()
            race = Race(federation, folder, kernels)
            lanes = race.lanes(reference=not options.no_reference)
            race.run(lanes, options.times)
            lines += table(race, lanes)
            write_section(options.output, "clash", lines)
    print(f"written to {options.output}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
