"""Being told to end: signals become an exit that lets go of child processes and folders on its way."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

#: SIGHUP comes when the terminal is closed; Windows has none.
_TOLD = tuple(
    number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None
)


#: The signal that told this process to end, if one did.
_heard: list[int] = []


@contextmanager
def told_to_end(handle: Callable[[int], None], *, interrupt: bool = False) -> Iterator[None]:
    """Call ``handle`` with the signal that tells this process to end, SIGINT only with
    ``interrupt``: else that is a KeyboardInterrupt, as ever. ``heed`` knows of all of them.
    A signal that the caller of the program has it ignore (nohup) stays ignored."""
    if threading.current_thread() is not threading.main_thread():
        # Only there does Python let handlers be set.
        yield
        return

    def called(number: int, _: FrameType | None) -> None:
        _heard.append(number)
        handle(number)

    def interrupted(number: int, _: FrameType | None) -> None:
        _heard.append(number)
        raise KeyboardInterrupt

    before = {}
    for number in (*_TOLD, *((signal.SIGINT,) if interrupt else ())):
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, called)
    if not interrupt and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        before[signal.SIGINT] = signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        for number, handler in before.items():
            # None: set by somebody else's native code, and not to be given back from here.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def leave(number: int) -> None:
    """End this process as shells show it for the signal; everything on the way out is done."""
    for each in _TOLD:
        # Once is enough: a second one must not cut short what the first one set going.
        if signal.getsignal(each) is not signal.SIG_IGN:
            signal.signal(each, lambda *_: None)
    raise SystemExit(128 + number)


def heed() -> None:
    """End now if this process was told to: IfcOpenShell catches everything in places, also that."""
    if _heard:
        if _heard[-1] == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + _heard[-1])
