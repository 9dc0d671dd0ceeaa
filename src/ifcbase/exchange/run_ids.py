"""What the sandboxed child of an IDS check calls: the check, and the report in the format asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ifcbase.exchange.formats import write
from ifcbase.exchange.from_ids import from_ids
from ifcbase.files.naming import stream_name
from ifcbase.progress import Progress, silent
from ifcbase.tester import handover
from ifcbase.tester import run as tester
from ifcbase.tester.request import ReportType, parse_request


def run(
    request: dict[str, Any], inputs: dict[str, str], folder: Path, progress: Progress = silent
) -> None:
    """Check and leave in the folder what is recorded, and the report that was asked for.

    Raises what ``tester.run.run`` raises, and FileUnwritable.
    """
    asked = parse_request(request)
    report = tester.run(request, inputs, folder, progress)
    if asked.report_type is not ReportType.JSON:
        model = stream_name(Path(asked.ifc_filename).name)
        neutral = from_ids(report, datetime.now(UTC), model=model)
        write(neutral, folder / f"{handover.ASKED}.{asked.report_type}")
