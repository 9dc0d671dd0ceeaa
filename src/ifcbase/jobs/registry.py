"""Every check, declared once: what it is asked for, how it is computed and how it is recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel

from ifcbase.clash import record as clash_record
from ifcbase.clash.request import ClashRequest, parse_request
from ifcbase.errors import NotFound
from ifcbase.files.store import FileStore
from ifcbase.ledger.interface import Attempt, Writer


class Record(Protocol):
    """Stores what a finished computation left in its folder; gives the job's outcome."""

    def __call__(
        self, writer: Writer, attempt: Attempt, folder: Path, files: FileStore
    ) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Check:
    """One of the kinds of work."""

    name: str
    worker: str  # the name existing deployments know it by; also its queue
    request: type[BaseModel]
    parse: Callable[[Any], BaseModel]
    models: Callable[[Any], list[str]]  # names of the models a request reads
    run: str  # module:function the child calls: (request, inputs, folder, progress)
    record: Record
    uses_meshes: bool = False  # run takes the keywords of KeptMeshes


def _clash_models(request: ClashRequest) -> list[str]:
    return request.files()


CHECKS: Mapping[str, Check] = {
    check.name: check
    for check in [
        Check(
            name="clash",
            worker="ifcclash",
            request=ClashRequest,
            parse=parse_request,
            models=_clash_models,
            run="ifcbase.clash.run:run",
            record=clash_record.record,
            uses_meshes=True,
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
