"""`ifcbase demo`: the main job, end to end, on a sample building in two revisions."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any, Literal

from ifcbase.cli import context, demo_convert, demo_untested, ending, waiting
from ifcbase.cli.clash_tables import coverage_table
from ifcbase.cli.output import console, table
from ifcbase.cli.pairs import pairs_table
from ifcbase.cli.processes import Workers
from ifcbase.cli.sets import STATES
from ifcbase.diff.words import in_words
from ifcbase.errors import ComputeError
from ifcbase.files.backend import file_store
from ifcbase.jobs.engine import Connection
from ifcbase.jobs.engines import engine_for
from ifcbase.jobs.submit import Given, submit
from ifcbase.ledger import chains, diffs, ids, reading
from ifcbase.ledger.connect import connect
from ifcbase.settings import Settings, load_settings

PAIRS = [
    ("Architecture", "Services"),
    ("Architecture", "Structure"),
    ("Structure", "Services"),
]

#: How many pairs are listed of each kind.
SHOWN = 12


def demo() -> None:
    """Check a sample building in two revisions and show what changed."""
    began = time.monotonic()
    settings = load_settings(embedded=True)
    out = console()
    out.say("ifcbase demo", style="bold")
    dsn = context.database(settings)
    applied = context.migrate(settings, dsn)
    out.say(f"1. Postgres is up ({len(applied)} migrations applied)")
    workers = Workers(2, settings.home / "logs", {"IFCBASE_EMBEDDED": "1"})
    try:
        workers.start()
        out.say("2. two workers are up")
        with (
            tempfile.TemporaryDirectory(prefix="ifcbase-demo-") as folder,
            connect(dsn) as connection,
        ):
            revisions: tuple[Literal["A", "B"], ...] = ("A", "B")
            jobs: dict[str, str] = {}
            validated: dict[str, str] = {}
            for revision in revisions:
                jobs[revision] = _check(settings, connection, dsn, Path(folder), revision)
                validated[revision] = _validate(settings, connection, dsn, Path(folder), revision)
            architecture = _file(Path(folder), "Architecture")
            conversion = demo_convert.begin(settings, connection, dsn, architecture)
            results: dict[str, dict[str, dict[str, Any]]] = {
                revision: _wait(connection, job, revision, workers)
                for revision, job in jobs.items()
            }
            _show(connection, results)
            models = {each: _file(Path(folder), each) for each in ("Structure", "Services")}
            demo_untested.run(settings, connection, dsn, models)
            _show_validated(connection, validated, workers)
            demo_convert.finish(settings, connection, conversion)
            _compare_revisions(settings, connection, dsn, Path(folder))
    finally:
        workers.stop()
    _where(settings, time.monotonic() - began)


def _file(folder: Path, model: str) -> Path:
    """A model of the sample's revision B, which was written there."""
    return next((folder / "B").glob(f"*{model}*.ifc"))


def _check(
    settings: Settings,
    connection: Connection,
    dsn: str,
    folder: Path,
    revision: Literal["A", "B"],
) -> str:
    """Write a revision of the sample building and submit its clash check; gives the job."""
    from ifcbase import samples  # loads the geometry library, which no other command needs here

    sample = samples.build(folder / revision, revision=revision)
    ending.heed()
    names = {discipline: path.name for discipline, path in sample.files.items()}
    request = {
        "clash_sets": [
            {"name": f"{a} vs {b}", "a": [{"file": names[a]}], "b": [{"file": names[b]}]}
            for a, b in PAIRS
        ],
        "mode": "intersection",
        "tolerance": 0.01,
    }
    accepted = submit(
        connection,
        engine_for(settings, dsn),
        file_store(settings),
        settings,
        "clash",
        request,
        {path.name: Given(path) for path in sample.files.values()},
    )
    versions = ", ".join(f"{model} v{number}" for model, number in accepted.versions.values())
    console().say(f"3. revision {revision} submitted: {versions}")
    return accepted.job_id


def _validate(
    settings: Settings, connection: Connection, dsn: str, folder: Path, revision: Literal["A", "B"]
) -> str:
    """Submit a check of a revision's architecture by rules; gives the job."""
    from ifcbase import samples  # loads the geometry library, which no other command needs here

    rules = samples.write_rules(folder)
    model = samples.build(folder / revision, revision=revision).files["Architecture"]
    ending.heed()
    return submit(
        connection,
        engine_for(settings, dsn),
        file_store(settings),
        settings,
        "tester",
        {"ifc_filename": model.name, "ids_filename": rules.name},
        {model.name: Given(model), rules.name: Given(rules)},
    ).job_id


def _show_validated(connection: Connection, jobs: dict[str, str], workers: Workers) -> None:
    """What the rules found in each revision, and what became of the failures."""
    rows: list[tuple[Any, ...]] = []
    for revision, job in jobs.items():
        outcome = _finished(connection, job, f"the rules on revision {revision}", workers)
        result = outcome["db_id"]
        details = ids.read(connection, result, None)
        (counts,) = details["series"]
        failed = f"{outcome['failed_specifications']} of {outcome['total_specifications']}"
        elements = sum(each["failed"] for each in details["specifications"])
        rows.append(
            (result, counts["ids"], revision, failed, elements, outcome["verdict"],
             *(counts[state] for state in STATES))
        )  # fmt: skip
    out = console()
    out.say()
    columns = ["result", "IDS", "revision", "failed", "elements", "verdict", *STATES]
    title = "Architecture checked by rules (failures of elements by state)"
    out.print(table(title, columns, rows, right=["result", "failed", "elements", *STATES]))


