"""Clash sets as jobs: all in one, or each in a job of its own, so that several workers share them."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from ifcbase.clash.request import ClashRequest
from ifcbase.cli import context, running, waiting
from ifcbase.cli.output import console, print_json, put_in_place
from ifcbase.errors import RequestInvalid
from ifcbase.files.local import LocalFiles
from ifcbase.jobs.engines import engine_for
from ifcbase.jobs.submit import Given, submit
from ifcbase.settings import Settings

#: Which exit code says most of several jobs: a failure, then clashes, then "inconclusive".
_WORST = (2, 1, 3, 0)


def submit_sets(
    settings: Settings,
    request: ClashRequest,
    paths: dict[str, Path],
    streams: dict[Path, str],
    project: str | None,
    wait: bool,
    output: Path | None,
    as_json: bool,
    *,
    fan_out: bool = False,
) -> int:
    """Submit a request, with ``fan_out`` one job per clash set; gives the exit code."""
    unknown = set(streams) - {path.resolve() for path in paths.values()}
    if unknown:
        raise RequestInvalid(f"--model names {unknown.pop()}, which is on neither side")
    names = running.short_names(paths)
    document = request.model_dump(mode="json")
    for each in document["clash_sets"]:
        for source in each["a"] + each["b"]:
            source["file"] = names[source["file"]]
    documents = [document]
    if fan_out:
        documents = [document | {"clash_sets": [each]} for each in document["clash_sets"]]
    given = {names[n]: Given(path, streams.get(path.resolve())) for n, path in paths.items()}
    files = LocalFiles(settings.files_folder)
    with context.ledger_connection() as (_, connection):
        queue = engine_for(settings, context.database(settings))
        where = context.project_name(connection, settings, project)
        versions: dict[str, tuple[str, int]] = {}
        ids = []
        for each in documents:
            accepted = submit(
                connection, queue, files, settings, "clash", each, given, project=where
            )
            versions |= accepted.versions
            ids.append(accepted.job_id)
        if not as_json:
            for file, (name, number) in versions.items():
                console().say(f"{file}: {name}, version {number}")
            for job_id in ids:
                console().say(f"job {job_id}")
        if not wait:
            if as_json:
                print_json({"job_ids": ids} if fan_out else {"job_id": ids[0]})
            return 0
        jobs = [waiting.wait_for(connection, job_id) for job_id in ids]
    codes = {waiting.report(job, quiet=as_json) for job in jobs}
    if output and all(job["state"] == "finished" for job in jobs):
        with running.of_job(ids[0]):
            _write(output, [_report(files, job) for job in jobs])
        if not as_json:
            console().say(f"report written to {output}")
    # Printed last: what fails before it is the only document on standard output.
    if as_json:
        print_json(jobs if fan_out else jobs[0])
    return next(code for code in (*_WORST, *codes) if code in codes)


def _report(files: LocalFiles, job: dict[str, Any]) -> Path:
    return files.fetch(job["project"], job["outcome"]["output_sha256"])


def _write(output: Path, reports: list[Path]) -> None:
    """The report of one job as it is, those of several as one."""
    if len(reports) == 1:
        put_in_place(reports[0], output)
        return
    sets = [one for path in reports for one in json.loads(path.read_text(encoding="utf-8"))]
    text = json.dumps(sets, ensure_ascii=False, allow_nan=False)
    with tempfile.TemporaryDirectory(prefix="ifcbase-") as folder:
        draft = Path(folder) / "report.json"
        draft.write_text(text + "\n", encoding="utf-8")
        put_in_place(draft, output)
