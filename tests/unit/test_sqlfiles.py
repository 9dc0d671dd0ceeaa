"""Named queries in files: every file loads, every query has a name and says what it is for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ifcbase.sqlfiles import queries

SOURCE = Path(__file__).resolve().parents[2] / "src"
#: The stack keeps one query per file, see its package.
NAMED = sorted(p for p in SOURCE.rglob("sql/*.sql") if "stack" not in p.parts)


def package_of(path: Path) -> str:
    return ".".join(path.parent.parent.relative_to(SOURCE).parts)


def test_there_are_files() -> None:
    assert {path.name for path in NAMED} >= {"read.sql", "write.sql", "jobs.sql"}


@pytest.mark.parametrize("path", NAMED, ids=lambda path: path.name)
def test_every_file_loads_and_every_query_is_used(path: Path) -> None:
    found = queries(package_of(path), path.name)
    code = "\n".join(p.read_text(encoding="utf-8") for p in path.parent.parent.rglob("*.py"))
    for name, text in found.items():
        assert re.match(
            r"(select|insert|update|delete|with|create|revoke|grant|vacuum|begin)\b", text
        ), name
        assert not text.endswith(";"), f"{name} is one statement"
        assert f'"{name}"' in code, f"nobody uses {name}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("select 1", "holds no query"),
        ("-- one: says it\nselect 1\n-- one: again\nselect 2", "names the query one twice"),
        ("-- one: says it\nselect 1\n-- two:\nselect 2", "does not say what two is for"),
        ("-- one: says it\nselect 1\n-- two\nselect 2", "does not say what two is for"),
    ],
)
def test_a_file_that_does_not_say_enough_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    package = tmp_path / f"package_{abs(hash(text))}"
    (package / "sql").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "sql" / "q.sql").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=message):
        queries(package.name, "q.sql")


def test_comments_with_sentences_stay_in_their_query() -> None:
    found = queries("ifcbase.ledger", "write.sql")
    assert found["heartbeat"] == "select public.heartbeat(%(token)s, %(progress)s)"
