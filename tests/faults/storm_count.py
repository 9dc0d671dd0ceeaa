"""What is counted after a storm, of the tables, the disk and the operating system."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg

from ifcbase.files.local import LocalFiles
from ifcbase.jobs.leftovers import sweep
from ifcbase.jobs.workfolder import sweep_jobs
from ifcbase.ledger import chains, diffs, ids

#: How a job may fail in a storm: its child, or its workers, were killed too often.
EXPECTED_ERRORS = {"native-crash", "attempts-lost"}
#: What a client may be answered in a storm; with the same key it asks again.
EXPECTED_REFUSALS = {"ledger-unavailable", "ledger-busy", "ledger-slow"}
#: More descriptors than this nobody has open who lets go of what a job or a request needed.
MOST_DESCRIPTORS = 64

_RESULTS = """
with results as (
  select job_id, state, set_id::text as part, 'clash' as "check",
         concat_ws(' ', clash_count, touching, verdict, coverage, related_left_out,
           (select md5(string_agg(concat_ws(' ', s.pair_id, s.distance, s.p1x, s.p1y, s.p1z),
                                  ',' order by s.pair_id))
              from clash.sighting_rows s where s.result_id = r.id)) as answer
    from clash.results r
  union all
  select job_id, state, '', 'diff', concat_ws(' ', diff_count, md5(diff_data::text)) from diff.results
  union all
  select job_id, state, '', 'tester', concat_ws(' ', pass_count, fail_count, inconclusive_count)
    from tester.results
  union all
  select job_id, state, '', 'conversion',
         (select string_agg(concat_ws(' ', o.name, o.sha256), ',' order by o.name)
            from core.job_outputs o where o.job_id = r.job_id) from conversion.results r
), wanted as (
  select id as job_id, state, request, check_name,
         case when check_name = 'clash' then jsonb_array_length(request -> 'clash_sets') else 1 end
           as parts
    from core.jobs
) """
_COUNTS = {
    "jobs": "select count(*) from core.jobs",
    "finished": "select count(*) from core.jobs where state = 'finished'",
    "attempts": "select count(*) from core.attempts",
    "without": _RESULTS + "select count(*) from wanted w where state = 'finished' and parts <> "
    "(select count(distinct part) from results r where r.job_id = w.job_id)",
    "twice": _RESULTS + "select count(*) from (select from results group by job_id, \"check\", part "
    "having count(*) > 1) d",
    "unequal": _RESULTS + "select count(*) from (select from wanted w join results r using (job_id) "
    "group by check_name, request, part having count(distinct answer) > 1) d",
    "answers": _RESULTS + "select count(distinct (check_name, request, part)) "
    "from wanted join results using (job_id)",
    "of_failed": _RESULTS + "select count(*) from results r join core.jobs j on j.id = r.job_id "
    "where j.state <> 'finished' and r.\"check\" <> 'clash'",
    "writing": _RESULTS + "select count(*) from results where state <> 'finished'",
    "open_attempts": "select count(*) from core.attempts where ended_at is null",
    "ended_twice": "select count(*) from (select from core.events where type in "
    "('job.finished', 'job.failed', 'job.cancelled') group by data ->> 'job_id' "
    "having count(*) > 1) d",
    "incoming": "select count(*) from core.incoming_elements",
}  # fmt: skip
_ERRORS = "select error ->> 'code', count(*) from core.jobs where state = 'failed' group by 1"


@dataclass
class Report:
    """What was found afterwards."""

    combination: str
    asked: int
    seconds: float
    killed: dict[str, int]
    refused: dict[str, int]
    accepted: int
    counts: Mapping[str, int]
    errors: dict[str, int]
    #: By check: how many jobs have ended.
    checks: dict[str, int]
    spooled: int
    left: list[str] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """Jobs with a typed error."""
        return sum(self.errors.values())

    def faults(self) -> list[str]:
        """What does not hold; nothing when all is well."""
        n = self.counts
        odd = {code: many for code, many in self.errors.items() if code not in EXPECTED_ERRORS}
        rude = {code: many for code, many in self.refused.items() if code not in EXPECTED_REFUSALS}
        found = {
            "requests that were never accepted": self.asked - self.accepted,
            "accepted jobs that are not there, or twice": n["jobs"] - self.accepted,
            "jobs that ended in no known way": n["jobs"] - n["finished"] - self.failed,
            "jobs that ended twice": n["ended_twice"],
            "attempts that did not end": n["open_attempts"],
            "finished jobs without all of their results": n["without"],
            "results stored twice": n["twice"],
            "results still being written": n["writing"],
            "rows of inventories that nobody finished": n["incoming"],
            "questions with several answers": n["unequal"],
            "results of jobs that are not finished": n["of_failed"],
            f"jobs that failed for no reason of the storm {odd}": sum(odd.values()),
            f"answers no client should get {rude}": sum(rude.values()),
        }
        return [f"{what}: {count}" for what, count in found.items() if count] + self.left

    def row(self) -> str:
        """A line of the table in RESULTS.md."""
        n = self.counts
        killed = ", ".join(f"{count} {name}" for name, count in sorted(self.killed.items()))
        checks = ", ".join(f"{count} {name}" for name, count in sorted(self.checks.items()))
        lost = self.accepted - n["finished"] - self.failed
        return (
            f"| {self.combination} | {self.accepted} ({checks}) "
            f"| {sum(self.killed.values())} ({killed}) | {n['attempts']} | {n['finished']} "
            f"| {self.failed} | {n['twice']} | {lost} | {self.spooled} | {self.seconds:.0f} |"
        )


HEAD = (
    "| combination | jobs | kills | attempts | finished | typed errors | duplicates | lost "
    "| from a spool | seconds | wrong | when, how |\n|---|---|---|---|---|---|---|---|---|---|---|---|"
)


def counted(dsn: str) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Counts of the tables, errors of failed jobs by code, and ended jobs by check."""
    with psycopg.connect(dsn, autocommit=True) as connection:

        def rows(query: str) -> list[tuple[Any, ...]]:
            return connection.execute(query.encode()).fetchall()

        counts = {name: int(rows(query)[0][0]) for name, query in _COUNTS.items()}
        errors = {str(code): int(many) for code, many in rows(_ERRORS)}
        checks = dict(rows("select check_name, count(*) from core.jobs group by 1"))
    return counts, errors, checks


