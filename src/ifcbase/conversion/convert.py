"""Convert a model: a file in, files and a report out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from ifcbase.conversion import csv, dae, glb, obj, svg, tables, xlsx
from ifcbase.conversion.log import log_text
from ifcbase.conversion.painting import colour
from ifcbase.conversion.report import ConversionReport, LeftOut, OutputFile
from ifcbase.conversion.request import ConversionRequest, Format
from ifcbase.conversion.scene import Scene, welded
from ifcbase.conversion.structure import read_structure
from ifcbase.errors import NotIfc
from ifcbase.ifc.inventory import Inventory, read_inventory
from ifcbase.ifc.mesh_cache import MeshCache
from ifcbase.ifc.meshing.audit import Outcome
from ifcbase.ifc.meshing.filemeshes import FileMeshes
from ifcbase.ifc.meshing.here import mesh_here
from ifcbase.ifc.meshing.mesher import Wanted
from ifcbase.ifc.meshing.pool import FileToMesh, mesh_files
from ifcbase.ifc.meshset import MeshSet
from ifcbase.ifc.opening import FileFacts, check_file, open_model
from ifcbase.ifc.selectors import select, unknown_classes
from ifcbase.ifc.signing import kept_signatures
from ifcbase.progress import Progress, silent

if TYPE_CHECKING:
    import ifcopenshell

#: Shares of the whole work, roughly: reading, meshing, writing.
_READ, _MESHED = 0.2, 0.8
_REASONS = {
    Outcome.NO_BODY: LeftOut.NO_REPRESENTATION,
    Outcome.EMPTY: LeftOut.EMPTY,
    Outcome.NO_GEOMETRY: LeftOut.NO_GEOMETRY,
}


@dataclass(frozen=True, slots=True)
class Meshes:
    """Where meshes come from: a cache that is only read, and a folder where new entries wait.

    They are made in this process, which is the child of a job already and starts none of its own;
    ``isolated`` makes them in another one, which outlives the crash of a mesher and goes on without
    it, and takes most of a second to start.
    """

    stage: Path
    cache: MeshCache | None = None
    isolated: bool = False


def convert(
    request: ConversionRequest,
    path: Path,
    folder: Path,
    meshes: Meshes,
    *,
    signed: bool = False,
    progress: Progress = silent,
) -> ConversionReport:
    """Convert the model at ``path`` into ``output.*`` in ``folder``; ``signed`` adds to the report
    what matching elements with other versions needs.

    The same model and options give the same bytes, whether meshes are made or kept. Raises what
    reading a model raises, SelectorInvalid, and the mesher's error where no mesher can read it.
    """
    progress("reading", 0.0, request.input_filename)
    facts, model = _read(path)
    inventory = read_inventory(model)
    selected = _selected(request, model, inventory)
    report = ConversionReport(
        name=request.input_filename,
        sha256=facts.sha256,
        inventory=inventory,
        format=request.format,
        selected=selected,
        left_out={},
        reasons={},
        warnings=_warnings(request, inventory, selected),
        engine={"ifcopenshell": version("ifcopenshell")},
        signatures=kept_signatures(model, inventory, facts, meshes.cache, meshes.stage)
        if signed
        else None,
    )
    if request.format.has_shapes:
        _write_shapes(request, facts, model, report, folder, meshes, progress)
    else:
        _write_table(request, model, report, folder, progress)
    if request.log_file is not None:
        (folder / "output.log").write_text(log_text(request, report), encoding="utf-8")
        report.outputs.append(_output(folder / "output.log", request.log_file))
    progress("writing", 1.0)
    return report


def _read(path: Path) -> tuple[FileFacts, ifcopenshell.file]:
    try:
        facts = check_file(path)
    except NotIfc as error:
        hint = "What is converted is an IFC file in STEP form, whose first line is ISO-10303-21."
        raise NotIfc(error.message, hint=hint, detail=error.detail) from error
    return facts, open_model(path, facts)


def _selected(
    request: ConversionRequest, model: ifcopenshell.file, inventory: Inventory
) -> list[int]:
    """All physical elements, or what is included of everything, without what is excluded."""
    chosen = inventory.physical()
    if request.include:
        chosen = select(model, inventory, "i", request.include)
    if request.exclude:
        chosen = np.setdiff1d(chosen, select(model, inventory, "i", request.exclude))
    return [int(i) for i in chosen]


def _warnings(request: ConversionRequest, inventory: Inventory, selected: list[int]) -> list[str]:
    found = [
        f"{name}: {unknown} is not a class of {inventory.schema} and matches nothing"
        for name, selector in (("include", request.include), ("exclude", request.exclude))
        if selector
        for unknown in unknown_classes(inventory.schema, selector)
    ]
    if not selected:
        why = "the selection leaves" if request.include or request.exclude else "the model has"
        found.append(f"{why} no element to convert")
    return found


# --- tables --------------------------------------------------------------------------------------


def _write_table(
    request: ConversionRequest,
    model: ifcopenshell.file,
    report: ConversionReport,
    folder: Path,
    progress: Progress,
) -> None:
    elements = [report.inventory.elements[i] for i in report.selected]
    elements.sort(key=lambda e: (e.global_id, e.n))

    def tick(done: int) -> None:
        if done % 256 == 0:
            progress("reading properties", _READ + (1 - _READ) * 0.9 * done / len(elements))

    rows = tables.read_rows(model, elements, tick)
    report.counts = {
        "elements": len(rows),
        "properties": sum(len(row.properties) for row in rows),
    }
    progress("writing", 0.95)
    target = folder / f"output.{request.format}"
    if request.format is Format.CSV:
        csv.write(rows, target)
    else:
        facts: list[tuple[str, tables.Cell]] = [
            ("Model", tables.safe(report.name)),
            ("SHA-256 of the model", report.sha256),
            ("Schema", report.inventory.schema),
            ("Metres per length unit", report.inventory.unit_scale),
            ("Elements", len(rows)),
            ("include", tables.safe(request.include or "all elements")),
            ("exclude", tables.safe(request.exclude or "nothing")),
            *(("Warning", tables.safe(text)) for text in report.warnings),
        ]
        xlsx.write(rows, facts, target)
    report.outputs = [_output(target, request.output_filename)]


# --- shapes --------------------------------------------------------------------------------------


def _write_shapes(
    request: ConversionRequest,
    facts: FileFacts,
    model: ifcopenshell.file,
    report: ConversionReport,
    folder: Path,
    meshes: Meshes,
    progress: Progress,
) -> None:
    def meshing(phase: str, fraction: float, note: str = "") -> None:
        progress(phase, _READ + (_MESHED - _READ) * fraction, note)

    progress("meshing", _READ)
    found = _meshed(facts, model, report, meshes, meshing)
    progress("reading colours", _MESHED)
    scene = _scene(request, model, report, found, meshes.isolated)
    report.origin = (float(scene.origin[0]), float(scene.origin[1]), float(scene.origin[2]))
    if report.selected and not report.converted:
        report.warnings.append(f"none of {len(report.selected)} elements has a shape")
    progress("writing", 0.9)
    target = folder / f"output.{request.format}"
    report.outputs = [_output_of(request, scene, report, target)]
    if request.side_file is not None:
        library = target.with_suffix(".mtl")
        report.outputs.append(_output(library, request.side_file))


def _meshed(
    facts: FileFacts,
    model: ifcopenshell.file,
    report: ConversionReport,
    meshes: Meshes,
    progress: Progress,
) -> FileMeshes | None:
    """The meshes of the selected elements; fills in who has none, and why."""
    elements = report.inventory.elements
    rows = [i for i in report.selected if elements[i].has_representation]
    for i in report.selected:
        if not elements[i].has_representation:
            report.left_out[i] = LeftOut.NO_REPRESENTATION
    if not rows:
        return None
    wanted = Wanted.of(elements[i] for i in rows)
    if meshes.isolated:
        found = _made_apart(facts, wanted, report, meshes, progress)
    else:
        found = mesh_here(
            facts, model, wanted, folder=meshes.stage, cache=meshes.cache, progress=progress
        )
    for row, i in enumerate(rows):
        reason = _REASONS.get(Outcome(int(found.outcome[row])))
        if reason is not None:
            report.left_out[i] = reason
            if reason.counts_as_gap:
                report.reasons[i] = found.reason(row)
    report.left_out = dict(sorted(report.left_out.items()))
    report.engine |= {key: found.engine[key] for key in ("build", "meshers", "versions")}
    return found


def _made_apart(
    facts: FileFacts, wanted: Wanted, report: ConversionReport, meshes: Meshes, progress: Progress
) -> FileMeshes:
    [result] = mesh_files(
        [FileToMesh(facts.path, facts.sha256, wanted)],
        stage=meshes.stage,
        cache=meshes.cache,
        processes=1,
        progress=progress,
    )
    if result.meshes is None:
        assert result.error is not None  # noqa: S101  either of them is there
        raise result.error
    for mesher, why in sorted(result.crashes.items()):
        report.warnings.append(f"the mesher {mesher} was left out: {why}")
    return result.meshes


def _scene(
    request: ConversionRequest,
    model: ifcopenshell.file,
    report: ConversionReport,
    found: FileMeshes | None,
    isolated: bool,
) -> Scene:
    inventory = report.inventory
    place = {} if found is None else {int(s): row for row, s in enumerate(found.step_ids)}
    chosen = [inventory.elements[i] for i in report.selected if i not in report.left_out]
    chosen.sort(key=lambda e: (e.global_id, e.n))
    rows = [place[e.step_id] for e in chosen]
    if found is None:
        taken, origin = MeshSet.from_meshes([]), np.zeros(3)
    else:
        taken, origin = found.meshes.take(rows), found.origin
    if request.weld_vertices:
        taken = welded(taken)
    # A mesher that crashed is not asked for colours in the same process again.
    by_face = request.format is not Format.SVG and not isolated
    coloured = colour(model, chosen, taken, origin, by_face=by_face)
    plain = coloured.several - coloured.painted
    if plain and request.format is not Format.SVG:
        report.warnings.append(
            f"{plain} of {len(chosen)} elements have several colours, and it is not known which face "
            "has which; each is written in the one that most of its parts have"
        )
    report.counts = {
        "elements": len(chosen),
        "vertices": len(taken.vertices),
        "triangles": len(taken.faces),
        "materials": len(coloured.materials),
        "several_colours": coloured.several,
        "painted": coloured.painted,
        "without_colour": coloured.without,
    }
    return Scene(
        name=PurePosixPath(request.input_filename).name,
        schema=inventory.schema,
        unit_scale=inventory.unit_scale,
        when=_date(model),
        elements=chosen,
        meshes=coloured.meshes,
        origin=origin,
        groups=coloured.groups,
        materials=coloured.materials,
        structure=read_structure(model, (e.step_id for e in chosen)),
    )


def _output_of(
    request: ConversionRequest, scene: Scene, report: ConversionReport, target: Path
) -> OutputFile:
    if request.format is Format.SVG:
        drawn = svg.plans(scene, request)
        report.counts |= {
            "plans": len(drawn),
            "drawn": len({i for plan in drawn for i in plan.sections}),
        }
        report.counts["not_cut"] = len(scene) - report.counts["drawn"]
        if len(scene) and not scene.structure.storeys():
            report.warnings.append("the model has no storeys: it is cut once")
        if len(scene):
            report.warnings += [
                f"{plan.name}: nothing is cut at this height" for plan in drawn if not plan.sections
            ]
        svg.write(scene, request, drawn, target)
    elif request.format is Format.OBJ:
        name = request.side_file or "output.mtl"
        obj.write(scene, request, target, target.with_suffix(".mtl"), name)
    else:
        write: Callable[[Scene, ConversionRequest, Path], None]
        write = glb.write if request.format is Format.GLB else dae.write
        write(scene, request, target)
    return _output(target, request.output_filename)


_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def _date(model: ifcopenshell.file) -> str:
    """The date in the model's header; a date of our own would make every file another."""
    stamp = str(model.header.file_name.time_stamp or "")
    match = _DATE.match(stamp)
    return (match.group() if match else "1970-01-01T00:00:00") + "Z"


def _output(path: Path, name: str) -> OutputFile:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return OutputFile(path.name, name, digest, path.stat().st_size)
