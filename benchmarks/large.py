"""`ifcbase validate` and `ifcbase diff` on one generated model of many elements: time and memory, once.

    python -m benchmarks.large [--elements 250000] [--minutes 15]

The second version differs in the names of every hundredth element, so that the diff has values to read
and no shape to mesh. Each check is a process of its own from its start to its report; one that takes
longer than the limit is ended and said to have been.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.diff import OURS as DIFF
from benchmarks.measuring import RESULTS, machine, write_section
from benchmarks.validate import OURS as VALIDATE
from benchmarks.validate import demands
from ifcbase.samples import generate

_NAMED = re.compile(rb"(=IFC(?:WALL|BEAM|COLUMN|SLAB)\('[^']{22}',#\d+,')([^']*)'")
#: Every how many-th element has another name in the second version.
EVERY = 100


def made(folder: Path, elements: int) -> tuple[Path, Path, int]:
    """A model of so many elements, its next version, and how many elements were renamed."""
    generated = generate(folder, elements=2 * elements)
    generated.files["Services"].unlink()
    old = generated.files["Architecture"]
    new, seen, renamed = folder / "next.ifc", 0, 0
    with old.open("rb") as source, new.open("wb") as target:
        for line in source:
            found = _NAMED.search(line)
            if found:
                seen += 1
                if seen % EVERY == 0:
                    line = _NAMED.sub(rb"\1\2 (edited)'", line)
                    renamed += 1
            target.write(line)
    return old, new, renamed


def measured(code: str, given: list[Path], limit_s: float) -> tuple[str, Path | None]:
    """A row of seconds, CPU seconds and megabytes of one process; its report unless it was ended."""
    folder = Path(tempfile.mkdtemp(dir=given[0].parent))
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code, *map(str, given), str(folder)])
    end = threading.Timer(limit_s, process.kill)
    end.start()
    _, status, usage = os.wait4(process.pid, 0)
    end.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu, memory = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
    row = f"{time.perf_counter() - began:.0f} | {cpu:.0f} | {memory:.0f}"
    if process.returncode:
        return f"{row} (ended with {process.returncode})", None
    return row, folder / "output.json"


def main() -> None:
    """Generate, measure and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--elements", type=int, default=250_000)
    parser.add_argument("--minutes", type=float, default=15)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        old, new, renamed = made(folder, asked.elements)
        rules = folder / "demands.ids"
        rules.write_text(demands(), encoding="utf-8")
        size = old.stat().st_size / 1e6
        checked, report = measured(VALIDATE, [old, rules], 60 * asked.minutes)
        judged = "?"
        if report:
            document = json.loads(report.read_bytes())
            judged = str(document["total_checks"])
            report.unlink()
        compared, report = measured(DIFF, [old, new], 60 * asked.minutes)
        changed = "?" if report is None else str(len(json.loads(report.read_bytes())["changed"]))
    lines = [
        *machine({}),
        "",
        f"One run each on a generated model of {asked.elements} elements ({size:.0f} MB).",
        "",
        "| check | s | CPU s | peak MB | |",
        "|---|---|---|---|---|",
        f"| validate, 7 specifications | {checked} | {judged} checks |",
        f"| diff with the next version | {compared} | {changed} of {renamed} renamed found |",
    ]
    print("\n".join(lines))
    write_section(RESULTS, "large", lines)


if __name__ == "__main__":
    main()
