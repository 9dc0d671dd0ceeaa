"""Bad input: a sentence that helps, an exit code, and nothing lost or left half-written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ifcbase.cli import main
from ifcbase.errors import IfcbaseError
from ifcbase.samples import Sample
from ifcbase.settings import get_settings
from tests.acceptance.stand import Run, Stand, two_sided
from tests.integration.servers import Database, Server

Call = Callable[..., Run]


@pytest.fixture(scope="module")
def stand(
    server: Server, template: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stand]:
    """One for all: every test asserts that nothing has happened in it."""
    with server.database(template.name) as made:
        yield Stand(tmp_path_factory.mktemp("refusing"), made.dsn)


@pytest.fixture
def call(stand: Stand, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """``stand.cli`` within this process, from its entry point on: many calls in little time."""

    def run(*arguments: str | Path) -> Run:
        for name in list(os.environ):
            if name.startswith("IFCBASE_"):
                monkeypatch.delenv(name)
        for name, value in stand.environment().items():
            if name.startswith(("IFCBASE_", "DATABASE_URL")):
                monkeypatch.setenv(name, value)
        monkeypatch.setattr("sys.argv", ["ifcbase", *map(str, arguments)])
        monkeypatch.chdir(stand.home)
        get_settings.cache_clear()
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main.run()
        get_settings.cache_clear()
        shown = capsys.readouterr()
        return Run(int(ended.value.code or 0), shown.out, shown.err)

    return run


def header(schema: str = "IFC4", data: str = "") -> str:
    return (
        "ISO-10303-21;\nHEADER;\nFILE_DESCRIPTION((''),'2;1');\n"
        "FILE_NAME('','2026-01-01T00:00:00',(''),(''),'','','');\n"
        f"FILE_SCHEMA(('{schema}'));\nENDSEC;\nDATA;\n{data}ENDSEC;\nEND-ISO-10303-21;\n"
    )


@pytest.fixture
def broken(tmp_path: Path, sample: Sample) -> dict[str, Path]:
    """Files that are no whole IFC model, each in its own way."""
    whole = sample.files["Architecture"].read_bytes()
    contents = {
        "empty.ifc": b"",
        "picture.ifc": b"\x89PNG\r\n\x1a\n" + bytes(200),
        "zipped.ifc": b"PK\x03\x04" + bytes(200),
        "truncated.ifc": whole[: len(whole) // 2],
        "draft.ifc": header("IFC4X1").encode(),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.ifc").mkdir()
    return {
        kind: tmp_path / f"{kind}.ifc"
        for kind in ("missing", "empty", "picture", "zipped", "truncated", "draft", "folder")
    }


#: Which error a bad file is, and what its sentence must say besides the file's name.
FILES = {
    "missing": ("file-missing", "does not exist"),
    "empty": ("file-empty", "no bytes"),
    "picture": ("not-ifc", "not an IFC file"),
    "zipped": ("not-ifc", "unpack"),
    "truncated": ("ifc-truncated", "END-ISO-10303-21;"),
    "draft": ("schema-unsupported", "IFC4X1"),
    "folder": ("file-unreadable", "not a file"),
}
#: Options that are wrong, the error they are, and what the sentence must name.
OPTIONS: dict[str, tuple[list[str], str, str]] = {
    "selector": (["--a-selector", "IfcWall, Name="], "selector-invalid", "IfcWall, Name="),
    "tolerance": (["--tolerance", "-0.01"], "request-invalid", "tolerance"),
    "clearance": (["--mode", "clearance", "--clearance", "0"], "request-invalid", "clearance"),
    "no-clearance": (["--mode", "clearance"], "request-invalid", "clearance"),
    "nan": (["--tolerance", "nan"], "request-invalid", "tolerance"),
    "mode": (["--mode", "guess"], "request-invalid", "mode"),
    "number": (["--tolerance", "wide"], "request-invalid", "--tolerance"),
    "option": (["--frobnicate"], "request-invalid", "--frobnicate"),
    "coverage": (["--min-coverage", "2"], "request-invalid", "--min-coverage"),
    "stray": (["stray.ifc"], "request-invalid", "stray.ifc"),
}


def assert_nothing_happened(stand: Stand) -> None:
    """Refused before anything was written, in the database or in the files."""
    for table in ("core.jobs", "core.models", "core.model_versions", "core.files"):
        assert stand.count(table) == 0
    assert stand.count("procrastinate.procrastinate_jobs") == 0
    left = [path for path in (stand.home / "files").rglob("*") if path.is_file()]
    assert left == []


def assert_told(done: Run, code: str, *words: str) -> None:
    """One sentence on stderr, a hint, and nothing that only a programmer understands."""
    assert done.code == 2, done
    assert done.out == ""
    assert "Traceback" not in done.err
    first, *rest = done.err.splitlines()
    assert first.startswith("error: ")
    assert rest
    assert rest[0].startswith("hint: ")
    for word in words:
        assert word in first
    assert "\x1b" not in done.err


def assert_document(done: Run, code: str, *words: str) -> None:
    """With --json an error is a document on stdout."""
    assert done.code == 2, done
    error = done.json()["error"]
    assert error["code"] == code
    assert error["title"]
    assert error["hint"]
    for word in words:
        assert word in error["message"]


@pytest.mark.parametrize("kind", FILES)
def test_a_bad_file_is_refused(
    kind: str, stand: Stand, broken: dict[str, Path], sample: Sample, call: Call
) -> None:
    code, words = FILES[kind]
    bad, good = broken[kind], sample.files["Structure"]
    assert_told(call("clash", "--a", good, "--b", bad), code, bad.name, words)
    assert_told(call("clash", "--a", good, "--b", bad, "--submit"), code, bad.name, words)
    assert_document(call("clash", "--a", bad, "--submit", "--json"), code, bad.name, words)
    assert_document(call("clash", "--a", bad, "--json"), code, bad.name, words)
    with pytest.raises(IfcbaseError) as error:
        stand.submit(two_sided(good, bad), good, bad)
    assert error.value.code == code
    assert_nothing_happened(stand)


@pytest.mark.parametrize("kind", OPTIONS)
def test_a_bad_option_is_refused(kind: str, stand: Stand, sample: Sample, call: Call) -> None:
    options, code, word = OPTIONS[kind]
    models = ["--a", sample.files["Architecture"], "--b", sample.files["Structure"]]
    assert_told(call("clash", *models, *options), code, word)
    assert_told(call("clash", *models, *options, "--submit"), code, word)
    assert_document(call("clash", *models, *options, "--submit", "--json"), code, word)
    assert_nothing_happened(stand)


def test_the_sentence_survives_a_real_process(stand: Stand, broken: dict[str, Path]) -> None:
    """Narrow pipes must not break a path into two lines, nor markup in a name disappear."""
    name = "a [bold]name[/bold] " + "x" * 120 + ".ifc"
    done = stand.cli("clash", "--a", name)
    assert_told(done, "file-missing", f"{name} does not exist")
    done = stand.cli("clash", "--a", broken["truncated"], "--json")
    assert_document(done, "ifc-truncated", "truncated.ifc")
    assert done.err == ""


SPECS: dict[str, tuple[Any, str]] = {
    "no json": ("{", "is not JSON"),
    "a number": (12, "list of clash sets"),
    "no sets": ([], "clash_sets"),
    "no files": ([{"name": "x", "a": []}], "clash_sets[0].a"),
    "no side": ([{"name": "x"}], "clash_sets[0].a"),
    "unknown field": ([{"name": "x", "a": [{"file": "f"}], "tolerence": 1}], "tolerence"),
    "twice": ([{"name": "x", "a": [{"file": "f"}]}] * 2, "'x'"),
    "bad selector": (
        [{"name": "x", "a": [{"file": "f", "selector": "IfcWall, , ="}]}],
        "clash_sets[0].a[0].selector",
    ),
}


@pytest.mark.parametrize("kind", SPECS)
def test_a_bad_spec_is_refused(kind: str, stand: Stand, call: Call) -> None:
    content, words = SPECS[kind]
    text = content if isinstance(content, str) else json.dumps(content)
    (stand.home / "spec.json").write_text(text, encoding="utf-8")
    assert_told(call("clash", "--spec", "spec.json", "--submit"), "request-invalid", words)
    assert_nothing_happened(stand)


def test_paths_that_cannot_be_used_are_refused_before_the_work(
    stand: Stand, sample: Sample, call: Call
) -> None:
    """A check of an hour must not end with "cannot write the report"."""
    (stand.home / "folder").mkdir()
    models = ["--a", sample.files["Architecture"]]
    for submit in ([], ["--submit"]):
        for where in ("nowhere/out.json", "folder"):
            assert_told(call("clash", *models, "-o", where, *submit), "file-unwritable", where)
    assert_told(call("clash", "--spec", "folder"), "file-unreadable", "folder")
    assert_told(call("clash", "--spec", "nowhere.json"), "file-missing", "nowhere.json")
    assert_nothing_happened(stand)


def test_requests_that_contradict_themselves_are_refused(
    stand: Stand, sample: Sample, call: Call
) -> None:
    a, b = sample.files["Architecture"], sample.files["Structure"]
    assert_told(call("clash"), "request-invalid", "--a")
    assert_told(call("clash", "--a", a, "--spec", "x.json"), "request-invalid", "--spec")
    assert_told(call("clash", "--a", a, "--model", f"X={a}"), "request-invalid", "--submit")
    wrong = call("clash", "--a", a, "--submit", "--model", f"X={b}")
    assert_told(wrong, "request-invalid", b.name)
    assert_told(call("clash", "--a", a, "--submit", "--model", "X"), "request-invalid", "NAME=FILE")
    both = call("clash", "--a", a, "--b", b, "--submit", "--model", f"X={a}", "--model", f"X={b}")
    assert_told(both, "request-invalid", "X", a.name, b.name)
    unknown = call("clash", "--a", a, "--submit", "--project", "nobodys")
    assert_told(unknown, "not-found", "nobodys")
    assert_told(call("clash", "--a", a, "--submit", "--project", "../x"), "not-found", "../x")
    assert stand.count("core.jobs") == stand.count("core.models") == 0


# --- models without anything to test ------------------------------------------------------------


@pytest.fixture
def without_elements(tmp_path: Path) -> Path:
    path = tmp_path / "without-elements.ifc"
    project = "#1=IFCPROJECT('0YvctVUKr0kugbFTf53O9L',$,'Nothing',$,$,$,$,$,$);\n"
    path.write_text(header(data=project), encoding="ascii")
    return path


def test_a_model_without_elements_is_inconclusive(
    service: Stand, without_elements: Path, sample: Sample
) -> None:
    good = sample.files["Structure"]
    direct = service.cli("clash", "--a", good, "--b", without_elements)
    assert direct.code == 3, direct
    assert "0 clashes, inconclusive" in direct.out
    assert "nothing was tested on side b" in direct.out
    queued = service.cli("clash", "--a", good, "--b", without_elements, "--submit", "--json")
    assert queued.code == 3, queued
    result = queued.json()["outcome"]["db_id"]
    shown = service.cli("results", "show", str(result), "--json").json()
    assert shown["verdict"] == "inconclusive"
    assert [(each["side"], each["selected"]) for each in shown["sides"] if each["side"] == "b"] == [
        ("b", 0)
    ]


def test_a_selector_that_matches_nothing_is_inconclusive_and_in_the_coverage(
    service: Stand, sample: Sample
) -> None:
    models: list[str | Path] = ["--a", sample.files["Architecture"]]
    models += ["--b", sample.files["Structure"]]
    selector = ["--a-selector", "IfcWall, Name=/no wall is called so/"]
    report = service.home / "nothing.json"
    direct = service.cli("clash", *models, *selector, "-o", report)
    assert direct.code == 3, direct
    assert "nothing was tested on side a" in direct.out
    (written,) = json.loads(report.read_text(encoding="utf-8"))
    assert written["verdict"] == "inconclusive"
    assert written["clashes"] == {}
    assert written["coverage"]["a"][0]["selected"] == 0
    assert written["coverage"]["b"][0]["selected"] > 0
    queued = service.cli("clash", *models, *selector, "--submit")
    assert queued.code == 3, queued
    (row,) = service.query(
        "select verdict, clash_count, clash_data from public.clash_results order by id desc limit 1"
    )
    assert (row["verdict"], row["clash_count"]) == ("inconclusive", 0)
    assert row["clash_data"][0]["a"][0]["selected"] == 0


# --- what only a worker can find out ------------------------------------------------------------


def test_a_model_that_cannot_be_parsed_fails_its_job_and_not_the_queue(
    service: Stand, tmp_path: Path, sample: Sample
) -> None:
    bad = tmp_path / "unparsable.ifc"
    bad.write_text(header(data="#1=IFCWALL('0YvctVUKr0kugbFTf53O9L',$;\n#2=IFCNOTHING(#9);\n"))
    good = sample.files["Structure"]
    before = service.count("clash.results")
    failing = service.submit(two_sided(good, bad), good, bad)
    behind = service.submit(
        two_sided(good, sample.files["Services"]), good, sample.files["Services"]
    )
    done = service.cli("jobs", "wait", failing)
    assert done.code == 2
    assert "unparsable.ifc" in done.err
    found = service.job(failing)
    assert found["state"] == "failed"
    assert found["error"]["code"] == "ifc-unparsable"
    # The input is at fault: trying again would only waste time.
    assert [each["outcome"] for each in found["attempts"]] == ["failed"]
    assert found["error"] == found["attempts"][0]["error"]
    assert service.ended(behind)["state"] == "finished"
    assert service.count("clash.results") == before + 1
    again = service.cli("jobs", "wait", failing, "--json")
    assert again.code == 2
    assert again.json()["error"]["code"] == "ifc-unparsable"
