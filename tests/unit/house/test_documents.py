"""Documents stay true: settings, errors, commands and migrations are what the pages say."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ifcbase.errors import IfcbaseError, error_classes, from_dict
from ifcbase.stack import migrations
from tests.unit.house import reference

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / "src" / "ifcbase"
REFERENCE = ROOT / "docs" / "reference"


@pytest.mark.parametrize("page", sorted(reference.PAGES))
def test_the_reference_page_is_what_the_code_says(page: str) -> None:
    """`python -m tests.unit.house.reference` writes the pages anew."""
    written = (REFERENCE / page).read_text(encoding="utf-8")
    assert written == reference.PAGES[page](), f"docs/reference/{page} is out of date"


@pytest.mark.parametrize("code", sorted(error_classes()))
def test_every_error_says_what_happened_and_what_to_do(code: str) -> None:
    cls = error_classes()[code]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code)
    assert cls.title[0].isupper()
    assert not cls.title.endswith(".")
    assert cls.default_hint.endswith(".")
    again = from_dict(cls("a message", hint="a hint", detail="a detail").to_dict())
    assert (type(again), again.message, again.hint, again.detail) == (
        cls,
        "a message",
        "a hint",
        "a detail",
    )


CATALOGUE = re.compile(
    r"\| `([a-z0-9-]+)` \| ([^|]+) \| ([^|]+) \| (\d{3}) \| (\d) \| (?:yes)? ?\|"
)
#: A cure tells somebody to do something, or that there is nothing to do.
CURE = re.compile(r"[A-Z`][^|]{14,}[.]")


def defined_errors() -> dict[str, str]:
    """The code of every subclass of our errors in the source, loaded or not, by its name."""
    names, codes, before = {"IfcbaseError"}, {"IfcbaseError": "internal"}, 0
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in SOURCE.rglob("*.py")]
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    while len(names) > before:
        before = len(names)
        for each in classes:
            if names & {ast.unparse(base).rpartition(".")[2] for base in each.bases}:
                names.add(each.name)
                own = re.search(r"^    code = '([^']+)'$", ast.unparse(each), re.MULTILINE)
                codes[each.name] = own[1] if own else ""
    return codes


def test_every_error_of_the_source_is_in_the_catalogue_with_a_cure() -> None:
    lines = (REFERENCE / "errors.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| `")]
    found = {match[1]: match[3] for line in rows if (match := CATALOGUE.fullmatch(line))}
    assert len(found) == len(rows) > 40
    defined = defined_errors()
    assert len(defined) > 40
    assert [name for name, code in defined.items() if not code] == [], "they need a code"
    assert sorted(defined.values()) == sorted(found)
    assert {code: cure for code, cure in found.items() if not CURE.fullmatch(cure)} == {}


def test_no_two_errors_share_a_code() -> None:
    seen: dict[str, type[IfcbaseError]] = {}
    waiting: list[type[IfcbaseError]] = [IfcbaseError]
    while waiting:
        cls = waiting.pop()
        assert seen.setdefault(cls.code, cls) is cls, cls
        waiting += cls.__subclasses__()


def test_migrations_are_named_as_the_supabase_cli_wants_them() -> None:
    names = [path.name for path in sorted((ROOT / "supabase" / "migrations").iterdir())]
    assert names
    assert all(re.fullmatch(r"\d{14}_[a-z0-9_]+\.sql", name) for name in names)
    assert len({name[:14] for name in names}) == len(names)
    assert [m.version for m in migrations.discover()] == [name[:14] for name in names]


LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")


def pages() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", pages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", pages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_documented_commands_exist(page: Path) -> None:
    """Every `ifcbase …` in a page names a real verb, and every `make …` a real target."""
    text = page.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"
    commands = reference.command_names()
    for line in re.findall(r"(?:^|`|/|\()ifcbase ([a-z][a-z -]*)", text, re.MULTILINE):
        words = line.split()
        known = " ".join(words[:2]) in commands or words[0] in commands
        assert known, f"ifcbase {line}"


def test_nothing_committed_names_this_machine() -> None:
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False
    ).stdout.split(b"\0")
    if not files[0]:
        pytest.skip("not a git checkout")
    banned = re.compile(rb"/w[o]rk/|/r[o]ot/|py[p]i\.org|python[h]osted|registry\.n[p]m")
    for name in files:
        path = ROOT / name.decode()
        if name and path.is_file():
            found = banned.search(path.read_bytes())
            assert not found, f"{path}: {found.group() if found else ''!r}"


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ifcbase", "--version"], capture_output=True, text=True, check=True
    )
    assert re.fullmatch(r"ifcbase \d+\.\d+\.\d+\n", done.stdout)
