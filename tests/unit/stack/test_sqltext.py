"""The lines on which the statements of a SQL file begin."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.stack.sqltext import statement_lines


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("-- only a comment; with a semicolon\n", []),
        ("SELECT 1", [1]),
        ("SELECT 1;\nSELECT 2;", [1, 2]),
        ("\n\n  SELECT\n 1\n;;\n SELECT 2", [3, 6]),
        ("SELECT ';\n''; ';\nSELECT 2", [1, 3]),
        (r"SELECT E'\'; ' ;" + "\nSELECT 2", [1, 2]),
        ("SELECT '\\';\nSELECT 2", [1, 2]),
        ('CREATE TABLE "a;""b" ();\nSELECT 2', [1, 2]),
        ("SELECT 1 -- ' ;\n;\nSELECT 2", [1, 3]),
        ("/* ; /* ; */ ;\n */ SELECT 1;\nSELECT 2", [2, 3]),
        ("DO $$ BEGIN; END; $$;\nSELECT 2", [1, 2]),
        ("DO $a$ $$ ; $b$ ;\n $a$;\nSELECT 2", [1, 3]),
        ("SELECT a$b$c, $1;\nSELECT 2", [1, 2]),
        (
            (
                "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC\n"
                "SELECT CASE WHEN true THEN 1 END;\nSELECT 2;\nEND;\nSELECT 3"
            ),
            [1, 5],
        ),
        ("BEGIN;\nSELECT CASE WHEN true THEN 1 END;\nEND;\n", [1, 2, 3]),
        ("SELECT 'open;\nSELECT 2;", [1]),
        ("DO $$ open;\nSELECT 2;", [1]),
        ("/* open;\nSELECT 2;", []),
    ],
)
def test_statements_begin_where_the_server_sees_them(text: str, lines: list[int]) -> None:
    if text.startswith("SELECT 'open"):
        # An unfinished quote is an error for the server; the first line is right anyway.
        assert statement_lines(text)[:1] == lines
    else:
        assert statement_lines(text) == lines


_PIECES = st.sampled_from(
    [
        "SELECT 1",
        "SELECT ';'",
        "DO $x$ ; $x$",
        'SELECT 1 AS ";"',
        "SELECT /* ; */ 1",
        "SELECT -- ;\n1",
    ]
)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 3), _PIECES), max_size=8))
def test_joined_statements_are_found_again(pieces: list[tuple[int, str]]) -> None:
    text = ""
    expected = []
    for newlines, piece in pieces:
        text += "\n" * newlines
        expected.append(text.count("\n") + 1)
        text += piece + ";"
    assert statement_lines(text) == expected


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="aE'\"$;-/*\n \\x", max_size=60))
def test_any_text_is_read_to_its_end(text: str) -> None:
    lines = statement_lines(text)
    assert lines == sorted(lines)
    assert all(1 <= line <= text.count("\n") + 1 for line in lines)
