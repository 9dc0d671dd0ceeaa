"""`ifcbase clash`: clash detection directly on files, or submitted to the queue."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from ifcbase.clash import handover
from ifcbase.clash.measured import CONTACT_BAND
from ifcbase.clash.report import ClashReport, Kind, SetReport, Verdict
from ifcbase.clash.request import ENGINES, ClashRequest, Mode
from ifcbase.clash.run import kept_answer
from ifcbase.cli import reports, running, wording
from ifcbase.cli.clash_tables import contacts_table, coverage_table
from ifcbase.cli.output import (
    JsonOption,
    check_output,
    console,
    errors_console,
    partly_tested,
    print_json,
    progress_line,
    put_in_place,
    set_line,
)
from ifcbase.errors import FileMissing, FileUnreadable, ReportInvalid, RequestInvalid
from ifcbase.files.naming import stream_name
from ifcbase.ifc.meshing.cores import usable_cores
from ifcbase.ifc.opening import check_file
from ifcbase.jobs import kernels
from ifcbase.jobs.meshes import KeptMeshes
from ifcbase.settings import Settings, get_settings

SHOWN = 20
#: Options that one mode alone looks at.
_USED_BY = {
    "tolerance": Mode.INTERSECTION,
    "clearance": Mode.CLEARANCE,
    "allow_touching": Mode.COLLISION,
}


def clash(
    a: Annotated[list[Path] | None, typer.Option("--a", help="Model of side a; repeat.")] = None,
    a_selector: Annotated[str | None, typer.Option(help="Elements of side a.")] = None,
    b: Annotated[
        list[Path] | None, typer.Option("--b", help="Model of side b; none: a against itself.")
    ] = None,
    b_selector: Annotated[str | None, typer.Option(help="Elements of side b.")] = None,
    mode: Annotated[
        str | None, typer.Option(help="intersection (default), collision or clearance.")
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option(help="Penetration that is still allowed, in metres (0.01).")
    ] = None,
    clearance: Annotated[float | None, typer.Option(help="Distance to keep, in metres.")] = None,
    allow_touching: Annotated[
        bool, typer.Option("--allow-touching", help="Report touching elements too (collision).")
    ] = False,
    check_all: Annotated[
        bool, typer.Option("--check-all", help="Look for the deepest contact of each pair.")
    ] = False,
    include_related: Annotated[
        bool,
        typer.Option("--include-related", help="Also hosts with fillings, parts of one assembly."),
    ] = False,
    max_clashes: Annotated[
        int | None,
        typer.Option(help="Keep only so many of a set, the worst; others count as untested."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the clash set.")] = None,
    spec: Annotated[
        Path | None, typer.Option(help="Clash sets in ifcclash's JSON, instead of --a and --b.")
    ] = None,
    min_coverage: Annotated[
        float | None, typer.Option(help="Share of elements that must be tested (1.0).")
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="solid (default) or reference (as ifcclash does it).")
    ] = None,
    keep_going: Annotated[
        bool,
        typer.Option("--keep-going", help="Test the other models when one is broken."),
    ] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the report (ifcclash's JSON) here.")
    ] = None,
    report: reports.ReportOption = None,
    bcf: reports.BcfOption = "2.1",
    submit_: Annotated[
        bool, typer.Option("--submit", help="Run it by a worker and keep the result.")
    ] = False,
    fan_out: Annotated[
        bool, typer.Option("--fan-out", help="With --submit: one job per clash set.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="With --submit: wait for the result.")] = True,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="NAME=FILE", help="With --submit: the model a file is of."),
    ] = None,
    project: Annotated[str | None, typer.Option(help="With --submit: the project.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Find clashes between models.

    Exit code: 0 nothing found, 1 clashes found, 2 bad input or failure, 3 inconclusive.
    """
    given = {
        "mode": mode,
        "tolerance": tolerance,
        "clearance": clearance,
        "allow_touching": allow_touching or None,
        "check_all": check_all or None,
        "include_related": include_related or None,
        "max_clashes": max_clashes,
    }
    rules = {key: value for key, value in given.items() if value is not None}
    if not spec:
        # Sets of a spec may have modes of their own, which use what another does not.
        _refuse_idle(mode or Mode.INTERSECTION, rules)
    streams = running.streams(model or [])
    if spec:
        if a or b or a_selector or b_selector or name:
            raise RequestInvalid("--spec takes the place of --a, --b, their selectors and --name")
        sets, folder = _read_spec(spec), spec.parent
    else:
        if not a:
            raise RequestInvalid("no model: give --a FILE, and --b FILE for the other side")
        sets = [_set(a, a_selector, b or [], b_selector, name, streams)]
        folder = Path()
    document = {"clash_sets": sets, **rules}
    if min_coverage is not None:
        document["min_coverage"] = min_coverage
    if output:
        document["output_filename"] = output.name
    if keep_going:
        document["keep_going"] = True
    request = wording.parsed(document, from_options=spec is None)
    paths = {file: _find(file, folder) for file in request.files()}
    check_output(output, [*paths.values(), *([spec] if spec else [])])
    wanted = reports.wanted(report, bcf, [*paths.values(), *([spec] if spec else []), output])
    if submit_:
        reports.refuse_with_submit(wanted)
    settings = get_settings()
    if engine is not None and engine not in ENGINES:
        raise RequestInvalid(f"--engine {engine}: the engines are {' and '.join(ENGINES)}")
    if submit_:
        if engine:
            raise RequestInvalid("--engine does not go with --submit")
        # Here and not above: a check that runs here needs no database.
        from ifcbase.cli.submitting import submit_sets

        for path in paths.values():
            check_file(path)
        code = submit_sets(
            settings, request, paths, streams, project, wait, output, as_json, fan_out=fan_out
        )
    elif model or project is not None or fan_out:
        option = "--model" if model else "--fan-out" if fan_out else "--project"
        raise RequestInvalid(f"{option} goes with --submit")
    else:
        meshes = KeptMeshes.of(settings, engine, sign=False)
        code = _run(settings, request, paths, output, wanted, as_json, meshes)
    raise typer.Exit(code)


