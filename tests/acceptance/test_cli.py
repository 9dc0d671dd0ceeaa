"""The command line as people and scripts use it: exit codes, tables, JSON, pipes, help."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ifcbase.samples import Sample
from tests.acceptance.stand import Stand, two_sided

#: What scripts and the README rely on.
COMMANDS = {
    "clash", "demo", "up", "worker", "jobs list", "jobs show", "jobs cancel", "jobs requeue",
    "jobs wait", "results list", "results show", "db migrate", "db status", "db url", "db stop",
    "config show",
}  # fmt: skip
#: Prints the help of every command there is, each after a line with its name.
HELP = """
import typer
from ifcbase.cli.app import app
def show(command, path):
    print('###', *path, flush=True)
    app([*path, '--help'], standalone_mode=False, prog_name='ifcbase')
    for name, inner in getattr(command, 'commands', {}).items():
        show(inner, [*path, name])
show(typer.main.get_command(app), [])
"""


@pytest.fixture(scope="module")
def spec(service: Stand, sample: Sample) -> Path:
    """Two clash sets, one found and one clean, with models beside the file that names them."""
    folder = service.home / "coordination"
    folder.mkdir()
    for path in sample.files.values():
        (folder / path.name).write_bytes(path.read_bytes())
    a, b = sample.files["Architecture"], sample.files["Services"]
    sets = two_sided(a, b, mode="clearance", clearance=0.4)["clash_sets"]
    sets += two_sided(a, b, name="columns", mode="collision")["clash_sets"]
    sets[1]["a"][0]["selector"] = sets[1]["b"][0]["selector"] = "IfcColumn, IfcFlowTerminal"
    path = folder / "sets.json"
    path.write_text(json.dumps(sets), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def submitted(service: Stand, spec: Path) -> dict[str, Any]:
    """The job of the spec, submitted and finished on the command line."""
    done = service.cli("clash", "--spec", spec, "--submit", "--json", cwd=spec.parent.parent)
    assert done.code in (1, 3), done
    job: dict[str, Any] = done.json()
    return job


def test_every_command_explains_itself(stand: Stand) -> None:
    """In one process, for it is a matter of texts."""
    done = subprocess.run(
        [sys.executable, "-c", HELP],
        env=stand.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    texts = {}
    for text in done.stdout.split("###")[1:]:
        name, _, texts[name.strip()] = text.partition("\n")
    assert set(texts) >= COMMANDS
    for name, text in texts.items():
        usage, description, *_ = [line.strip() for line in text.splitlines() if line.strip()]
        assert usage.startswith(f"Usage: ifcbase {name}".strip())
        assert re.match(r"[A-Z][^│╭]{10,}", description), name


@pytest.mark.parametrize(
    ("options", "code", "verdict"),
    [
        (["--b-selector", "IfcColumn"], 0, "clean"),
        ([], 1, "found"),
        (["--b-selector", "IfcFurniture"], 3, "inconclusive"),
    ],
)
def test_the_exit_code_of_a_direct_check_is_its_verdict(
    options: list[str], code: int, verdict: str, stand: Stand, sample: Sample
) -> None:
    """No service needed: no database, and in the home only meshes are kept."""
    stand.dsn = None
    stand.variables["IFCBASE_EMBEDDED"] = "0"
    sides = ["Structure", "Services"] if code == 1 else ["Services", "Structure"]
    report = stand.home / "report.json"
    done = stand.cli(
        "clash", "--a", sample.files[sides[0]], "--b", sample.files[sides[1]], *options,
        "-o", report, "--name", "set [x]",
    )  # fmt: skip
    assert done.code == code, done
    (counted,) = re.findall(rf"^set \[x\]: (\d+) clash(?:es)?, {verdict}\n", done.out)
    assert done.err == ""
    (written,) = json.loads(report.read_text(encoding="utf-8"))
    assert (written["name"], written["verdict"]) == ("set [x]", verdict)
    assert len(written["clashes"]) == int(counted)
    left = {path.relative_to(stand.home) for path in stand.home.rglob("*") if path.is_file()}
    kept = {path for path in left if path.is_relative_to("cache/meshes")}
    suffixes = {path.suffix for path in kept}
    assert {".mesh", ".answer"} <= suffixes <= {".answer", ".contacts", ".mesh", ".reading"}
    assert left - kept == {Path("report.json")}
    assert {path.name for path in stand.home.iterdir()} == {"report.json", "cache"}
    if code == 1:
        # Asked again: the same answer, which is said to be an earlier one.
        first = report.read_bytes()
        again = stand.cli(
            "clash", "--a", sample.files[sides[0]], "--b", sample.files[sides[1]], *options,
            "-o", report, "--name", "set [x]",
        )  # fmt: skip
        assert (again.code, again.out, report.read_bytes()) == (code, done.out, first)
        assert again.err == "note: the same was answered before; nothing had to be computed\n"


def test_json_of_a_direct_check_is_the_report_and_nothing_else(
    stand: Stand, sample: Sample
) -> None:
    report = stand.home / "report.json"
    models = ["--a", str(sample.files["Structure"]), "--b", str(sample.files["Services"])]
    done = stand.cli("clash", *models, "--json", "-o", report)
    assert done.code == 1
    assert done.err == ""
    assert done.json() == json.loads(report.read_text(encoding="utf-8"))
    found = {
        frozenset((each["a_global_id"], each["b_global_id"]))
        for each in done.json()[0]["clashes"].values()
    }
    for planted in sample.truth:
        if {planted.model_a, planted.model_b} == {"Structure", "Services"}:
            pair = frozenset((planted.global_id_a, planted.global_id_b))
            if planted.kind == "clash" and planted.depth_or_gap_m > 0.02:
                assert pair in found, planted
            if planted.kind == "gap":
                assert pair not in found, planted


def test_a_job_is_listed_shown_and_waited_for(service: Stand, submitted: dict[str, Any]) -> None:
    job = submitted["id"]
    listed = service.cli("jobs", "list", "--json").json()
    assert job in {each["id"] for each in listed}
    table = service.cli("jobs", "list", "--state", "finished")
    assert table.code == 0
    assert job[:8] in table.out
    shown = service.cli("jobs", "show", job[:6], "--json").json()
    assert shown["outcome"] == submitted["outcome"]
    assert [each["outcome"] for each in shown["attempts"]] == ["finished"]
    assert shown["attempts"][0]["facts"]["peak_memory_mb"] > 0
    assert {each["name"] for each in shown["inputs"]} == {
        "Sample_Architecture_rev-A.ifc",
        "Sample_Services_rev-A.ifc",
    }
    waited = service.cli("jobs", "wait", job)
    assert waited.code == 1
    assert job[:8] in waited.out
    unknown = service.cli("jobs", "show", "ffffffff-0000")
    assert unknown.code == 2
    assert "ffffffff-0000" in unknown.err
    wrong = service.cli("jobs", "list", "--state", "bored", "--json")
    assert wrong.code == 2
    assert "bored" in wrong.json()["error"]["message"]


def test_results_are_listed_shown_and_written(service: Stand, submitted: dict[str, Any]) -> None:
    listed = service.cli("results", "list", "--json").json()
    assert {each["id"] for each in listed} >= set(submitted["outcome"]["db_ids"])
    one = service.cli("results", "list", "--set", "columns", "--json").json()
    assert {each["set"] for each in one} == {"columns"}
    first = submitted["outcome"]["db_ids"][0]
    shown = service.cli("results", "show", str(first), "--json").json()
    assert len(shown["contacts"]) == shown["clash_count"] > 1
    document = service.home / "document.json"
    table = service.cli("results", "show", str(first), "-o", document, "--limit", "1")
    assert table.code == 0
    assert f"result {first} of " in table.out
    assert f"… and {shown['clash_count'] - 1} more" in table.out
    (row,) = service.query("select clash_data from public.clash_results where id = %s", first)
    assert json.loads(document.read_text(encoding="utf-8")) == row["clash_data"]
    missing = service.cli("results", "show", "999999", "--json")
    assert missing.code == 2
    assert missing.json()["error"]["code"] == "not-found"
    nowhere = service.cli("results", "show", str(first), "-o", "nowhere/x.json")
    assert nowhere.code == 2
    assert "nowhere" in nowhere.err


def test_submitting_without_waiting_gives_the_job(service: Stand, sample: Sample) -> None:
    models = ["--a", str(sample.files["Structure"]), "--b", str(sample.files["Services"])]
    streams = ["--model", f"Frame={sample.files['Structure']}"]
    done = service.cli("clash", *models, *streams, "--submit", "--no-wait", "--json")
    assert done.code == 0, done
    job = service.ended(done.json()["job_id"])
    assert job["state"] == "finished"
    assert {each["model"] for each in job["inputs"]} == {"Frame", "Sample_Services"}
    # Nobody outside learns where the models lay.
    assert str(sample.files["Structure"].parent) not in json.dumps(job, default=str)


def test_output_through_a_pipe_is_plain_whole_and_may_be_cut_off(
    service: Stand, submitted: dict[str, Any]
) -> None:
    first = submitted["outcome"]["db_ids"][0]
    shown = service.cli("results", "show", str(first), env={"TERM": "xterm-256color"})
    assert "\x1b" not in shown.out + shown.err
    rows = [line for line in shown.out.splitlines() if re.search(r" -?\d+\.\d mm ", line)]
    assert len(rows) == submitted["outcome"]["sets"][0]["clash_count"]
    cut = subprocess.run(
        [
            "sh",
            "-c",
            '"$0" -m ifcbase results show "$1" --json | head -c 10',
            sys.executable,
            str(first),
        ],
        env=service.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert len(cut.stdout) == 10
    assert cut.stderr == ""


def test_the_database_commands(service: Stand) -> None:
    again = service.cli("db", "migrate")
    assert (again.code, again.out) == (0, "nothing to do: the database is up to date\n")
    status = service.cli("db", "status", "--json").json()
    assert len(status) >= 7
    assert all(each["applied"] for each in status)
    url = service.cli("db", "url").out.strip()
    with psycopg.connect(url) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_an_empty_database_is_told_apart_and_migrated(empty: Stand) -> None:
    for command in (["jobs", "list"], ["worker"]):
        refused = empty.cli(*command)
        assert refused.code == 2
        assert "ifcbase db migrate" in refused.err
    waiting = empty.cli("db", "status", "--json").json()
    assert not any(each["applied"] for each in waiting)
    applied = empty.cli("db", "migrate", "--json").json()["applied"]
    assert applied == [f"{each['version']}_{each['name']}" for each in waiting]
    assert empty.cli("jobs", "list", "--json").json() == []


def test_the_embedded_server_is_started_shown_and_stopped(embedded: Stand) -> None:
    status = embedded.cli("db", "status")
    assert status.code == 0
    assert "embedded Postgres" in status.out
    assert str(embedded.home) in status.out
    stopped = embedded.cli("db", "stop")
    assert stopped.code == 0
    embedded.variables["IFCBASE_EMBEDDED"] = "0"
    gone = embedded.cli("jobs", "list")
    assert gone.code == 2
    assert "make up" in gone.err
    container = embedded.cli(
        "db", "status", env={"IFCBASE_EMBEDDED": "1", "IFCBASE_CONTAINER": "1"}
    )
    assert container.code == 2
    assert "DATABASE_URL" in container.err


def test_settings_are_shown_without_secrets_and_unknown_ones_refused(stand: Stand) -> None:
    shown = stand.cli("config", "show", "--json")
    settings = {each["variable"]: each for each in shown.json()}
    assert settings["IFCBASE_LEASE_S"]["value"] == 3
    assert settings["IFCBASE_LEASE_S"]["source"] == "environment"
    assert settings["IFCBASE_JOB_ATTEMPTS"]["source"] == "default"
    assert stand.dsn is not None
    password = psycopg.conninfo.conninfo_to_dict(stand.dsn)["password"]
    table = stand.cli("config", "show")
    assert str(password) not in shown.out + table.out
    assert "DATABASE_URL" in table.out
    unknown = stand.cli("config", "show", env={"IFCBASE_LEESE_S": "3"})
    assert unknown.code == 2
    assert "IFCBASE_LEESE_S" in unknown.err
    wrong = stand.cli("config", "show", "--json", env={"IFCBASE_LEASE_S": "soon"})
    assert wrong.code == 2
    assert "IFCBASE_LEASE_S" in wrong.json()["error"]["message"]


def test_a_database_that_is_not_there_is_a_sentence(stand: Stand) -> None:
    done = stand.cli("jobs", "list", env={"DATABASE_URL": "postgresql://x:secret@127.0.0.1:9/x"})
    assert done.code == 2
    assert "cannot be reached" in done.err
    assert "secret" not in done.err
    assert "Traceback" not in done.err


def test_an_unexpected_failure_is_not_taken_for_clashes(stand: Stand) -> None:
    """Exit code 1 means "found": a mistake of ours must end with another one."""
    code = (
        "import sys\n"
        "from ifcbase.cli import config, main\n"
        "config.get_settings = lambda: 1 / 0\n"
        "sys.argv = ['ifcbase', 'config', 'show', '--json']\n"
        "main.run()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=stand.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "internal"
    assert "ZeroDivisionError" in done.stderr
