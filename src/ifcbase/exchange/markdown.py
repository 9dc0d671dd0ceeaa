"""A short summary in Markdown, for merge requests and chats."""

from __future__ import annotations

import re
from pathlib import Path

from ifcbase.exchange.report import NOTHING_TESTED, Report, Section
from ifcbase.exchange.text import line, millimetres, moment, percent

SHOWN = 20
#: Characters that could become markup, a link, a mention or HTML.
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|!~@&])")


def write_markdown(report: Report, path: Path) -> int:
    """Write the summary and give the number of findings listed in it."""
    path.write_text("\n".join(_lines(report)) + "\n", encoding="utf-8")
    return sum(min(len(each.findings), SHOWN) for each in report.sections)


def _lines(report: Report) -> list[str]:
    lines = [
        f"# {_text(report.title)}",
        "",
        f"**{_text(report.verdict)}**, {report.total} findings, {moment(report.created)}",
        "",
    ]
    lines += [f"- **warning:** {_text(each)}" for each in report.warnings]
    for section in report.sections:
        lines += _section_lines(section)
    return lines


def _section_lines(section: Section) -> list[str]:
    lines = ["", f"## {_text(section.name)}", "", _text(section.sentence), ""]
    lines += [f"- **warning:** {_text(each)}" for each in section.warnings]
    if section.tested:
        lines += ["", "| part | model | selection | selected | tested | left out |",
                  "|---|---|---|--:|--:|---|"]  # fmt: skip
        for each in section.tested:
            left = ", ".join(f"{count} {why}" for why, count in sorted(each.left_out.items()))
            lines.append(
                f"| {_text(each.part)} | {_text(each.model)} | {_text(each.selection)} "
                f"| {each.selected} | {each.tested} | {_text(left)} |"
            )
    if section.requirements:
        lines += ["", "| requirement | tested | failed | share |", "|---|--:|--:|--:|"]
        for rule in section.requirements:
            share = percent(rule.share, NOTHING_TESTED)
            lines.append(f"| {_text(rule.text)} | {rule.evaluated} | {rule.failed} | {share} |")
    if section.findings:
        lines += ["", "| finding | kind | distance | storey |", "|---|---|--:|---|"]
        for finding in section.findings[:SHOWN]:
            far = "" if finding.distance is None else millimetres(finding.distance)
            lines.append(
                f"| {_text(finding.title)} | {_text(finding.kind)} | {far} "
                f"| {_text(finding.storey)} |"
            )
    if len(section.findings) > SHOWN:
        lines += ["", f"… and {len(section.findings) - SHOWN} more."]
    return lines


def _text(value: object) -> str:
    return _MARKUP.sub(r"\\\1", line(value, 300))