def _refuse_idle(mode: str, rules: Mapping[str, object]) -> None:
    """Refuse options that the mode does not look at. Raises RequestInvalid."""
    for key, used_by in _USED_BY.items():
        if key in rules and mode in set(Mode) - {used_by}:
            option = "--" + key.replace("_", "-")
            raise RequestInvalid(
                f"{option} has no effect with --mode {mode}",
                hint=f"Leave {option} out, or add --mode {used_by}.",
            )


def _set(
    a: Sequence[Path], a_selector: str | None, b: Sequence[Path], b_selector: str | None,
    name: str | None,
    streams: dict[Path, str],
) -> dict[str, Any]:  # fmt: skip
    def side(files: Sequence[Path], selector: str | None) -> list[dict[str, Any]]:
        return [{"file": str(file), "selector": selector} for file in files]

    a, b = _once(a, "a"), _once(b, "b")
    if b_selector and not b:
        # The same models, another selection: that is a side of its own.
        b = a
    # Named by the models and not by their revisions: next week's result belongs to the same chain.
    models = [[streams.get(f.resolve()) or stream_name(f.name) for f in side] for side in (a, b)]
    sides_named = [" + ".join(dict.fromkeys(names)) for names in models if names]
    return {
        "name": name or " vs ".join(sides_named)[:255],
        "a": side(a, a_selector),
        "b": side(b, b_selector),
    }


def _once(files: Sequence[Path], side: str) -> list[Path]:
    """The files of a side, each once, by whichever name; says which it leaves out."""
    found: dict[Path, Path] = {}
    for file in files:
        if found.setdefault(file.resolve(), file) is not file:
            errors_console().say(f"note: --{side} {file} is given twice and taken once")
    return list(found.values())


