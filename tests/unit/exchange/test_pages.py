"""HTML and Markdown: complete, escaped, loading nothing, honest about what is not listed."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from ifcbase.exchange import html
from ifcbase.exchange.html import write_html
from ifcbase.exchange.markdown import SHOWN, write_markdown
from ifcbase.exchange.report import Finding, Report, Section, Tested
from tests.unit.exchange.made import (
    NASTY,
    any_report,
    element,
    finding,
    full_finding,
    ids_report,
    report,
)

VOID = {"meta", "input", "br", "rect"}
KNOWN = {
    "html", "head", "meta", "title", "style", "body", "main", "p", "div", "h1", "h2", "h3", "span",
    "b", "i", "section", "dl", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td", "code",
    "svg", "rect", "details", "summary", "footer", "script", "input", "br",
}  # fmt: skip
ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "class", "id", "scope", "data-v",
    "data-table", "type", "placeholder", "aria-label", "aria-hidden", "viewbox",
    "preserveaspectratio", "x", "width", "height",
}  # fmt: skip


class Page(HTMLParser):
    """Reads a page as a strict browser would: every element closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.rows: list[list[str]] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in KNOWN, tag
        assert {name for name, _ in attrs} <= ATTRIBUTES, attrs
        assert len({name for name, _ in attrs}) == len(attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        return " ".join(part for parts in self.texts.values() for part in parts)


def page(made: Report, folder: Path) -> tuple[str, Page]:
    path = folder / "page.html"
    write_html(made, path)
    text = path.read_text(encoding="utf-8")
    return text, Page(text)


def test_the_page_says_what_was_found_tested_and_not(tmp_path: Path) -> None:
    _, read = page(report(full_finding(), finding(1)), tmp_path)
    for said in (
        "Clashes of the week", "What was tested", "nothing selected", "Wall 7 clashes with Pipe 7",
        "12.3 mm", "Move the pipe.", "mep@example.org", "due 2026-12-01", "seen again",
        "Only 80.0 % of the elements with geometry were tested.", "Not tested: 1", "arc-2.ifc",
        "Architecture, version 2", "2681234.12 1247890.65 408.25",
    ):  # fmt: skip
        assert said in read.text, said
    assert read.texts["title"] == ["Clashes of the week"]


def test_the_page_loads_nothing_and_runs_only_what_its_policy_names(tmp_path: Path) -> None:
    text, read = page(report(finding(1)), tmp_path)
    assert not re.search(r"(\bsrc=|href=|url\(|@import|https?:)", text)
    (policy,) = [a["content"] for _, a in read.elements if a.get("http-equiv")]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (body,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not any("style" in attributes for _, attributes in read.elements)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(made=any_report())
def test_no_text_of_a_model_becomes_markup(tmp_path: Path, made: Report) -> None:
    """The reader refuses every element and attribute that is not the page's own."""
    text, read = page(made, tmp_path)
    assert sum(tag == "script" for tag, _ in read.elements) == 1
    assert len(re.findall("<script", text)) == 1
    findings = [row for row in read.rows if row and row[0].isdigit() and len(row) > 3]
    assert len(findings) >= made.total


@pytest.mark.parametrize("text", NASTY)
def test_nasty_names_can_be_read(tmp_path: Path, text: str) -> None:
    _, read = page(report(finding(1, elements=(element(1, name=text),), title=text)), tmp_path)
    wanted = re.sub(r"[\x00-\x1f\ud800]", " ", text).split()
    assert all(word[:1000].strip("\ufffd") in read.text for word in wanted)


def test_a_page_with_too_many_findings_says_how_many_it_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html, "MAX_LISTED", 3)
    many = [finding(number) for number in range(2)]
    sections = [Section("one", "found", "", many), Section("two", "found", "", many)]
    sections.append(Section("three", "found", "", many))
    made = replace(report(), sections=sections)
    path = tmp_path / "p.html"
    assert write_html(made, path) == 3
    read = Page(path.read_text(encoding="utf-8"))
    assert "This page lists 1 of 2 findings" in read.text
    assert "This page lists 0 of 2 findings" in read.text
    assert sum("clashes with" in cell for row in read.rows for cell in row) == 3


def test_a_page_without_anything_tested_does_not_look_clean(tmp_path: Path) -> None:
    made = report()
    (section,) = made.sections
    section.tested = [Tested("side a", "A", "IfcDoor", 0, 0)]
    _, read = page(made, tmp_path)
    assert "nothing tested" in read.text
    assert "inconclusive" in read.text
    assert "100 %" not in read.text
    _, read = page(ids_report(0), tmp_path)
    assert "nothing tested" in read.text
    assert "100 %" not in read.text


def test_numbers_sort_by_value_and_words_by_text(tmp_path: Path) -> None:
    _, read = page(report(finding(1, distance=0.5), finding(2, distance=0.0625)), tmp_path)
    values = {a["data-v"] for tag, a in read.elements if tag == "td" and "data-v" in a}
    assert {"0.5", "0.0625"} <= values
    assert any("sortable" in (a.get("class") or "") for tag, a in read.elements if tag == "table")


def test_the_same_report_gives_the_same_page(tmp_path: Path) -> None:
    first, _ = page(report(full_finding()), tmp_path)
    again, _ = page(report(full_finding()), tmp_path)
    assert first == again


def test_counts_are_shown_where_there_are_several_values(tmp_path: Path) -> None:
    found: list[Finding] = [finding(1), finding(2), finding(3, kind="contained")]
    _, read = page(report(*found), tmp_path)
    assert ["pierce", "2", ""] in read.rows
    assert ["contained", "1", ""] in read.rows


# --- Markdown ------------------------------------------------------------------------------------


def test_markdown_lists_the_first_findings(tmp_path: Path) -> None:
    path = tmp_path / "r.md"
    made = report(*[finding(number) for number in range(SHOWN + 5)])
    assert write_markdown(made, path) == SHOWN
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# Clashes of the week\n")
    assert "… and 5 more." in text
    assert text.count("clashes with") == SHOWN
    assert "**found**, 25 findings" in text


def test_markdown_says_that_nothing_was_tested(tmp_path: Path) -> None:
    path = tmp_path / "r.md"
    write_markdown(ids_report(0), path)
    assert "| Name shall be given | 0 | 0 | nothing tested |" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("text", NASTY)
def test_nothing_in_markdown_becomes_markup(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.md"
    write_markdown(report(finding(1, title=text)), path)
    lines = path.read_text(encoding="utf-8").split("\n")
    (row,) = [each for each in lines if "| pierce |" in each]
    assert len(re.findall(r"(?<!\\)\|", row)) == 5
    assert not re.search(r"(?<!\\)[<\[]", row)
