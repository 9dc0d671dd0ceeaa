"""The log of a conversion as a text: what was written, and every element that was not."""

from __future__ import annotations

from ifcbase.conversion.report import ConversionReport
from ifcbase.conversion.request import ConversionRequest


def log_text(request: ConversionRequest, report: ConversionReport) -> str:
    """Lines without times, so that the same conversion gives the same log."""
    lines = [
        f"{report.name} ({report.inventory.schema}, sha256 {report.sha256})",
        f"to {request.output_filename}: {_how_many(report)}, {report.verdict(request.min_coverage)}",
    ]
    lines += [f"{key}: {value}" for key, value in request.options().items()]
    lines += [f"{key.replace('_', ' ')}: {value}" for key, value in report.counts.items()]
    lines += [f"warning: {text}" for text in report.warnings]
    for index, reason in report.left_out.items():
        element = report.inventory.elements[index]
        why = report.reasons.get(index)
        lines.append(
            f"left out: #{element.step_id} {element.ifc_class} {element.global_id}"
            f" {element.name or ''}: {reason}" + (f" ({why})" if why else "")
        )
    return "\n".join(lines) + "\n"


def _how_many(report: ConversionReport) -> str:
    return f"{report.converted} of {len(report.selected)} elements"
