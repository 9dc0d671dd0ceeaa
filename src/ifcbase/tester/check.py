"""Check a model against IDS files: files in, report out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import ifcopenshell
import ifctester

from ifcbase.errors import NotIfc, RequestInvalid
from ifcbase.ifc.opening import open_model
from ifcbase.progress import Progress, silent
from ifcbase.tester.evaluate import evaluate, forget
from ifcbase.tester.ids.reading import read_valid
from ifcbase.tester.ids.values import EPSILON
from ifcbase.tester.report import IdsFile, ModelFile, TesterReport

#: Raised whenever the same model and IDS may get another verdict than before: the ledger calls nothing
#: resolved across it.
RULES_VERSION = "1"
#: Share of the work that is over when the files are read (of a typical run).
_READ = 0.3


def check(
    model: Path,
    ids: Sequence[Path],
    *,
    strict_version: bool = False,
    progress: Progress = silent,
    model_name: str | None = None,
    ids_names: Sequence[str] | None = None,
    look: Callable[[ifcopenshell.file], None] | None = None,
) -> TesterReport:
    """Judge a model by every specification of every IDS; an IDS is audited before it is used.

    The names are what messages and report call the files; ``look`` gets the open model at the end.
    Raises IdsInvalid, NotIds, IdsUnsafe,
    IdsTooLarge, NotIfc, IfcUnparsable, FileMissing, FileUnreadable or FileEmpty.
    """
    if not ids:
        raise RequestInvalid("At least one IDS file is needed.")
    progress("reading IDS", 0.0)
    documents, findings = read_valid(ids, ids_names)
    name = model_name or model.name
    progress("reading model", 0.02, name)
    try:
        opened = open_model(model)
    except NotIfc as error:
        hint = "Were the model and the IDS swapped? The model is an IFC file in STEP form."
        raise NotIfc(error.message, hint=hint, detail=error.detail) from error
    specifications = [
        (i, s) for i, document in enumerate(documents) for s in document.specifications
    ]
    forget()
    try:
        elements, reports = evaluate(
            specifications,
            opened,
            lambda share: progress("checking", _READ + (1.0 - _READ) * share),
        )
    finally:
        forget()
    progress("checking", 1.0)
    if look is not None:
        look(opened)
    return TesterReport(
        model=ModelFile(name, _sha256(model), opened.schema_identifier),
        ids=[IdsFile(d.name, d.sha256, d.title) for d in documents],
        elements=elements,
        specifications=reports,
        findings=findings,
        strict_version=strict_version,
        engine={
            "ifctester": ifctester.version,
            "ifcopenshell": ifcopenshell.version,
            "tolerance": EPSILON,
            "rules": RULES_VERSION,
        },
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
