"""What a check says, and running checks so that one that breaks does not hide the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from ifcbase.errors import IfcbaseError


class State(Enum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"
    #: What it looks at is not in use, or something before it is wrong.
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """What a check found: a sentence, and what to do where all is not well."""

    name: str
    state: State
    sentence: str
    cure: str = ""

    def to_dict(self) -> dict[str, str]:
        """As `--json` shows it."""
        return {
            "name": self.name,
            "state": self.state.value,
            "sentence": self.sentence,
            "cure": self.cure,
        }


@dataclass(frozen=True)
class Check:
    """A check by its name; ``look`` gives state, sentence and cure, or raises our errors."""

    name: str
    look: Callable[[], tuple[State, str, str]]


def run(checks: Iterable[Check]) -> list[Finding]:
    """All findings, in order. An error of ours is a finding with its hint as the cure."""
    found = []
    for check in checks:
        try:
            state, sentence, cure = check.look()
        except IfcbaseError as error:
            state, sentence, cure = State.WRONG, error.message, error.hint
        except OSError as error:
            state, sentence = State.WRONG, f"the system refused: {error}"
            cure = "Check that what the message names exists and may be used."
        found.append(Finding(check.name, state, sentence, cure))
    return found


def ok(sentence: str) -> tuple[State, str, str]:
    """All is well."""
    return State.OK, sentence, ""


def skipped(sentence: str) -> tuple[State, str, str]:
    """Not looked at."""
    return State.SKIPPED, sentence, ""


def warning(sentence: str, cure: str) -> tuple[State, str, str]:
    """Something that may bring trouble."""
    return State.WARNING, sentence, cure


def wrong(sentence: str, cure: str) -> tuple[State, str, str]:
    """Something that has to be mended."""
    return State.WRONG, sentence, cure
