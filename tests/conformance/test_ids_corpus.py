"""buildingSMART's official IDS test cases, every one of them, unchanged."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conformance.ids_conformance import Case, cases, codes, ours, page
from tests.conftest import ROOT

# Cases are named when tests are collected, before any fixture; the fixture below skips or fails.
_FOLDER = Path(os.environ.get("IFCBASE_IDS_CASES") or ROOT.parent / "shared" / "ids-testcases")
CASES = cases(_FOLDER) if _FOLDER.is_dir() else []


def named(case: Case) -> str:
    return case.name


@pytest.mark.parametrize("case", CASES, ids=named)
def test_the_official_case_has_its_official_outcome(case: Case) -> None:
    assert ours(case) == case.expected


@pytest.mark.parametrize("case", [c for c in CASES if c.expected == "invalid"], ids=named)
def test_an_invalid_case_is_refused_with_one_reason(case: Case) -> None:
    assert len(codes(case)) == 1


def test_all_cases_are_there(ids_cases_folder: Path) -> None:
    found = cases(ids_cases_folder)
    count = {
        outcome: sum(case.expected == outcome for case in found)
        for outcome in ("pass", "fail", "invalid")
    }
    assert count == {"pass": 176, "fail": 111, "invalid": 27}
    assert all(case.model.is_file() for case in found)


def test_the_committed_page_is_what_the_cases_say(ids_cases_folder: Path) -> None:
    committed = ROOT / "docs" / "reference" / "ids-conformance.md"
    assert committed.read_text(encoding="utf-8") == page(ids_cases_folder)
