"""Loading a dump: the archive becomes SQL, and all of it is one transaction."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from ifcbase.errors import BackupFailed
from ifcbase.stack.backup.tools import Tools, failed, pieces

Content = Callable[[], Iterator[bytes]]
#: Every database has it; an entry that makes it again would fail.
_SKIPPED = (" SCHEMA - public ", " COMMENT - SCHEMA public ")


def script(tools: Tools, content: Content, work: Path, *options: str) -> Iterator[bytes]:
    """The SQL of an archive. Raises BackupFailed, BackupDamaged; then what came before is worthless."""
    toc = b"".join(_through(tools, content(), "-l")).decode("utf-8", "replace")
    chosen = work / "contents.list"
    chosen.write_text(
        "\n".join(line for line in toc.splitlines() if not any(s in line for s in _SKIPPED)) + "\n",
        encoding="utf-8",
    )
    yield from _through(tools, content(), "-L", str(chosen), "-f", "-", "--no-owner", *options)


def load(tools: Tools, statements: Iterable[bytes]) -> None:
    """Send statements as one transaction: all of them come to be, or none. Raises BackupFailed."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            tools.command("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-"),
            env=tools.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        assert process.stdin is not None  # noqa: S101 - a pipe was asked for
        try:
            with suppress(BrokenPipeError):
                process.stdin.write(b"BEGIN;\nSET lock_timeout = '30s';\n")
                for piece in statements:
                    process.stdin.write(piece)
                # Only here: an end of input without it undoes everything.
                process.stdin.write(b"\nCOMMIT;\n")
            with suppress(BrokenPipeError):
                process.stdin.close()
            code = process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            with suppress(BrokenPipeError):
                process.stdin.close()
        if code != 0:
            errors.seek(0)
            raise _refused(code, errors.read().decode("utf-8", "replace"))


def _refused(code: int, said: str) -> BackupFailed:
    error = failed("psql", code, said)
    if "lock timeout" in said:
        error.hint = "Somebody works in the database: stop workers and clients, and run it again."
    return error


def _through(tools: Tools, content: Iterator[bytes], *options: str) -> Iterator[bytes]:
    """What pg_restore prints for an archive that is handed to it."""
    problem: list[BaseException] = []
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [str(tools.bindir / "pg_restore"), *options],
            env=tools.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        assert process.stdin is not None  # noqa: S101 - pipes were asked for
        assert process.stdout is not None  # noqa: S101
        feeder = threading.Thread(target=_feed, args=(content, process.stdin, problem), daemon=True)
        feeder.start()
        try:
            yield from pieces(process.stdout)
            code = process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            feeder.join()
            process.stdout.close()
        if problem:
            raise problem[0]
        if code != 0:
            errors.seek(0)
            raise failed("pg_restore", code, errors.read().decode("utf-8", "replace"))


def _feed(content: Iterator[bytes], target: IO[bytes], problem: list[BaseException]) -> None:
    try:
        for piece in content:
            target.write(piece)
        target.close()
    except BrokenPipeError:
        # It has read what it wanted (a list of contents), or failed, which its exit code says.
        pass
    except BaseException as error:  # noqa: BLE001 - raised again where the output is read
        problem.append(error)
    finally:
        with suppress(BrokenPipeError):
            target.close()