def derived_states_differ(dsn: str) -> list[str]:
    """States that are not what sightings, failures and coverage say, as `ifcbase ledger verify`."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        found = [
            f"{what} {each['id']}: {row}"
            for what, listed, verify in (
                ("clash set", chains.list_sets, chains.verify),
                ("IDS file", ids.list_series, ids.verify),
                ("diff of", diffs.list_series, diffs.verify),
            )
            for each in listed(connection, "default")
            for row in verify(connection, each["id"])
        ]
    return [f"a stored state is not the derived one: {each}" for each in found]


def bytes_without_row(dsn: str, files: LocalFiles) -> list[str]:
    """Files in the store that no row knows, and rows whose bytes are not there."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        known = {row[0] for row in connection.execute("select sha256 from core.files")}
    files.sweep(older_than_s=0)
    there = {each.name for each in (files.folder / "default").rglob("*") if each.is_file()}
    return [f"bytes that no row knows: {name}" for name in sorted(there - known)] + [
        f"bytes that are gone: {name}" for name in sorted(known - there)
    ]


def descriptors(processes: list[psutil.Process], work: Path) -> list[str]:
    """Long-living processes that hold on to too many descriptors, or to files of ended jobs."""
    found = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            many = process.num_fds()
            if many > MOST_DESCRIPTORS:
                found.append(f"process {process.pid} has {many} descriptors open")
            links = [_target(each) for each in Path(f"/proc/{process.pid}/fd").iterdir()]
            jobs = {each for each in links if each.startswith(f"{work}/job-")}
            # Of the spare child: its folder and its log.
            children = {each.split("/child-")[1][:8] for each in links if f"{work}/child-" in each}
            if jobs or len(children) > 1:
                found.append(f"process {process.pid} holds {sorted(jobs)} {sorted(children)}")
    return found


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


def left_behind(home: Path, spare: Callable[[str], bool]) -> list[str]:
    """Processes that outlived their stand, and temporary folders that the sweep of the next worker
    would not remove. ``spare``: names in the work folder that are to be there."""
    left = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != psutil.Process().pid and str(home) in " ".join(
                [*process.cmdline(), *process.environ().values()]
            ):
                left.append(f"process {process.pid}: {' '.join(process.cmdline())[:80]}")
    work = home / "work"
    if work.is_dir():
        sweep(work, older_than_s=0)
        sweep_jobs(work)
        left += [f"work/{each.name}" for each in work.iterdir() if not spare(each.name)]
    spool = home / "spool"
    if spool.is_dir():
        left += [f"spool/{each.name}" for each in spool.iterdir()]
    return left
