"""Hosts with addresses of their own on one machine: network namespaces behind a bridge."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.stand import ROOT, Worker
from tests.faults.whole import unable


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=30)


@dataclass(frozen=True)
class Host:
    """A host: its namespace, the end of its cable that is plugged into the bridge, its home."""

    name: str
    cable: str
    address: str
    home: Path

    def plug(self, *, in_: bool) -> None:
        """Put the cable in, or pull it out."""
        _ip("link", "set", self.cable, "up" if in_ else "down")

    def fault(self, kind: str) -> None:
        """See tests/acceptance/faulty.py."""
        (self.home / "fault").write_text(kind, encoding="ascii")

    def no_fault(self) -> None:
        (self.home / "fault").unlink()

    def held(self) -> bool:
        """Whether a child here is held in the middle of a check."""
        return any(self.home.glob("held-*"))

    @contextmanager
    def worker(self, **variables: str) -> Iterator[Worker]:
        """A worker on this host, whose name it also tells, ended at the end."""
        log = self.home / "worker.log"
        environment = {
            k: v for k, v in os.environ.items() if not k.startswith(("IFCBASE_", "DATABASE"))
        }
        environment |= {
            "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
            "IFCBASE_HOME": str(self.home),
            **variables,
        }
        named = f'hostname {self.name} && exec "$0" -m tests.acceptance.faulty worker --until-eof'
        with log.open("ab") as stream:
            process = subprocess.Popen(
                ["ip", "netns", "exec", self.name, "unshare", "--uts", "sh", "-c", named, sys.executable],
                env=environment, cwd=self.home, stdin=subprocess.PIPE, stdout=stream, stderr=stream,
            )  # fmt: skip
        worker = Worker(process, log)
        try:
            yield worker.ready()
        finally:
            assert process.stdin is not None
            process.stdin.close()
            worker.end()


@contextmanager
def two_hosts(folder: Path) -> Iterator[tuple[str, Host, Host]]:
    """The address of this machine on the bridge, and two hosts that reach it and each other."""
    tag = secrets.token_hex(3)
    net = f"10.{213 + os.getpid() % 40}.{os.getpid() // 40 % 256}"
    bridge = f"ifcb{tag}"
    with ExitStack() as stack:
        try:
            _ip("link", "add", bridge, "type", "bridge")
        except (OSError, subprocess.CalledProcessError) as error:
            unable(f"needs root that may make bridges and network namespaces: {error}")
        stack.callback(_ip, "link", "del", bridge)
        _ip("addr", "add", f"{net}.1/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        hosts = []
        for number in (1, 2):
            name, address = f"ifch{number}{tag}", f"{net}.{number + 1}"
            cable, inner = f"ifcv{number}{tag}", f"ifci{number}{tag}"
            try:
                _ip("netns", "add", name)
            except subprocess.CalledProcessError as error:
                unable(f"needs root that may make network namespaces: {error.stderr!r}")
            stack.callback(_ip, "netns", "del", name)
            _ip("link", "add", cable, "type", "veth", "peer", "name", inner, "netns", name)
            _ip("link", "set", cable, "master", bridge, "up")
            for words in (
                ("addr", "add", f"{address}/24", "dev", inner),
                ("link", "set", inner, "up"),
                ("link", "set", "lo", "up"),
            ):
                _ip("-n", name, *words)
            home = folder / name
            home.mkdir()
            hosts.append(Host(name, cable, address, home))
        yield f"{net}.1", hosts[0], hosts[1]
