"""One IDS check as a job: a request and local files in, files out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ifcbase.errors import RequestInvalid
from ifcbase.ifc import lean
from ifcbase.progress import Progress, silent
from ifcbase.tester import handover, output, summary

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import ifcopenshell

    from ifcbase.tester.report import TesterReport


def run(
    request: dict[str, Any], inputs: dict[str, str], folder: Path, progress: Progress = silent
) -> TesterReport:
    """Check and leave in the folder ``output.json``, ``report.json`` and what the model contains.

    ``inputs`` maps every file name of the request to a local path. Raises RequestInvalid and the
    errors of ``check``.
    """
    # What meshes and matches is not loaded by a run that is not recorded.
    from ifcbase.ifc.described import DescribedModel, write_models
    from ifcbase.ifc.inventory import read_inventory
    from ifcbase.ifc.traits import read_signatures
    from ifcbase.tester.request import parse_request

    asked = parse_request(request)
    path = _path(asked.ifc_filename, inputs)
    described: list[DescribedModel] = []

    def describe(file: ifcopenshell.file) -> None:
        inventory = read_inventory(file)
        signatures = read_signatures(file, inventory, path)
        described.append(DescribedModel(asked.ifc_filename, "", inventory, signatures))

    report = _check(
        asked.ifc_filename,
        asked.ids_filename,
        inputs,
        folder,
        progress,
        strict_version=asked.strict_version,
        look=describe,
    )
    (model,) = described
    whole = DescribedModel(model.name, report.model.sha256, model.inventory, model.signatures)
    write_models([whole], folder)
    return report


def run_unrecorded(
    request: dict[str, Any], inputs: dict[str, str], folder: Path, progress: Progress = silent
) -> None:
    """The same without what only the ledger needs: ``output.json``, ``report.json`` and
    ``summary.json``.

    The request is one that was parsed: it is taken at its word, and the library that parses, which
    takes longer to load than a small model to check, is not loaded again.
    """
    names = request["ids_filename"]
    report = _check(
        request["ifc_filename"],
        [names] if isinstance(names, str) else names,
        inputs,
        folder,
        progress,
        strict_version=request.get("strict_version") is True,
    )
    summary.write(report, folder / summary.FILE)


def _check(
    model: str,
    ids: Sequence[str],
    inputs: dict[str, str],
    folder: Path,
    progress: Progress,
    *,
    strict_version: bool,
    look: Callable[[ifcopenshell.file], None] | None = None,
) -> TesterReport:
    # Before anything that loads IfcOpenShell.
    lean.prepare()
    from ifcbase.tester.check import check

    report = check(
        _path(model, inputs),
        [_path(name, inputs) for name in ids],
        strict_version=strict_version,
        progress=progress,
        model_name=model,
        ids_names=ids,
        look=look,
    )
    progress("writing", 1.0)
    output.write(report, folder / handover.OUTPUT, datetime.now(UTC))
    handover.write(report, folder / handover.REPORT)
    return report


def _path(name: str, inputs: dict[str, str]) -> Path:
    if name not in inputs:
        raise RequestInvalid(f"No file was given for {name}.")
    return Path(inputs[name])