def _finished(connection: Connection, job_id: str, what: str, workers: Workers) -> dict[str, Any]:
    """Wait for a job; gives its outcome."""
    job = waiting.wait_for(connection, job_id, settings=load_settings(embedded=True), goes_on=False)
    if job["state"] != "finished":
        waiting.report(job)
        logs = ", ".join(str(path) for path in workers.logs())
        raise ComputeError(f"the job of {what} is {job['state']}", hint=f"See {logs}.")
    outcome: dict[str, Any] = job["outcome"] | {"project": job["project"]}
    return outcome


def _wait(
    connection: Connection, job_id: str, revision: str, workers: Workers
) -> dict[str, dict[str, Any]]:
    """Wait for a job; gives the headers of its results by clash set."""
    outcome = _finished(connection, job_id, f"revision {revision}", workers)
    found = {}
    for each in outcome["results"]:
        header = reading.show_result(connection, outcome["project"], each["id"])
        found[header["set"]] = header | {"project": outcome["project"]}
    return found


def _show(connection: Connection, results: dict[str, dict[str, dict[str, Any]]]) -> None:
    out = console()
    rows: list[tuple[Any, ...]] = []
    pairs: list[dict[str, Any]] = []
    for name, before in results["A"].items():
        after = results["B"][name]
        chosen = chains.set_named(connection, after["project"], name)["id"]
        counts = {each["result_id"]: each for each in chains.trend(connection, chosen)}
        pairs += chains.list_pairs(connection, chosen)
        for revision, each in (("A", before), ("B", after)):
            tested = sum(side["tested"] for side in each["sides"])
            selected = sum(side["selected"] for side in each["sides"])
            rows.append(
                (each["id"], name, revision, each["clash_count"], each["verdict"],
                 f"{tested} of {selected}", *(counts[each["id"]][state] for state in STATES))
            )  # fmt: skip
    columns = ["result", "clash set", "revision", "clashes", "verdict", "elements tested", *STATES]
    right = ["result", "clashes", *STATES]
    out.say()
    out.print(table("Results of both revisions", columns, rows, right=right))
    for title, states in (
        ("New in revision B", {"new", "reopened"}),
        ("Solved since revision A", {"resolved"}),
        ("Gone with an element", {"removed"}),
        ("Not tested in revision B", {"untested"}),
    ):
        chosen_pairs = [pair for pair in pairs if pair["state"] in states]
        if chosen_pairs:
            out.say()
            out.print(pairs_table(f"{title} ({len(chosen_pairs)})", chosen_pairs[:SHOWN]))
            if len(chosen_pairs) > SHOWN:
                out.say(f"… and {len(chosen_pairs) - SHOWN} more")
    out.say()
    last = results["B"][f"{PAIRS[0][0]} vs {PAIRS[0][1]}"]
    out.print(coverage_table(last["sides"]))


def _compare_revisions(settings: Settings, connection: Connection, dsn: str, folder: Path) -> None:
    """Compare both revisions of every model; show each edit that was made beside what was found."""
    from ifcbase import samples  # loads the geometry library, which no other command needs here

    old, new = (samples.build(folder / r, revision=r) for r in _REVISIONS)
    ending.heed()
    out = console()
    rows: list[tuple[Any, ...]] = []
    missed: list[str] = []
    for model, path in new.files.items():
        accepted = submit(
            connection, engine_for(settings, dsn), file_store(settings), settings,
            "diff", {"old_file": old.files[model].name, "new_file": path.name},
            {old.files[model].name: Given(old.files[model]), path.name: Given(path)},
        )  # fmt: skip
        job = waiting.wait_for(connection, accepted.job_id, settings=settings, goes_on=False)
        if job["state"] != "finished":
            waiting.report(job)
            raise ComputeError(f"the diff of {model} is {job['state']}")
        edits = {change.global_id: change for change in new.changes if change.model == model}
        found = diffs.show_changes(connection, int(job["outcome"]["db_id"]), None)["changes"]
        for row in found:
            edit = edits.pop(row["global_id"], None)
            rows.append((model, row["facet"], row["class"], row["name"], in_words(row["facet"], row["before"], row["after"]),
                         edit.kind if edit else "nobody made this edit"))  # fmt: skip
        missed += [f"{change.kind} {change.name}" for change in edits.values()]
    columns = ["model", "facet", "class", "name", "change", "edit made in revision B"]
    out.say()
    out.print(table(f"Differences between the revisions ({len(rows)})", columns, rows))
    for edit_missed in missed:
        out.say(f"not found: {edit_missed}", style="bold red")


_REVISIONS: tuple[Literal["A", "B"], ...] = ("A", "B")


def _where(settings: Settings, seconds: float) -> None:
    out = console()
    out.say()
    out.say(f"Done in {seconds:.1f} s. The rows are in Postgres, which keeps running:")
    out.say('  psql "$(.venv/bin/ifcbase db url)" -c "select id, clash_set_name, clash_count,')
    out.say('    verdict, original_clash_id from public.clash_results order by accepted"')
    out.say("  .venv/bin/ifcbase results list        the same as a table")
    out.say("  .venv/bin/ifcbase results show ID     one result with its clashes and coverage")
    out.say("  .venv/bin/ifcbase pairs list          clashes as lasting things, to decide about")
    out.say("  .venv/bin/ifcbase db stop             stop Postgres;  make up  starts all of it")
    out.say(f"Files, logs and data are in {settings.home}")
