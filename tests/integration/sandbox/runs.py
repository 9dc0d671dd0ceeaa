"""Run functions for the sandbox tests: each misbehaves in one way, inside the child."""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from ifcbase.errors import NotIfc
from ifcbase.progress import Progress

Request = dict[str, Any]
Inputs = dict[str, Path]


def write(folder: Path, **facts: Any) -> None:
    (folder / "result.json").write_text(json.dumps(facts), encoding="utf-8")


def protocol_descriptor() -> int:
    """The pipe to the parent, found the way hostile code would: the other pipe of the process."""
    for descriptor in range(3, 20):
        try:
            if Path(f"/proc/self/fd/{descriptor}").readlink().name.startswith("pipe:"):
                os.write(descriptor, b"")
                return descriptor
        except OSError:
            continue
    raise AssertionError("no pipe found")


def normal(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    progress("reading", 0.1, "one file")
    text = inputs["model"].read_text(encoding="utf-8") if "model" in inputs else ""
    progress("testing", 0.5)
    write(
        folder, pid=os.getpid(), text=text, size=len(json.dumps(request)), request=request.get("n")
    )
    progress("testing", 1.0, "done")


def chatty_progress(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    for i in range(20_000):
        progress("counting", i / 20_000, "x" * 1000)
    progress("counting", float("nan"))
    progress("counting", 1.0)


def unclean(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    os.write(2, b"before \x00 after\n")
    progress("a \x00", 0.5, "half a \ud800")
    if request["fails"]:
        raise NotIfc("no \x00 model", detail="half a \ud800")


def noise(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    block = b"noise without any meaning " * 4096
    for _ in range(50):
        os.write(1, block)
        os.write(2, block)
        print("python noise")  # noqa: T201 - noise is the point
    ctypes.CDLL(None).puts(b"native noise")
    write(folder, size=len(json.dumps(request)))


def segfault(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    progress("about to fail", 0.9)
    ctypes.string_at(0)


def kill_self(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def abort(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    os.abort()


def bad_alloc(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'\n")
    os.abort()


def swig_bad_alloc(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    raise RuntimeError("std::bad_alloc")


def leave_with(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    os._exit(request["code"])


def sys_exit(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    sys.exit(3)


def typed_error(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    raise NotIfc("house.ifc is a picture of a house", hint="Export it again.", detail="GIF89a")


def untyped_error(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    raise ZeroDivisionError("the wall has no thickness \ud800")


def hang(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    progress("hanging", 0.5)
    time.sleep(600)


def hang_in_c(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    """Hold the GIL for ever: a regular expression that needs exponential time."""
    progress("hanging", 0.5)
    re.match(r"(a+)+$", "a" * 64 + "b")


def hang_ignoring_sigterm(
    request: Request, inputs: Inputs, folder: Path, progress: Progress
) -> None:
    ctypes.CDLL(None).signal(int(signal.SIGTERM), ctypes.c_void_p(1))
    progress("hanging", 0.5)
    time.sleep(600)


def hog(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    kept = []
    while True:
        kept.append(b"x" * (8 << 20))
        time.sleep(0.01)


def hog_in_grandchild(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    code = "import time; kept = b'x' * (200 << 20); time.sleep(600)"
    subprocess.run([sys.executable, "-c", code], check=True)


def hog_address_space(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    bytearray(1 << 40)


def grandchildren(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    """Leave three processes behind that try to get away, each another way, and end as told."""
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    command = [sys.executable, "-c", code]
    started = [
        subprocess.Popen(command),
        subprocess.Popen(command, start_new_session=True),
        subprocess.Popen(command, process_group=0, env={}),
    ]
    write(folder, pids=[process.pid for process in started])
    progress("started", 0.5)
    if request["then"] == "hang":
        time.sleep(600)
    if request["then"] == "crash":
        os.abort()


def environment(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    umask = os.umask(0)
    os.umask(umask)
    write(
        folder,
        environment=dict(os.environ),
        umask=umask,
        cwd=str(Path.cwd()),
        session=os.getsid(0) == os.getpid(),
        descriptors=sorted(int(path.name) for path in Path("/proc/self/fd").iterdir()),
        cores=len(os.sched_getaffinity(0)),
        limits={
            line[:26].strip(): line[26:].split()[0]
            for line in Path("/proc/self/limits").read_text(encoding="ascii").splitlines()[1:]
        },
    )


def connect(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    try:
        with socket.create_connection(("127.0.0.1", request["port"]), timeout=2):
            write(folder, connected=True)
    except OSError as error:
        write(folder, connected=False, error=str(error))


def garbage(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    os.write(protocol_descriptor(), request["line"].encode("utf-8", "surrogateescape"))
    time.sleep(600)


def endless_line(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    descriptor = protocol_descriptor()
    while True:
        os.write(descriptor, b"x" * 65536)


def deaf(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    os.close(protocol_descriptor())
    time.sleep(600)


def read_stdin(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    write(folder, read=os.read(0, 100).decode())


def hide_folder(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    """Leave what is hard to remove: folders without permissions, and no log."""
    deep = Path(os.environ["TMPDIR"]) / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "file").write_text("x", encoding="utf-8")
    deep.chmod(0)
    deep.parent.chmod(0)
    (Path(os.environ["TMPDIR"]) / "stderr.log").unlink()


def threads(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    """Report from several threads at once."""

    def report(name: str) -> None:
        for i in range(200):
            progress(f"{name}{i}", i / 200, "y" * 150)

    workers = [threading.Thread(target=report, args=(name,)) for name in "abcd"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def forked_pipe_holder(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    """Leave a forked copy that keeps the pipe open, and end well."""
    if os.fork() == 0:
        os.setsid()
        time.sleep(600)


def wait_for_file(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    progress("waiting", 0.5)
    while not (folder / "go").exists():
        time.sleep(0.01)


def endless_log(request: Request, inputs: Inputs, folder: Path, progress: Progress) -> None:
    """Write a hundred mebibytes of log in two seconds, and tell the log's length at the end."""
    for _ in range(100):
        os.write(2, b"chatter " * (1 << 17))
        time.sleep(0.02)
    os.write(2, b"last words")
    write(folder, size=os.fstat(2).st_size)
