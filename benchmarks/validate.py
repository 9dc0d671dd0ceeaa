"""`ifcbase validate` against stock IfcTester on the same job: a process from its start to the report.

    python -m benchmarks.validate MODEL.ifc [RULES.ids] [--runs N]

Both read the same model and IDS, judge, and write their JSON report; imports are part of the job.
The runs take turns. Seconds of processor time are compared (the machine may be shared), wall time is
shown beside. Without an IDS one of twelve common demands is written.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from benchmarks.measuring import RESULTS, machine, write_section
from ifcbase.samples import generate

OURS = """
import sys
from pathlib import Path
from ifcbase.tester.run import run_unrecorded
model, rules, folder = sys.argv[1:]
run_unrecorded({"ifc_filename": "m", "ids_filename": "r"}, {"m": model, "r": rules}, Path(folder))
"""
STOCK = """
import sys
import ifcopenshell
from ifctester import ids, reporter
model, rules, folder = sys.argv[1:]
opened, document = ifcopenshell.open(model), ids.open(rules)
document.validate(opened)
report = reporter.Json(document)
report.report()
report.to_file(folder + "/output.json")
"""
CLASSES = (
    "IFCWALL",
    "IFCWALLSTANDARDCASE",
    "IFCSLAB",
    "IFCBEAM",
    "IFCCOLUMN",
    "IFCDOOR",
    "IFCWINDOW",
)


def demands() -> str:
    """An IDS: names, a common property and a type for common classes."""
    text = ""
    for name in CLASSES:
        asked = (
            "<attribute><name><simpleValue>Name</simpleValue></name></attribute>"
            '<property dataType="IFCBOOLEAN"><propertySet><xs:restriction base="xs:string">'
            '<xs:pattern value="Pset_.*Common"/></xs:restriction></propertySet>'
            "<baseName><simpleValue>IsExternal</simpleValue></baseName></property>"
            "<material/>"
        )
        text += (
            f'<specification name="{name}" ifcVersion="IFC2X3 IFC4">'
            '<applicability minOccurs="0" maxOccurs="unbounded">'
            f"<entity><name><simpleValue>{name}</simpleValue></name></entity></applicability>"
            f"<requirements>{asked}</requirements></specification>"
        )
    return (
        '<ids xmlns="http://standards.buildingsmart.org/IDS" '
        'xmlns:xs="http://www.w3.org/2001/XMLSchema"><info><title>Demands</title></info>'
        f"<specifications>{text}</specifications></ids>"
    )


def timed(program: str, model: Path, rules: Path) -> tuple[float, float, list[tuple[int, int]]]:
    """Seconds of processor time, wall time, and elements that passed and failed by specification."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(model), str(rules), folder],
            stdout=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"a run ended with {process.returncode}")
        report = json.loads((Path(folder) / "output.json").read_text(encoding="utf-8"))
    counts = [
        (each["total_applicable_pass"], each["total_applicable_fail"])
        for each in report["specifications"]
    ]
    return usage.ru_utime + usage.ru_stime, wall, counts


def measured(model: Path, rules: Path, runs: int) -> str:
    """A row of the table: both libraries in turns on one model."""
    found: dict[str, list[tuple[float, float]]] = {"stock": [], "ifcbase": []}
    counts = {}
    for _ in range(runs):
        for name, program in (("stock", STOCK), ("ifcbase", OURS)):
            cpu, wall, counts[name] = timed(program, model, rules)
            found[name].append((cpu, wall))
    cpu_s, wall_s = (
        {name: min(each[at] for each in rows) for name, rows in found.items()} for at in (0, 1)
    )
    same = "yes" if counts["ifcbase"] == counts["stock"] else "no"
    return (
        f"| {model.stem} ({model.stat().st_size / 1e6:.1f} MB) "
        f"| {wall_s['stock']:.2f}, {cpu_s['stock']:.2f} "
        f"| {wall_s['ifcbase']:.2f}, {cpu_s['ifcbase']:.2f} "
        f"| {cpu_s['stock'] / cpu_s['ifcbase']:.1f}x | {same} |"
    )


def main() -> None:
    """Measure a model and a generated one, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("rules", type=Path, nargs="?")
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rules = asked.rules or Path(folder) / "demands.ids"
        if not asked.rules:
            rules.write_text(demands(), encoding="utf-8")
        generated = generate(Path(folder), elements=20_000).files["Architecture"]
        rows = [measured(model, rules, asked.runs) for model in (asked.model, generated)]
    lines = [
        *machine({"ifctester": version("ifctester")}),
        "",
        f"Best of {asked.runs} turns; the ratio is of CPU seconds.",
        "",
        "| model | IfcTester: s, CPU s | ifcbase: s, CPU s | faster | same counts per specification |",
        "|---|---|---|---|---|",
        *rows,
    ]
    print("\n".join(lines))
    write_section(RESULTS, "validate", lines)


if __name__ == "__main__":
    main()
