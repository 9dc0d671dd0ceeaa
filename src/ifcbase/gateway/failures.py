"""How many wrong credentials came from where: a bounded memory of addresses."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

#: Addresses that are remembered; the one that failed longest ago goes first.
MOST_ADDRESSES = 10_000
WINDOW_S = 60.0


def neighbourhood(address: str) -> str:
    """What is counted for an address: of IPv6 its /64, in which one machine has all addresses it likes."""
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return str(known)
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ipaddress.ip_network((known, 64), strict=False))


class Failures:
    """Counts failures by address in windows of a minute. Safe to use from several threads.

    An address over the limit has to wait, whatever it sends: else it could go on guessing."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        #: Address: failures in its window, and when that began.
        self._seen: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """For how many seconds this address is not listened to: 0 for most."""
        with self._lock:
            count, since = self._seen.get(address, (0, 0.0))
            left = since + WINDOW_S - self._clock()
            return left if count >= self._limit and left > 0 else 0.0

    def add(self, address: str) -> None:
        """Note a failure."""
        with self._lock:
            now = self._clock()
            count, since = self._seen.pop(address, (0, now))
            if now - since >= WINDOW_S:
                count, since = 0, now
            self._seen[address] = (count + 1, since)
            while len(self._seen) > MOST_ADDRESSES:
                self._seen.popitem(last=False)

    def __len__(self) -> int:
        return len(self._seen)
