"""Recording a clash report: from the folder a child left to rows of the ledger, all or nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ifcbase.clash import handover
from ifcbase.clash.report import ClashReport, SetReport, SideFile, Verdict
from ifcbase.clash.request import SelectMode, parse_request
from ifcbase.errors import ReportInvalid
from ifcbase.files.store import FileStore
from ifcbase.ledger.interface import Attempt, Columns, JobInput, Writer
from ifcbase.ledger.recording import (
    inputs_of,
    outcome,
    output_name,
    refuse_other_bytes,
    result_line,
    store_models,
    store_output,
)


def record(writer: Writer, attempt: Attempt, folder: Path, files: FileStore) -> dict[str, Any]:
    """Store what the child left: inventories, the output file, one result per clash set.

    Gives the job's outcome with the keys existing clients read. Raises ReportInvalid if the report
    does not belong to the request.
    """
    report = handover.read(folder)
    request = parse_request(attempt.request)
    inputs = inputs_of(attempt)
    _belongs(report, [each.name for each in request.clash_sets])
    for each in report.files:
        refuse_other_bytes(inputs, each.name, each.sha256)
    # What could not be read contains nothing that anybody knows of: its elements stay untested.
    store_models(writer, inputs, [each for each in report.files if each.is_read])
    name = output_name(request.output_filename, attempt, ".json")
    output = store_output(writer, attempt, files, folder / "output.json", name)

    ids = [
        _record_set(writer, report, each, inputs, request.min_coverage, name, output.sha256)
        for each in report.sets
    ]
    verdicts = [each.verdict(request.min_coverage) for each in report.sets]
    warnings = [f"{each.definition.name}: {text}" for each in report.sets for text in each.warnings]
    results = [
        result_line(
            id_,
            each.definition.name,
            f"{len(each.clashes)} {'clash' if len(each.clashes) == 1 else 'clashes'}",
            verdict,
            each.coverage,
        )
        | {"clash_count": len(each.clashes)}
        for id_, each, verdict in zip(ids, report.sets, verdicts, strict=True)
    ]
    return outcome(
        _worst(verdicts),
        results,
        warnings,
        clash_count=sum(len(each.clashes) for each in report.sets),
        output_path=name,
        output_sha256=output.sha256,
        sets=results,
    )


def _belongs(report: ClashReport, set_names: list[str]) -> None:
    """Refuse a report on other sets than those that were asked for."""
    if [each.definition.name for each in report.sets] != set_names:
        raise ReportInvalid("the report is not about the clash sets that were asked for")


def _worst(verdicts: list[Verdict]) -> Verdict:
    """Found clashes win over inconclusive, as for the exit code."""
    for verdict in (Verdict.FOUND, Verdict.INCONCLUSIVE):
        if verdict in verdicts:
            return verdict
    return Verdict.CLEAN


def _record_set(
    writer: Writer,
    report: ClashReport,
    each: SetReport,
    inputs: dict[str, JobInput],
    min_coverage: float,
    output_name: str,
    output_sha256: str,
) -> int:
    models = {given.name: given.model or given.name for given in inputs.values()}
    definition = each.definition
    result = writer.open_result(
        {
            "set": definition.name,
            "definition": json.loads(definition.definition(models)),
            "definition_hash": definition.definition_hash(models),
            "settings": definition.model_dump(mode="json", exclude={"a", "b", "name"}),
            "output_filename": output_name,
        }
    )
    sides = [("a", side) for side in each.a] + [("b", side) for side in each.b]
    refs, sightings = _sightings(each, sides)
    writer.append_rows(result, "selection", _selections(report, sides))
    writer.append_rows(result, "coverage", _coverage(report, sides))
    writer.append_rows(result, "elements", _elements(report, refs))
    writer.append_rows(result, "left_out", _left_out(sides, refs))
    writer.append_rows(result, "pairs_left_out", _pairs_left_out(each, refs))
    writer.append_sightings(result, sightings)
    return writer.finish_result(
        result,
        {
            "clash_count": len(each.clashes),
            "verdict": each.verdict(min_coverage),
            "coverage": each.coverage,
            "related_left_out": each.related_left_out,
            "undecided": len(each.undecided),
            "touching": each.touching,
            "warnings": each.warnings,
            "incomplete": each.incomplete,
            "engine": report.engine,
            "output_sha256": output_sha256,
        },
    )


Sides = list[tuple[str, SideFile]]
Refs = dict[tuple[int, int], int]  # (file, inventory index): the element's number in this result


def _selections(report: ClashReport, sides: Sides) -> list[dict[str, Any]]:
    """What each selector matched; for "all but" that is what was left of all."""
    rows = {}
    for _, side in sides:
        if side.mode is SelectMode.ALL or not side.selector:
            continue
        file = report.files[side.file]
        chosen = {int(index) for index in side.selected}
        if side.mode is SelectMode.EXCLUDE:
            chosen = {int(index) for index in file.inventory.physical()} - chosen
        keys = [file.inventory.elements[index] for index in sorted(chosen)]
        rows[file.name, side.selector] = {
            "input": file.name,
            "selector": side.selector,
            "matched": [[element.global_id, element.n] for element in keys],
        }
    return list(rows.values())


def _coverage(report: ClashReport, sides: Sides) -> list[dict[str, Any]]:
    rows = []
    for position, (letter, side) in enumerate(sides):
        reasons: dict[str, int] = {}
        for reason in side.left_out.values():
            reasons[reason] = reasons.get(reason, 0) + 1
        rows.append(
            {
                "position": position,
                "side": letter,
                "input": report.files[side.file].name,
                "mode": side.mode,
                "selector": side.selector if side.mode is not SelectMode.ALL else None,
                "selected": len(side.selected),
                "tested": side.tested,
                "left_out": reasons,
            }
        )
    return rows


def _elements(report: ClashReport, refs: Refs) -> list[dict[str, Any]]:
    rows = []
    for (file, index), ref in refs.items():
        element = report.files[file].inventory.elements[index]
        rows.append(
            {
                "ref": ref,
                "input": report.files[file].name,
                "global_id": element.global_id,
                "n": element.n,
            }
        )
    return rows


def _left_out(sides: Sides, refs: Refs) -> list[dict[str, Any]]:
    return [
        {"position": position, "element": refs[side.file, index], "reason": reason}
        for position, (_, side) in enumerate(sides)
        for index, reason in sorted(side.left_out.items())
    ]


def _pairs_left_out(each: SetReport, refs: Refs) -> list[dict[str, Any]]:
    """All of them, not only those the chain knows: a late result may bring the others in."""
    rows = []
    for reason, pairs in (("related", each.related), ("undecided", each.undecided)):
        ones = _numbers(pairs.a_file, pairs.a, refs).tolist()
        others = _numbers(pairs.b_file, pairs.b, refs).tolist()
        rows += [
            {"a": one, "b": other, "reason": reason}
            for one, other in zip(ones, others, strict=True)
        ]
    return rows


def _sightings(each: SetReport, sides: Sides) -> tuple[Refs, Columns]:
    """Number the elements a result names, and put its contacts into the columns of its rows."""
    clashes = each.clashes
    keys = {(int(f), int(i)) for f, i in zip(clashes.a_file, clashes.a, strict=True)}
    keys |= {(int(f), int(i)) for f, i in zip(clashes.b_file, clashes.b, strict=True)}
    keys |= {(side.file, index) for _, side in sides for index in side.left_out}
    for pairs in (each.related, each.undecided):
        keys |= set(zip(pairs.a_file.tolist(), pairs.a.tolist(), strict=True))
        keys |= set(zip(pairs.b_file.tolist(), pairs.b.tolist(), strict=True))
    refs: Refs = {key: ref for ref, key in enumerate(sorted(keys))}

    # A self clash has only positions of side a.
    a_side = [(position, side) for position, (letter, side) in enumerate(sides) if letter == "a"]
    b_side = [(p, side) for p, (letter, side) in enumerate(sides) if letter == "b"] or a_side
    columns: dict[str, npt.NDArray[np.generic]] = {
        "a": _numbers(clashes.a_file, clashes.a, refs),
        "b": _numbers(clashes.b_file, clashes.b, refs),
        "a_position": _positions(clashes.a_file, clashes.a, a_side),
        "b_position": _positions(clashes.b_file, clashes.b, b_side),
        "kind": clashes.kind,
        "measured": clashes.measured,
        "distance": clashes.distance,
        "smart_group": clashes.group,
    }
    for corner, points in (("p1", clashes.p1), ("p2", clashes.p2)):
        for axis, letter in enumerate("xyz"):
            columns[corner + letter] = points[:, axis]
    return refs, columns


def _numbers(
    files: npt.NDArray[np.int32], indexes: npt.NDArray[np.int32], refs: Refs
) -> npt.NDArray[np.int32]:
    return np.fromiter(
        (refs[int(f), int(i)] for f, i in zip(files, indexes, strict=True)), np.int32, len(files)
    )


def _positions(
    files: npt.NDArray[np.int32],
    indexes: npt.NDArray[np.int32],
    side: list[tuple[int, SideFile]],
) -> npt.NDArray[np.int16]:
    """Which row of coverage each element came from: a file may stand on a side more than once."""
    positions = np.full(len(files), -1, np.int16)
    for position, source in side:
        mine = (positions < 0) & (files == source.file) & np.isin(indexes, source.selected)
        positions[mine] = position
    if (positions < 0).any():
        raise ReportInvalid("the report names elements that its sides did not select")
    return positions
