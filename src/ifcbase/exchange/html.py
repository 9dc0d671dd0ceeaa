"""One page that is complete in itself: readable, printable, nothing loaded from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from html import escape
from importlib import resources
from pathlib import Path

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
        f"<title>{_text(report.title)}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n"
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
    project = f"{_text(report.project)} · " if report.project else ""
    yield f'<p class="kicker">{project}{moment(report.created)} · {_text(report.author)}</p>\n'
    yield f'<div class="head"><h1>{_text(report.title)}</h1>{_pill(report.verdict)}</div>\n'
    selected = sum(each.selected for s in report.sections for each in s.tested)
    tested = sum(each.tested for s in report.sections for each in s.tested)
    left_out = sum(len(each.left_out) for each in report.sections)
    yield '<div class="tiles">\n'
    yield _tile(report.total, "finding" if report.total == 1 else "findings")
    if selected:
        share = percent(tested / selected, NOTHING_TESTED)
        yield _tile(share, f"of {_count(selected)} selected elements tested")
    elif any(section.requirements for section in report.sections):
        evaluated = sum(each.evaluated for s in report.sections for each in s.requirements)
        yield _tile(evaluated, "checks of an element made")
    else:
        yield _tile("0", NOTHING_TESTED)
    if left_out:
        yield _tile(left_out, "not tested, listed below")
    yield _tile(len(report.sections), _plural(series_word(report.check), len(report.sections)))
    yield "</div>\n"
    yield from _notes(report.warnings)
    if report.models or report.facts:
        yield "<section>\n<h2>What was read</h2>\n"
        if report.models:
            yield from _table(
                ["model", "file", "version", "schema", "SHA-256"],
                (
                    [
                        _td(each.name), _td(each.file),
                        _td("" if each.version is None else str(each.version)),
                        _td(each.schema), f"<td><code>{_text(each.sha256[:16])}</code></td>",
                    ]
                    for each in report.models
                ),
            )  # fmt: skip
        yield _facts(report.facts)
        yield "</section>\n"


def _section(section: Section, listed: Sequence[Finding], number: int) -> Iterator[str]:
    yield f'<section>\n<div class="head"><h2>{_text(section.name)}</h2>{_pill(section.verdict)}</div>\n'
    yield f"<p>{_text(section.sentence)}</p>\n"
    yield from _notes(section.warnings)
    yield _facts(section.facts)
    if section.tested:
        yield "<h3>What was tested</h3>\n"
        heads = ["part", "model", "selection", "selected*", "tested*", "", "left out"]
        yield from _table(heads, map(_tested_row, section.tested))
    if section.requirements:
        yield "<h3>Requirements</h3>\n"
        heads = ["requirement", "tested*", "passed*", "failed*", "not judged*", "share*", ""]
        yield from _table(heads, map(_requirement_row, section.requirements))
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
            f'<p class="note">This page lists {_count(len(listed))} of '
            f"{_count(len(section.findings))} findings; XLSX and CSV have all of them.</p>\n"
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
    yield from _table(heads, rows, identity=table)


def _finding_row(at: int, finding: Finding, has: dict[str, bool]) -> list[str]:
    reason = f'<div class="small reason">{_text(cell(finding.details, 600), keep_lines=True)}</div>'
    comments = "".join(
        f'<div class="small">{_text(each.author)}: {_text(each.text)}</div>'
        for each in finding.comments
    )
    row = [
        _number(at, str(at)),
        f'<td class="title">{_text(finding.title)}{reason if finding.details else ""}{comments}</td>',
        _td(finding.kind),
    ]
    if has["distance"]:
        far = finding.distance
        row.append(_number(far, millimetres(far)) if far is not None else '<td class="n"></td>')
    if has["state"]:
        row.append(_worded(finding.state, finding.state_reason))
    if has["review"] or has["assigned_to"]:
        extra = [finding.review_reason, finding.assigned_to,
                 f"due {finding.due}" if finding.due else None]  # fmt: skip
        row.append(_worded(finding.review, ", ".join(each for each in extra if each)))
    row.append(f"<td>{''.join(_elements(finding.elements))}</td>")
    if has["storey"]:
        row.append(_td(finding.storey))
    if has["point"]:
        at_point = finding.point
        row.append(_td("" if at_point is None else " ".join(f"{axis:.2f}" for axis in at_point)))
    return row


def _elements(elements: Sequence[Element]) -> Iterator[str]:
    for at, each in enumerate(elements[:5]):
        letter = f'<i class="{"ab"[at]}">{"ab"[at]}</i>' if len(elements) == 2 else ""
        named = " ".join(part for part in (each.ifc_class, each.name) if part)
        yield (
            f'<div class="element">{letter}{_text(named)}<br><span class="small">'
            f"{_text(each.model)}</span> <code>{_text(each.global_id)}</code></div>"
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
                f'<tr>{_td(name)}{_number(count, _count(count))}<td class="bar">'
                f"{_bar((count / most, 'part'))}</td></tr>"
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
        _td(each.part), _td(each.model), _td(each.selection),
        _number(each.selected, _count(each.selected)), _number(each.tested, _count(each.tested)),
        f'<td class="bar">{_bar((share, "good"))}</td>', _td(left or ("nothing selected" if not
                                                                     each.selected else "")),
    ]  # fmt: skip


def _requirement_row(each: Requirement) -> list[str]:
    share = each.share
    bar = "" if share is None else _bar((share, "good"), (1 - share, "bad"))
    return [
        _td(each.text),
        *(_number(n, _count(n)) for n in (each.evaluated, each.passed, each.failed, each.unjudged)),
        _number(-1.0 if share is None else share, percent(share, NOTHING_TESTED)),
        f'<td class="bar">{bar}</td>',
    ]


def _left_out(rows: Sequence[LeftOut]) -> Iterator[str]:
    shown = rows[:MAX_LEFT_OUT]
    cut = "" if len(shown) == len(rows) else f", the first {len(shown)} of them here"
    yield f"<details><summary>Not tested: {_count(len(rows))}{cut}</summary>\n"
    yield from _table(
        ["part", "element", "storey", "reason"],
        (
            [
                _td(each.part),
                f"<td>{''.join(_elements([each.element]))}</td>",
                _td(each.element.storey),
                _td(each.reason),
            ]
            for each in shown
        ),
    )
    yield "</details>\n"


def _table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], identity: str | None = None
) -> Iterator[str]:
    """A table of cells that are HTML already; a heading that ends in * is of numbers."""
    made = "".join(
        f'<th scope="col" class="n">{head[:-1]}</th>' if head.endswith("*")
        else f'<th scope="col">{head}</th>'
        for head in heads
    )  # fmt: skip
    mark = f' id="{identity}" class="sortable"' if identity else ""
    yield f'<div class="wide"><table{mark}>\n<thead><tr>{made}</tr></thead>\n<tbody>\n'
    for row in rows:
        yield f"<tr>{''.join(row)}</tr>\n"
    yield "</tbody>\n</table></div>\n"


def _facts(facts: Sequence[tuple[str, str]]) -> str:
    if not facts:
        return ""
    rows = "".join(f"<dt>{_text(label)}</dt><dd>{_text(value)}</dd>" for label, value in facts)
    return f"<dl>{rows}</dl>\n"


def _notes(warnings: Sequence[str]) -> Iterator[str]:
    for each in warnings:
        yield f'<p class="note">{_text(each)}</p>\n'


def _pill(verdict: str) -> str:
    return (
        f'<span class="pill {escape(line(verdict).lower())}">{_text(verdict)}</span>'
        if verdict
        else ""
    )


def _tile(value: int | str, label: str) -> str:
    shown = _count(value) if isinstance(value, int) else value
    return f'<div class="tile"><b>{shown}</b><span>{_text(label)}</span></div>\n'


def _bar(*parts: tuple[float, str]) -> str:
    """A bar of shares. Widths are attributes, for the page's policy forbids styles."""
    rects, start = ['<rect class="all" width="100" height="10"/>'], 0.0
    for share, name in parts:
        width = round(100 * share, 2)
        rects.append(f'<rect class="{name}" x="{start:g}" width="{width:g}" height="10"/>')
        start += width
    return (
        '<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(rects)}</svg>"
    )


def _worded(word: str | None, reason: str | None) -> str:
    small = f'<div class="small">{_text(reason)}</div>' if reason else ""
    return f"<td>{_text(word or '')}{small}</td>"


def _td(value: object) -> str:
    return f"<td>{_text(value)}</td>"


def _number(value: float, shown: str) -> str:
    return f'<td class="n" data-v="{value!r}">{_text(shown)}</td>'


def _count(number: int) -> str:
    """A whole number in groups of three, as no language misreads it."""
    return f"{number:,}".replace(",", " ")


def _plural(word: str, number: int) -> str:
    return word if number == 1 or word == "series" else word + "s"


def _text(value: object, *, keep_lines: bool = False) -> str:
    return escape(cell(value) if keep_lines else line(value))
