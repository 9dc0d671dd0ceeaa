"""Exports as the gateway sends them: a file in its own work folder."""

from __future__ import annotations

from typing import Literal

from ifcbase.exchange.formats import bcf_version
from ifcbase.exchange.recorded import Exported, write_report
from ifcbase.exchange.report import Report
from ifcbase.gateway.caller import Caller

Format = Literal["html", "xlsx", "csv", "bcf", "md"]


def written(caller: Caller, report: Report, form: Format, bcf: str, by_group: bool) -> Exported:
    """The report as a temporary file, which the one who sends it removes.

    Raises RequestInvalid for a version of BCF nobody writes."""
    folder = caller.gateway.settings.work_folder / "exports"
    return write_report(report, folder, form, bcf=bcf_version(bcf), by_group=by_group)
