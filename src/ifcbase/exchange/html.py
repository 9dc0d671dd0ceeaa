"""One page that is complete in itself: readable, printable, nothing loaded from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from html import escape
from importlib import resources
from pathlib import Path

from ifcbase.exchange.page.pieces import bar_of, numeric, plural, safe, spaced, table_of, td, worded
from ifcbase.exchange.report import (
    NOTHING_TESTED,
    Element,
    Finding,
    LeftOut,
    Report,
    Requirement,
    Section,
    Tested,
)
from ifcbase.exchange.rows import series_word
from ifcbase.exchange.text import cell, line, millimetres, moment, percent

#: A browser shows no more rows well; the page says what it does not list.
MAX_LISTED = 5000
MAX_LEFT_OUT = 500
_BARS = 8
_KINDS_OF_COUNT = (("kind", "By kind"), ("state", "By state"), ("class_pair", "By class"),
                   ("storey", "By storey"))  # fmt: skip


def write_html(report: Report, path: Path) -> int:
    """Write the page and give the number of findings listed on it."""
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(_pieces(report))
    return min(report.total, MAX_LISTED)


@cache
def _part(name: str) -> str:
    return (resources.files("ifcbase.exchange") / "page" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _pieces(report: Report) -> Iterator[str]:
    style, script = _part("style.css"), _part("table.js")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{safe(report.title)}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n"
    )
    yield from _head(report)
    room = MAX_LISTED
    for number, section in enumerate(report.sections):
        listed = section.findings[:room]
        room -= len(listed)
        yield from _section(section, listed, number)
    yield (
        "<footer>Lengths are in millimetres, points are world coordinates in metres. This page "
        "needs nothing but itself: keep it, mail it, print it.</footer>\n"
        f"</main>\n<script>{script}</script>\n</body>\n</html>\n"
    )


def _head(report: Report) -> Iterator[str]:
    project = f"{safe(report.project)} · " if report.project else ""
    yield f'<p class="kicker">{project}{moment(report.created)} · {safe(report.author)}</p>\n'
    yield f'<div class="head"><h1>{safe(report.title)}</h1>{_pill(report.verdict)}</div>\n'
    selected = sum(each.selected for s in report.sections for each in s.tested)
    tested = sum(each.tested for s in report.sections for each in s.tested)
    left_out = sum(len(each.left_out) for each in report.sections)
    yield '<div class="tiles">\n'
    yield _tile(report.total, "finding" if report.total == 1 else "findings")
    if any(section.requirements for section in report.sections):
        evaluated = sum(each.evaluated for s in report.sections for each in s.requirements)
        yield _tile(evaluated, "checks of an element made")
    elif selected:
        share = percent(tested / selected, NOTHING_TESTED)
        yield _tile(share, f"of {spaced(selected)} selected elements tested")
    else:
        yield _tile("0", NOTHING_TESTED)
    if left_out:
        yield _tile(left_out, "not tested, listed below")
    yield _tile(len(report.sections), plural(series_word(report.check), len(report.sections)))
    yield "</div>\n"
    yield from _notes(report.warnings)
    if report.models or report.facts:
        yield "<section>\n<h2>What was read</h2>\n"
        if report.models:
            yield from table_of(
                ["model", "file", "schema", "SHA-256"],
                (
                    [
                        td(each.name + (f", version {each.version}" if each.version else "")),
                        td(each.file), td(each.schema),
                        f"<td><code>{safe(each.sha256[:16])}</code></td>",
                    ]
                    for each in report.models
                ),
            )  # fmt: skip
        yield _facts(report.facts)
        yield "</section>\n"


def _section(section: Section, listed: Sequence[Finding], number: int) -> Iterator[str]:
    yield f'<section>\n<div class="head"><h2>{safe(section.name)}</h2>{_pill(section.verdict)}</div>\n'
    yield f"<p>{safe(section.sentence)}</p>\n"
    yield from _notes(section.warnings)
    yield _facts(section.facts)
    # Requirements say themselves how many elements they looked at, unless some got lost on the way.
    if section.tested and (section.left_out or not section.requirements):
        yield "<h3>What was tested</h3>\n"
        heads = ["part", "model", "selection", "selected*", "tested*", "", "left out"]
        yield from table_of(heads, map(_tested_row, section.tested))
    if section.requirements:
        yield "<h3>Requirements</h3>\n"
        heads = ["requirement", "tested*", "passed*", "failed*", "not judged*", "share*", ""]
        yield from table_of(heads, map(_requirement_row, section.requirements))
    yield from _bars(section)
    if section.findings:
        yield from _findings(section, listed, number)
    if section.left_out:
        yield from _left_out(section.left_out)
    yield "</section>\n"


def _findings(section: Section, listed: Sequence[Finding], number: int) -> Iterator[str]:
    yield "<h3>Findings</h3>\n"
    if len(listed) < len(section.findings):
        yield (
            f'<p class="note">This page lists {spaced(len(listed))} of '
            f"{spaced(len(section.findings))} findings; XLSX and CSV have all of them.</p>\n"
        )
    if not listed:
        return
    table = f"findings-{number}"
    yield (
        f'<p class="find"><input type="search" data-table="{table}" '
        'placeholder="Find in this table" aria-label="Find in this table"></p>\n'
    )
    has = {
        name: any(getattr(each, name) not in (None, "") for each in listed)
        for name in ("distance", "state", "review", "storey", "point", "assigned_to")
    }
    heads = ["#*", "finding", "kind"]
    heads += ["distance*"] if has["distance"] else []
    heads += ["state"] if has["state"] else []
    heads += ["review"] if has["review"] or has["assigned_to"] else []
    heads += ["elements"]
    heads += ["storey"] if has["storey"] else []
    heads += ["at (m)"] if has["point"] else []
    rows = (_finding_row(at, each, has) for at, each in enumerate(listed, 1))
    yield from table_of(heads, rows, identity=table)


def _finding_row(at: int, finding: Finding, has: dict[str, bool]) -> list[str]:
    reason = f'<div class="small reason">{safe(cell(finding.details, 600), keep_lines=True)}</div>'
    comments = "".join(
        f'<div class="small">{safe(each.author)}: {safe(each.text)}</div>'
        for each in finding.comments
    )
    row = [
        numeric(at, str(at)),
        f'<td class="title">{safe(finding.title)}{reason if finding.details else ""}{comments}</td>',
        td(finding.kind),
    ]
    if has["distance"]:
        far = finding.distance
        row.append(numeric(far, millimetres(far)) if far is not None else '<td class="n"></td>')
    if has["state"]:
        row.append(worded(finding.state, finding.state_reason))
    if has["review"] or has["assigned_to"]:
        extra = [finding.review_reason, finding.assigned_to,
                 f"due {finding.due}" if finding.due else None]  # fmt: skip
        row.append(worded(finding.review, ", ".join(each for each in extra if each)))
    row.append(f"<td>{''.join(_elements(finding.elements))}</td>")
    if has["storey"]:
        row.append(td(finding.storey))
    if has["point"]:
        at_point = finding.point
        row.append(td("" if at_point is None else " ".join(f"{axis:.2f}" for axis in at_point)))
    return row


def _elements(elements: Sequence[Element]) -> Iterator[str]:
    for at, each in enumerate(elements[:5]):
        letter = f'<i class="{"ab"[at]}">{"ab"[at]}</i>' if len(elements) == 2 else ""
        named = " ".join(part for part in (each.ifc_class, each.name) if part)
        yield (
            f'<div class="element">{letter}{safe(named)}<br><span class="small">'
            f"{safe(each.model)}</span> <code>{safe(each.global_id)}</code></div>"
        )
    if len(elements) > 5:
        yield f'<div class="small">and {len(elements) - 5} more</div>'


def _bars(section: Section) -> Iterator[str]:
    blocks = []
    for key, title in _KINDS_OF_COUNT:
        counts = Counter(
            str(value) for each in section.findings if (value := getattr(each, key))
        ).most_common()
        if len(counts) > 1:
            most = counts[0][1]
            rows = [
                f'<tr>{td(name)}{numeric(count, spaced(count))}<td class="bar">'
                f"{bar_of((count / most, 'part'))}</td></tr>"
                for name, count in counts[:_BARS]
            ]
            more = len(counts) - _BARS
            rest = f'<p class="small">and {more} more</p>' if more > 0 else ""
            blocks.append(
                f"<div><h3>{title}</h3><table><tbody>{''.join(rows)}</tbody></table>{rest}</div>"
            )
    if blocks:
        yield f'<div class="bars">\n{"".join(blocks)}\n</div>\n'


def _tested_row(each: Tested) -> list[str]:
    left = ", ".join(f"{count} {why}" for why, count in sorted(each.left_out.items()))
    share = each.tested / each.selected if each.selected else 0.0
    return [
        td(each.part), td(each.model), td(each.selection),
        numeric(each.selected, spaced(each.selected)), numeric(each.tested, spaced(each.tested)),
        f'<td class="bar">{bar_of((share, "good"))}</td>', td(left or ("nothing selected" if not
                                                                     each.selected else "")),
    ]  # fmt: skip


def _requirement_row(each: Requirement) -> list[str]:
    share = each.share
    bar = "" if share is None else bar_of((share, "good"), (1 - share, "bad"))
    return [
        td(each.text),
        *(numeric(n, spaced(n)) for n in (each.evaluated, each.passed, each.failed, each.unjudged)),
        numeric(-1.0 if share is None else share, percent(share, NOTHING_TESTED)),
        f'<td class="bar">{bar}</td>',
    ]


def _left_out(rows: Sequence[LeftOut]) -> Iterator[str]:
    shown = rows[:MAX_LEFT_OUT]
    cut = "" if len(shown) == len(rows) else f", the first {len(shown)} of them here"
    yield f"<details><summary>Not tested: {spaced(len(rows))}{cut}</summary>\n"
    yield from table_of(
        ["part", "element", "storey", "reason"],
        (
            [
                td(each.part),
                f"<td>{''.join(_elements([each.element]))}</td>",
                td(each.element.storey),
                td(each.reason),
            ]
            for each in shown
        ),
    )
    yield "</details>\n"


def _facts(facts: Sequence[tuple[str, str]]) -> str:
    if not facts:
        return ""
    rows = "".join(f"<dt>{safe(label)}</dt><dd>{safe(value)}</dd>" for label, value in facts)
    return f"<dl>{rows}</dl>\n"


def _notes(warnings: Sequence[str]) -> Iterator[str]:
    for each in warnings:
        yield f'<p class="note">{safe(each)}</p>\n'


def _pill(verdict: str) -> str:
    return (
        f'<span class="pill {escape(line(verdict).lower())}">{safe(verdict)}</span>'
        if verdict
        else ""
    )


def _tile(value: int | str, label: str) -> str:
    shown = spaced(value) if isinstance(value, int) else value
    return f'<div class="tile"><b>{shown}</b><span>{safe(label)}</span></div>\n'
