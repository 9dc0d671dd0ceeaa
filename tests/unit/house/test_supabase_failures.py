"""The 22 failures of the plan's Supabase: the page names tests that exist, for those that need one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "explanation" / "supabase-failures.md"
DEFAULT = "tests/compose/test_config.py"
#: What must be excluded by a test; of the others a line of the page says why they cannot happen.
TESTED = {1, 2, 3, 4, 5, 6, 8, 9, 13, 16, 17, 19, 22}
ROWS = {
    int(number): told
    for number, told in re.findall(r"^\| (\d+) \| .+? \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
}


def named_tests(told: str) -> list[tuple[Path, str]]:
    """File and name of every test a line names."""
    found = []
    for code in re.findall(r"`([^`]+)`", told):
        file, _, name = code.rpartition("::")
        if name.startswith("test_") and not name.endswith(".py"):
            found.append((ROOT / (file or DEFAULT), name))
    return found


def test_every_failure_has_its_line() -> None:
    assert sorted(ROWS) == list(range(1, 23))


@pytest.mark.parametrize("number", sorted(TESTED))
def test_what_must_be_tested_names_a_test(number: int) -> None:
    assert named_tests(ROWS[number]), ROWS[number]


@pytest.mark.parametrize(
    ("path", "name"), sorted({each for told in ROWS.values() for each in named_tests(told)})
)
def test_the_tests_it_names_are_there(path: Path, name: str) -> None:
    assert re.search(rf"^def {name}\(", path.read_text(encoding="utf-8"), re.MULTILINE)
