"""What the sandboxed child of a clash job calls: a request and files in, files out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ifcbase.clash import handover
from ifcbase.clash.detect import detect
from ifcbase.clash.output import write_output
from ifcbase.clash.request import parse_request
from ifcbase.progress import Progress, silent

OUTPUT = "output.json"


def run(
    request: Mapping[str, Any] | list[Any],
    inputs: Mapping[str, str],
    folder: Path,
    progress: Progress = silent,
) -> None:
    """Detect and leave in ``folder`` output.json (ifcclash's shape) and the hand-over files.

    ``inputs`` maps each file name of the request to a path. Raises what parsing and detecting do.
    """
    parsed = parse_request(request)
    report = detect(parsed, {name: Path(path) for name, path in inputs.items()}, progress=progress)
    write_output(report, folder / OUTPUT, parsed.min_coverage)
    handover.write(report, folder)
