"""What is wrong with an IDS: a code, a sentence, a place."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class Severity(StrEnum):
    ERROR = "error"  # the IDS is refused
    WARNING = "warning"  # it is used, and the finding is shown with the result


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault of an IDS; ``place`` leads a person to it, ``specification`` is its index."""

    code: str
    sentence: str
    ids: str = ""
    place: str = ""
    specification: int | None = None
    severity: Severity = Severity.ERROR

    def to_dict(self) -> dict[str, object]:
        return asdict(self)

    def __str__(self) -> str:
        where = ", ".join(part for part in (self.ids, self.place) if part)
        return f"{self.sentence} [{self.code}; {where}]"