def _read_spec(path: Path) -> list[Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise FileMissing(f"{path} does not exist") from error
    except OSError as error:
        raise FileUnreadable(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise RequestInvalid(f"{path} is not JSON: {error}") from error
    except RecursionError as error:
        raise RequestInvalid(f"{path} is nested too deeply to be a list of clash sets") from error
    if isinstance(document, dict):
        document = document.get("clash_sets")
    if not isinstance(document, list):
        raise RequestInvalid(f"{path} is not a list of clash sets")
    return document


def _find(file: str, folder: Path) -> Path:
    """A file as named, from here or from the folder of the spec."""
    path = Path(file)
    beside = folder / path
    return beside if not path.exists() and beside.exists() else path


def _run(
    settings: Settings,
    request: ClashRequest,
    paths: dict[str, Path],
    output: Path | None,
    wanted: reports.Wanted,
    as_json: bool,
    meshes: KeptMeshes,
) -> int:
    with _answered(settings, request, paths, meshes) as (folder, report):
        if output:
            put_in_place(folder / "output.json", output)
        written = reports.write_clash(report, wanted, request.min_coverage)
        if as_json:
            print_json(json.loads((folder / "output.json").read_text(encoding="utf-8")))
    verdicts = [each.verdict(request.min_coverage) for each in report.sets]
    if not as_json:
        for each, verdict in zip(report.sets, verdicts, strict=True):
            _show(report, each, verdict)
        if output:
            console().say(f"report written to {output}")
        reports.say(written)
    if Verdict.FOUND in verdicts:
        return 1
    return 3 if Verdict.INCONCLUSIVE in verdicts else 0


@contextmanager
def _answered(
    settings: Settings,
    request: ClashRequest,
    paths: Mapping[str, Path],
    meshes: KeptMeshes,
) -> Iterator[tuple[Path, ClashReport]]:
    """A folder with the answer, and its report: kept by an earlier run on the same bytes, or new."""
    with tempfile.TemporaryDirectory(prefix="ifcbase-") as name:
        kept = _kept(meshes, request, paths, Path(name))
        if kept is not None:
            errors_console().say("note: the same was answered before; nothing had to be computed")
            yield Path(name), kept
            return
    _prepare(meshes.engine)
    with running.computed(
        settings,
        "clash",
        request.model_dump(mode="json"),
        paths,
        meshes=meshes,
        cores=usable_cores(),
        options={"keep_answer": True},
    ) as folder:
        yield folder, handover.read(folder)


def _kept(
    meshes: KeptMeshes,
    request: ClashRequest,
    paths: Mapping[str, Path],
    folder: Path,
) -> ClashReport | None:
    """The report of an earlier run on the same bytes, its files in the folder; None without one."""
    how = {"engine": meshes.engine, "keep_going": request.keep_going, "sign": meshes.sign}
    if not kept_answer(meshes.cache, request, paths, folder, **how):
        return None
    try:
        return handover.read(folder, request)
    except ReportInvalid:
        return None  # it is computed again, and takes this one's place


def _prepare(engine: str) -> None:
    """Compile the kernels, once: said in a line, also where no progress bar is shown."""
    if not kernels.is_ready(engine):
        errors_console().say("preparing the clash kernels (once, about a minute)")
        with progress_line() as line:
            kernels.prepare(engine, line)


def _show(report: ClashReport, each: SetReport, verdict: Verdict) -> None:
    out = console()
    out.say(set_line(each.definition.name, len(each.clashes), verdict))
    sides = [
        {
            "side": letter,
            "file": report.files[side.file].name,
            "mode": side.mode,
            "selector": side.selector,
            "selected": len(side.selected),
            "tested": side.tested,
            "left_out": Counter(str(reason) for reason in side.left_out.values()),
        }
        for letter, side_files in (("a", each.a), ("b", each.b))
        for side in side_files
    ]
    out.print(coverage_table(sides))
    notes = [f"warning: {text}" for text in each.warnings]
    if each.empty_sides:
        notes.append(f"nothing was tested on side {' and '.join(each.empty_sides)}")
    elif each.coverage < 1:
        notes.append(partly_tested(each.coverage))
    if each.undecided:
        notes.append(f"{len(each.undecided)} pairs could not be judged")
    if each.touching:
        notes.append(f"{each.touching} pairs touch within {CONTACT_BAND * 1000:g} mm")
    if each.related_left_out:
        notes.append(
            f"{each.related_left_out} pairs of hosts and fillings or parts of one assembly were "
            "left out (--include-related)"
        )
    for note in notes:
        out.say(note)
    if len(each.clashes):
        out.print(contacts_table("", _contacts(report, each)))
    if len(each.clashes) > SHOWN:
        out.say(f"… and {len(each.clashes) - SHOWN} more (-o FILE for all)")


def _contacts(report: ClashReport, each: SetReport) -> list[dict[str, Any]]:
    """The deepest contacts as rows for a table."""
    found = each.clashes
    depth = [
        -float(d) if k != Kind.CLEARANCE else 1e6 + float(d)
        for d, k in zip(found.distance, found.kind, strict=True)
    ]
    order = sorted(range(len(found)), key=lambda i: (depth[i], i))
    rows = []
    for i in order[:SHOWN]:
        on_a = report.files[found.a_file[i]].inventory.elements[found.a[i]]
        on_b = report.files[found.b_file[i]].inventory.elements[found.b[i]]
        rows.append(
            {
                "kind": Kind(int(found.kind[i])).word,
                "distance": float(found.distance[i]),
                "measured": int(found.measured[i]),
                "a_class": on_a.ifc_class, "a_name": on_a.name, "a_global_id": on_a.global_id,
                "b_class": on_b.ifc_class, "b_name": on_b.name, "b_global_id": on_b.global_id,
                "a_storey": on_a.storey, "b_storey": on_b.storey,
                "x": found.p1[i][0], "y": found.p1[i][1], "z": found.p1[i][2],
            }
        )  # fmt: skip
    return rows
