"""What the client gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

#: The states in which a job stays.
ENDED = frozenset({"finished", "failed", "cancelled"})
_FOLDERS = {"clash": "clash", "tester": "ids", "diff": "diff", "conversion": "converted"}


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file of the project; ``path`` is what requests name it by, ``size`` is in bytes."""

    path: str
    sha256: str
    size: int
    version: Version | None = None

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class Version:
    """The version of a model that a file is; not new if the latest had the same bytes already."""

    model: str
    number: int
    is_new: bool
    sha256: str

    def __str__(self) -> str:
        return f"model:{self.model}@{self.number}"


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it was when it was asked for; ``document`` is all of the answer."""

    id: str
    check: str
    state: str
    outcome: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    progress: dict[str, Any] | None = None
    document: dict[str, Any] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether its state is the last."""
        return self.state in ENDED

    @property
    def outputs(self) -> list[str]:
        """Paths of the files it made."""
        made = self.document.get("outputs", [])
        return [f"output/{_FOLDERS[self.check]}/{each['name']}" for each in made]


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding and the ETag of what was read: a decision with it fails if somebody was faster."""

    id: int
    etag: str
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in the project. ``position``: where to go on from, if it has one."""

    type: str
    data: dict[str, Any]
    position: str | None
