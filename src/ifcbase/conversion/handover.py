"""The report as a file between the child that computes and the parent, which does not trust it."""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ifcbase.conversion.report import ConversionReport, LeftOut, OutputFile
from ifcbase.conversion.request import Format
from ifcbase.errors import ReportInvalid
from ifcbase.ifc.handing import read_signature_columns, signature_columns
from ifcbase.ifc.inventory import Inventory
from ifcbase.ifc.text import is_clean

REPORT = "report.json"
FORMAT = 1
#: A report of a model of a million elements fits.
_LARGEST = 2 << 30
#: What a conversion may leave in its folder, by format.
_SUFFIXES = {each: {f"output.{each}", "output.log"} for each in Format}
_SUFFIXES[Format.OBJ].add("output.mtl")

_Text = Annotated[str, Field(max_length=100_000)]
_Name = Annotated[str, Field(min_length=1, max_length=1024)]
_Sha = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Index = Annotated[int, Field(ge=0)]


class _Output(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    file: _Name
    name: _Name
    sha256: _Sha
    size: _Index


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    version: int
    name: _Name
    sha256: _Sha
    inventory: dict[str, Any]
    signatures: dict[str, str] | None
    format: Format
    selected: list[_Index]
    left_out: list[tuple[_Index, LeftOut]]
    reasons: list[tuple[_Index, _Text]]
    counts: dict[_Name, _Index]
    warnings: list[_Text]
    outputs: Annotated[list[_Output], Field(min_length=1, max_length=3)]
    origin: tuple[float, float, float] | None
    engine: dict[str, Any]


def write(report: ConversionReport, folder: Path) -> None:
    """Write ``report.json`` beside the outputs."""
    signed = report.signatures
    document = _Document.model_construct(
        version=FORMAT,
        name=report.name,
        sha256=report.sha256,
        inventory=report.inventory.to_document(),
        signatures=None if signed is None else signature_columns(signed),
        format=report.format,
        selected=report.selected,
        left_out=list(report.left_out.items()),
        reasons=list(report.reasons.items()),
        counts=report.counts,
        warnings=report.warnings,
        outputs=[
            _Output(file=o.file, name=o.name, sha256=o.sha256, size=o.size) for o in report.outputs
        ],
        origin=report.origin,
        engine=report.engine,
    )
    (folder / REPORT).write_text(document.model_dump_json(), encoding="utf-8")


def read(folder: Path) -> ConversionReport:
    """The report, if it holds together and its files are there; else ReportInvalid."""
    path = folder / REPORT
    try:
        _check(path.stat().st_size <= _LARGEST, "it is too large")
        document = _Document.model_validate(json.loads(path.read_bytes()))
    except OSError as error:
        raise ReportInvalid("the conversion left no report", detail=str(error)) from error
    except (ValidationError, ValueError, RecursionError) as error:
        raise ReportInvalid("the report is not of the expected form", detail=str(error)) from error
    inventory = Inventory.from_document(document.inventory)
    report = ConversionReport(
        name=document.name,
        sha256=document.sha256,
        inventory=inventory,
        format=document.format,
        selected=document.selected,
        left_out=dict(document.left_out),
        reasons=dict(document.reasons),
        counts=document.counts,
        warnings=document.warnings,
        outputs=[OutputFile(o.file, o.name, o.sha256, o.size) for o in document.outputs],
        origin=document.origin,
        engine=document.engine,
        signatures=None
        if document.signatures is None
        else read_signature_columns(inventory, document.signatures),
    )
    _check(document.version == FORMAT, "unknown format")
    _check_elements(report, len(document.left_out))
    _check_texts(report)
    _check_files(report, folder)
    return report


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise ReportInvalid(f"the report does not hold together: {what}")


def _check_elements(report: ConversionReport, left_out: int) -> None:
    selected, size = report.selected, len(report.inventory)
    _check(all(a < b for a, b in itertools.pairwise(selected)), "selected")
    _check(not selected or selected[-1] < size, "selected")
    _check(left_out == len(report.left_out), "an element is left out twice")
    _check(set(report.left_out) <= set(selected), "left out, but not selected")
    _check(set(report.reasons) <= set(report.left_out), "a reason of an element not left out")
    _check(report.counts.get("elements") == report.converted, "elements that were converted")


def _check_texts(report: ConversionReport) -> None:
    texts = [report.name, *report.warnings, *report.reasons.values(), *report.counts]
    _check(all(map(is_clean, texts)), "a text")
    _check(is_clean(json.dumps(report.engine, ensure_ascii=False)), "engine")


def _check_files(report: ConversionReport, folder: Path) -> None:
    files = [output.file for output in report.outputs]
    _check(len(set(files)) == len(files), "an output is listed twice")
    _check(set(files) <= _SUFFIXES[report.format], "an output of another format")
    _check(files[0] == f"output.{report.format}", "the output is not listed first")
    for output in report.outputs:
        path = folder / output.file
        _check(path.is_file() and not path.is_symlink(), f"{output.file} is not there")
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        _check(digest == output.sha256 and path.stat().st_size == output.size, output.file)
