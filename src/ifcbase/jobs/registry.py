"""Every check, declared once: what it is asked for, how it is computed and how it is recorded."""

from __future__ import annotations

import hashlib
import importlib
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ifcbase.errors import NotFound, RequestInvalid

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ifcbase.clash.request import ClashRequest
    from ifcbase.conversion.request import ConversionRequest
    from ifcbase.diff.request import DiffRequest
    from ifcbase.files.store import FileStore
    from ifcbase.ledger.interface import Attempt, Writer
    from ifcbase.tester.request import TesterRequest


class Record(Protocol):
    """Stores what a finished computation left in its folder; gives the job's outcome."""

    def __call__(
        self, writer: Writer, attempt: Attempt, folder: Path, files: FileStore
    ) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class _Late:
    """What is at "module:function", which is loaded by the first call.

    Who lists jobs or runs one check need not wait for the libraries of all."""

    where: str

    def load(self) -> Callable[..., Any]:
        module, _, function = self.where.partition(":")
        found: Callable[..., Any] = getattr(importlib.import_module(module), function)
        return found

    def __call__(self, *given: Any, **named: Any) -> Any:
        return self.load()(*given, **named)


def _none(_: Any) -> list[str]:
    return []


def _refuse_all(path: Path) -> str:
    raise RequestInvalid(f"this check reads models only, not {path.name}")


@dataclass(frozen=True, slots=True)
class Check:
    """One of the kinds of work."""

    name: str  # also the name of its schema
    worker: str  # the name existing deployments know it by; also its queue
    parse: Callable[[Any], BaseModel]
    models: Callable[[Any], list[str]]  # names of the models a request reads
    run: str  # module:function the child calls: (request, inputs, folder, progress)
    record: Record
    #: What the child calls from the second attempt on, if that is something else.
    run_again: str | None = None
    #: Names of the other files a request reads, and what looks at one before it is accepted: gives
    #: its SHA-256, refuses what the check could not use.
    others: Callable[[Any], list[str]] = _none
    look: Callable[[Path], str] = _refuse_all
    #: Its models may be versions of one stream, older first; a known file is the version it was.
    revisions: bool = False
    #: What one attempt gets at most, whatever the settings allow.
    most_time_s: float = math.inf
    most_memory_mb: int = sys.maxsize

    def budget(self, timeout_s: float, memory_mb: int) -> tuple[float, int]:
        """Seconds and mebibytes of one attempt, of what the settings allow."""
        return min(timeout_s, self.most_time_s), min(memory_mb, self.most_memory_mb)

    def load(self) -> None:
        """Import what reads its requests and records its results: for who is about to do both.

        Raises ImportError or AttributeError if that is broken.
        """
        for each in (self.parse, self.record):
            if isinstance(each, _Late):
                each.load()

    #: Its run takes the keywords of KeptMeshes, and what it stages is admitted afterwards.
    uses_meshes: bool = False


def _clash_models(request: ClashRequest) -> list[str]:
    return request.files()


def _diff_models(request: DiffRequest) -> list[str]:
    return request.files()


def _conversion_models(request: ConversionRequest) -> list[str]:
    return [request.input_filename]


def _tester_models(request: TesterRequest) -> list[str]:
    return [request.ifc_filename]


def _tester_ids(request: TesterRequest) -> list[str]:
    return list(request.ids_filename)


def _ids_hash(path: Path) -> str:
    from ifcbase.tester.ids.xml import read_xml

    # Its XML is read as carefully as later in the child, and no further: a file of another kind,
    # an entity or a file without end is refused before anything is kept.
    return hashlib.sha256(read_xml(path)).hexdigest()


CHECKS: Mapping[str, Check] = {
    check.name: check
    for check in [
        Check(
            name="clash",
            worker="ifcclash",
            parse=_Late("ifcbase.clash.request:parse_request"),
            models=_clash_models,
            run="ifcbase.clash.run:run",
            record=_Late("ifcbase.clash.record:record"),
            uses_meshes=True,
        ),
        Check(
            name="diff",
            worker="ifcdiff",
            parse=_Late("ifcbase.diff.request:parse_request"),
            models=_diff_models,
            run="ifcbase.diff.run:run",
            run_again="ifcbase.diff.run:run_again",
            record=_Late("ifcbase.diff.record:record"),
            revisions=True,
            uses_meshes=True,
        ),
        Check(
            name="conversion",
            worker="ifcconvert",
            parse=_Late("ifcbase.conversion.request:parse_request"),
            models=_conversion_models,
            run="ifcbase.conversion.run:run",
            run_again="ifcbase.conversion.run:run_again",
            record=_Late("ifcbase.conversion.record:record"),
            uses_meshes=True,
        ),
        Check(
            name="tester",
            worker="ifctester",
            parse=_Late("ifcbase.tester.request:parse_request"),
            models=_tester_models,
            others=_tester_ids,
            look=_ids_hash,
            run="ifcbase.exchange.run_ids:run",
            record=_Late("ifcbase.tester.record:record"),
        ),
    ]
}


def check_named(name: str) -> Check:
    """The check of this name. Raises NotFound."""
    try:
        return CHECKS[name]
    except KeyError:
        known = ", ".join(CHECKS)
        raise NotFound(f"there is no check {name!r}", hint=f"The checks are: {known}.") from None
