"""Running a check from the command line: directly in a child process, or by a worker."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ifcbase import defaults
from ifcbase.cli.output import console, errors_console, print_json, progress_line, put_in_place
from ifcbase.errors import IfcbaseError, NativeCrash, RequestInvalid
from ifcbase.jobs.registry import check_named

if TYPE_CHECKING:
    from ifcbase.jobs.meshes import KeptMeshes
    from ifcbase.jobs.submit import Given
    from ifcbase.settings import Settings


def settings_if_any() -> Settings | None:
    """The settings, or None where no variable sets one and the defaults hold: they need not be
    loaded then. Raises ConfigError."""
    if not defaults.variables():
        return None
    from ifcbase.settings import get_settings

    return get_settings()


@contextmanager
def computed(
    settings: Settings | None,
    check: str,
    request: Mapping[str, Any],
    inputs: Mapping[str, Path],
    run: str | None = None,
    *,
    meshes: KeptMeshes | None = None,
    cores: int = 1,
    options: Mapping[str, Any] = MappingProxyType({}),
) -> Iterator[Path]:
    """The folder with what a check leaves, computed in a child process; gone afterwards.

    ``run`` is what the child calls, if not what a worker's would, with ``options`` as keywords.
    Without ``settings`` the defaults hold. After a crash it is tried once more, as a worker's second
    attempt would be. A check that uses meshes gets those kept by the settings, unless ``meshes`` says
    which."""
    # Here and not above: what is answered from a kept result needs no child.
    from ifcbase.jobs.sandbox import Sandbox, SandboxJob

    declared = check_named(check)
    if meshes is None and declared.uses_meshes:
        meshes = _kept_meshes(settings)
    timeout_s, memory_mb = declared.budget(
        settings.job_timeout_s if settings else defaults.JOB_TIMEOUT_S,
        settings.job_memory_mb if settings else defaults.JOB_MEMORY_MB,
    )
    first = run or declared.run
    tries = [first] if run or not declared.run_again else [first, declared.run_again]
    with tempfile.TemporaryDirectory(prefix="ifcbase-") as name:
        sandbox = Sandbox(
            work_folder=Path(name) / "work", memory_mb=memory_mb, cores=cores, spare=False
        )
        with sandbox, progress_line() as line:
            for number, called in enumerate(tries):
                folder = Path(name) / f"output-{number}"
                folder.mkdir()
                job = SandboxJob(
                    run=called,
                    request=request,
                    inputs={given: path.absolute() for given, path in inputs.items()},
                    folder=folder,
                    timeout_s=timeout_s,
                    memory_mb=memory_mb,
                    options={**(meshes.options() if meshes else {}), **options},
                )
                try:
                    sandbox.run(job, on_progress=line, cancelled=_never_cancelled)
                except NativeCrash as error:
                    if called == tries[-1]:
                        raise
                    errors_console().say(
                        f"note: {error.message}; trying again with meshers in processes apart"
                    )
                else:
                    break
                finally:
                    # Also after a failure: what was meshed is good, and the next try needs it.
                    if meshes:
                        meshes.admit(folder)
        yield folder


def _never_cancelled() -> bool:
    """Nobody cancels a direct run. This is first asked when the child computes already: the time to load
    what shows the outcome."""
    importlib.import_module("ifcbase.cli.screen")
    return False


def _kept_meshes(settings: Settings | None) -> KeptMeshes:
    from ifcbase.jobs.meshes import KeptMeshes
    from ifcbase.settings import get_settings

    return KeptMeshes.of(settings or get_settings(), sign=False)


def submitted(
    settings: Settings,
    check: str,
    request: Mapping[str, Any],
    given: Mapping[str, Given],
    *,
    project: str | None,
    wait: bool,
    fetch: Mapping[str, Path],
    as_json: bool,
) -> int:
    """Hand a job to the queue and, with ``wait``, wait for it; gives the exit code.

    ``fetch`` says where outputs of the job go, by their names."""
    # Here and not above: a check that runs here needs no database.
    from ifcbase.cli import context, waiting
    from ifcbase.files.backend import file_store
    from ifcbase.jobs.engines import engine_for
    from ifcbase.jobs.submit import submit

    with context.ledger_connection() as (_, connection):
        accepted = submit(
            connection,
            engine_for(settings, context.database(settings)),
            file_store(settings),
            settings,
            check,
            request,
            given,
            project=context.project_name(connection, settings, project),
        )
        if not as_json:
            for file, (name, number) in accepted.versions.items():
                console().say(f"{file}: {name}, version {number}")
            console().say(f"job {accepted.job_id}")
        if not wait:
            if as_json:
                print_json({"job_id": accepted.job_id})
            return 0
        job = waiting.wait_for(connection, accepted.job_id)
    code = waiting.report(job, quiet=as_json)
    if job["state"] == "finished":
        files = file_store(settings)
        made = {each["name"]: each["sha256"] for each in job["outputs"]}
        for name, path in fetch.items():
            with of_job(job["id"]):
                put_in_place(files.fetch(job["project"], made[name]), path)
            if not as_json:
                console().say(f"report written to {path}")
    # Printed last: what fails before it is the only document on standard output.
    if as_json:
        print_json(job)
    return code


@contextmanager
def of_job(job_id: str) -> Iterator[None]:
    """Name the job in an error of what comes after it: its result is kept."""
    try:
        yield
    except IfcbaseError as error:
        error.job_id = job_id
        raise


def streams(pairs: Sequence[str]) -> dict[Path, str]:
    """--model NAME=FILE, repeated. Raises RequestInvalid."""
    found = {}
    for pair in pairs:
        name, sign, file = pair.partition("=")
        if not sign or not name.strip() or not file:
            raise RequestInvalid(f"--model {pair}: write NAME=FILE")
        found[Path(file).resolve()] = name.strip()
    return found


def short_names(paths: Mapping[str, Path]) -> dict[str, str]:
    """What the ledger calls files: their names, with as many folders as tell them apart."""
    resolved = {name: path.resolve() for name, path in paths.items()}
    for depth in range(1, 50):
        short = {name: "/".join(path.parts[-depth:]) for name, path in resolved.items()}
        if len(set(short.values())) == len(set(resolved.values())):
            break
    return short
