"""One IDS check as a job: a request and local files in, two files out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ifcbase.errors import RequestInvalid
from ifcbase.progress import Progress, silent
from ifcbase.tester import handover, output
from ifcbase.tester.check import check
from ifcbase.tester.request import TesterRequest

OUTPUT = "output.json"  # what clients download
REPORT = "report.json"  # what is recorded


def run(
    request: dict[str, Any], inputs: dict[str, str], folder: Path, progress: Progress = silent
) -> None:
    """Check and write ``output.json`` and ``report.json`` into the folder.

    ``inputs`` maps every file name of the request to a local path. Raises RequestInvalid and the
    errors of ``check``.
    """
    try:
        asked = TesterRequest.model_validate(request)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise RequestInvalid(f"{field}: {first['msg']}", detail=str(error)) from error
    report = check(
        _path(asked.ifc_filename, inputs),
        [_path(name, inputs) for name in asked.ids_filename],
        strict_version=asked.strict_version,
        progress=progress,
        model_name=asked.ifc_filename,
        ids_names=asked.ids_filename,
    )
    progress("writing", 1.0)
    output.write(report, folder / OUTPUT, datetime.now(UTC))
    handover.write(report, folder / REPORT)


def _path(name: str, inputs: dict[str, str]) -> Path:
    if name not in inputs:
        raise RequestInvalid(f"No file was given for {name}.")
    return Path(inputs[name])
