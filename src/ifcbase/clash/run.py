"""What the sandboxed child of a clash job calls: a request and files in, files out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ifcbase.clash import answers, handover
from ifcbase.clash.answers import OUTPUT, kept_in
from ifcbase.clash.request import ClashRequest, parse_request
from ifcbase.errors import IfcbaseError
from ifcbase.ifc.mesh_cache import STAGE, MeshCache
from ifcbase.ifc.opening import file_sha256
from ifcbase.progress import Progress, silent


def run(
    request: Mapping[str, Any] | list[Any],
    inputs: Mapping[str, str],
    folder: Path,
    progress: Progress = silent,
    *,
    engine: str = "solid",
    mesh_cache: str | None = None,
    keep_going: bool = False,
    sign: bool = True,
    keep_answer: bool = False,
) -> None:
    """Detect and leave in ``folder`` output.json (ifcclash's shape) and the hand-over files.

    ``inputs`` maps each file name of the request to a path. ``mesh_cache`` is a folder of kept
    meshes, which is only read; new ones are left in the folder STAGE. ``sign``: the report carries
    signatures, by which elements of two versions are matched. ``keep_answer``: the whole answer is
    staged too, for ``kept_answer``. ``keep_going`` may also be asked for by the request. Raises what parsing and detecting do.
    """
    parsed = parse_request(request)
    keep_going = keep_going or parsed.keep_going
    files = {name: Path(path) for name, path in inputs.items()}
    options: dict[str, Any] = {"sign": sign}
    how = {"engine": engine, "keep_going": keep_going, "sign": sign}
    if mesh_cache is not None and engine == "solid":
        # The limit is the owner's business: nothing is added or cleaned here.
        options |= {"cache": kept_in(Path(mesh_cache), 0), "stage": folder / STAGE}
    # Here and not above: who takes out a kept answer needs nothing of it.
    from ifcbase.clash.detect import detect, make_engine
    from ifcbase.clash.output import write_output

    made = make_engine(engine, **options)
    report = detect(parsed, files, engine=made, keep_going=keep_going, progress=progress)
    write_output(report, folder / OUTPUT, parsed.min_coverage)
    handover.write(report, folder)
    # What a crash or a file that failed had a part in, another run may answer otherwise.
    keep_answer = keep_answer and "stage" in options
    if keep_answer and made.repeatable and not any(f.failure for f in report.files):
        # By the bytes that were tested, whatever has become of the files since.
        key = answers.answer_key(parsed, {f.name: f.sha256 for f in report.files}, how)
        answers.write_answer(folder, key, options["stage"] / (key + answers.SUFFIX))


def kept_answer(
    cache: MeshCache,
    request: ClashRequest,
    files: Mapping[str, Path],
    folder: Path,
    **how: Any,
) -> bool:
    """Put what an earlier run on the same bytes left into a folder; False if nothing is kept.

    ``how`` are engine, keep_going and sign. A file that cannot be read is left to a run to name.
    """
    if how["engine"] != "solid":
        return False
    try:
        hashes = {name: file_sha256(files[name]) for name in request.files()}
    except (IfcbaseError, KeyError):  # a run will say what is wrong with it
        return False
    return answers.take_out(cache, answers.answer_key(request, hashes, how), folder)


__all__ = ["OUTPUT", "kept_answer", "kept_in", "run"]
