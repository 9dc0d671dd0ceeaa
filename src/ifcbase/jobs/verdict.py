"""What the end of a child process means when the child could not say it itself."""

from __future__ import annotations

from pathlib import Path

from ifcbase.errors import ExitFacts, IfcbaseError, NativeCrash, OutOfMemoryBudget

#: From this part of its budget on, being killed by the system is taken for lack of memory.
NEAR_BUDGET = 0.8

#: What the allocators of C++, Rust and Python print before they give up.
ALLOCATION_FAILED = ("bad_alloc", "memory allocation of", "MemoryError", "Cannot allocate memory")


def kernel_oom_kills(counter: Path = Path("/sys/fs/cgroup/memory.events")) -> int:
    """How often the kernel has killed for lack of memory in our control group; 0 where unknown."""
    try:
        lines = counter.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


def crash_error(facts: ExitFacts, memory_mb: int, oom_killed: bool) -> IfcbaseError:
    """The error for a child that ended without a result and was not ended by its parent.

    ``oom_killed``: the control group's count of such kills went up while it ran.
    """
    peak = f"{facts.peak_memory_mb:.0f} MB of {memory_mb}"
    if facts.signal == "SIGKILL" and (oom_killed or facts.peak_memory_mb > NEAR_BUDGET * memory_mb):
        return OutOfMemoryBudget(
            f"the system killed the check for lack of memory; it had used {peak}",
            hint="Give the machine or container more memory, or lower IFCBASE_JOB_MEMORY_MB "
            "so that the check ends before the system has to end it.",
        )
    if facts.signal in (None, "SIGABRT") and any(
        sign in facts.stderr_tail for sign in ALLOCATION_FAILED
    ):
        return OutOfMemoryBudget(f"an allocation failed; the check had used {peak}")
    if facts.signal is not None:
        return NativeCrash(f"the child process was ended by {facts.signal} ({peak} used)")
    if facts.exit_code == 0:
        return NativeCrash("the child process ended without handing over a result")
    if facts.exit_code is None:
        return NativeCrash("the child process ended, and how is not known")
    return NativeCrash(f"the child process ended with exit code {facts.exit_code}")
