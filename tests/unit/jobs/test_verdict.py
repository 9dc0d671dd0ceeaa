"""What the end of a child means when the child could not say it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ifcbase.errors import ExitFacts, IfcbaseError, NativeCrash, OutOfMemoryBudget
from ifcbase.jobs.verdict import crash_error, kernel_oom_kills


def facts(
    signal: str | None = None, exit_code: int | None = None, tail: str = "", peak: float = 100
) -> ExitFacts:
    return ExitFacts(
        exit_code=exit_code,
        signal=signal,
        stderr_tail=tail,
        peak_memory_mb=peak,
        seconds=1,
        cpu_seconds=1,
    )


@pytest.mark.parametrize(
    ("given", "oom_killed", "expected", "words"),
    [
        (facts("SIGSEGV"), False, NativeCrash, "SIGSEGV"),
        (facts("SIGSEGV", peak=999), True, NativeCrash, "SIGSEGV"),
        (facts("SIGKILL", peak=799), False, NativeCrash, "SIGKILL"),
        (facts("SIGKILL", peak=801), False, OutOfMemoryBudget, "the system killed"),
        (facts("SIGKILL", peak=1), True, OutOfMemoryBudget, "the system killed"),
        (facts("SIGABRT", tail="std::bad_alloc"), False, OutOfMemoryBudget, "allocation"),
        (
            facts("SIGABRT", tail="memory allocation of 9 bytes failed"),
            False,
            OutOfMemoryBudget,
            "",
        ),
        (facts("SIGABRT", tail="assertion failed"), False, NativeCrash, "SIGABRT"),
        (facts("SIGSEGV", tail="MemoryError"), False, NativeCrash, "SIGSEGV"),
        (facts(exit_code=1, tail="MemoryError"), False, OutOfMemoryBudget, "allocation"),
        (facts(exit_code=0), False, NativeCrash, "without handing over a result"),
        (facts(exit_code=3), False, NativeCrash, "exit code 3"),
        (facts(), False, NativeCrash, "not known"),
    ],
)
def test_the_end_of_a_child_is_named(
    given: ExitFacts, oom_killed: bool, expected: type[IfcbaseError], words: str
) -> None:
    error = crash_error(given, 1000, oom_killed)
    assert type(error) is expected
    assert words in error.message


def test_kills_for_lack_of_memory_are_read_from_the_control_group(tmp_path: Path) -> None:
    counter = tmp_path / "memory.events"
    counter.write_text("low 0\nhigh 7\nmax 12\noom 4\noom_kill 3\noom_group_kill 1\n")
    assert kernel_oom_kills(counter) == 3
    assert kernel_oom_kills(tmp_path / "absent") == 0
