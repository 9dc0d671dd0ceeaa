"""Run a program in a network namespace that has a loopback and no way out, and count what tried to
leave it: ``unshare --net python -m tests.acceptance.without_outside PROGRAM ARGUMENTS``.

Prints one line of JSON at the end and ends as the program did."""

from __future__ import annotations

import errno
import fcntl
import json
import socket
import struct
import subprocess
import sys
from pathlib import Path

_SIOCSIFFLAGS, _IFF_UP = 0x8914, 0x1
#: An address for documentation: nobody has it.
_ELSEWHERE = ("192.0.2.1", 443)


def raise_loopback() -> None:
    """A new namespace has one, which is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))


def interfaces() -> list[str]:
    """Names of the network interfaces there are."""
    return [name for _, name in socket.if_nameindex()]


def attempts() -> int:
    """How often this namespace's kernel was asked for a way out, and had none."""
    names, values = (
        line.split()[1:]
        for line in Path("/proc/net/snmp").read_text(encoding="ascii").splitlines()
        if line.startswith("Ip:")
    )
    found = int(dict(zip(names, values, strict=True))["OutNoRoutes"])
    sixth = Path("/proc/net/snmp6")
    for line in sixth.read_text(encoding="ascii").splitlines() if sixth.exists() else ():
        name, value = line.split()
        found += int(value) if name == "Ip6OutNoRoutes" else 0
    return found


def main() -> int:
    """What the program ended with."""
    raise_loopback()
    before = attempts()
    try:
        socket.create_connection(_ELSEWHERE, timeout=5).close()
        refused = 0
    except OSError as error:
        refused = error.errno or 0
    noticed = attempts()
    code = subprocess.run(sys.argv[1:], check=False).returncode
    found = {
        "interfaces": interfaces(),
        "refused": errno.errorcode.get(refused, "nothing"),
        "noticed": noticed - before,
        "attempts": attempts() - noticed,
    }
    sys.stdout.write(f"\n{json.dumps(found)}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
