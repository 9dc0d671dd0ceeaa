"""Which addresses of the network may be asked on behalf of somebody else."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

from ifcbase.errors import ConfigError, UrlRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: What is not the public network: the special-purpose registries of IANA (RFC 6890 and later),
#: written out because Python's ``is_global`` says different things in different versions.
_NOT_PUBLIC: tuple[Network, ...] = tuple(
    ipaddress.ip_network(each)
    for each in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24",
        "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24",
        "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        # A cloud's metadata service that lies in a public range.
        "168.63.129.16/32",
        "::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20",
        "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    )
)  # fmt: skip
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def unwrapped(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one that stands for it (mapped, 6to4, NAT64), else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public network."""
    inner = unwrapped(address)
    return not any(inner in each for each in _NOT_PUBLIC if each.version == inner.version)


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may be asked.

    ``private``: names, ``.suffixes`` and networks that may be asked although they are not public.
    ``only``: if there are any, no other host may be asked."""

    private_names: frozenset[str] = frozenset()
    private_networks: tuple[Network, ...] = ()
    only: frozenset[str] = frozenset()

    @classmethod
    def of(cls, private: str = "", only: str = "") -> Policy:
        """From the settings' comma-separated lists. Raises ConfigError."""
        names: set[str] = set()
        networks: list[Network] = []
        for each in _words(private):
            if "/" not in each and not _is_address(each):
                names.add(each)
                continue
            try:
                networks.append(ipaddress.ip_network(each))
            except ValueError as error:
                raise ConfigError(f"IFCBASE_FETCH_PRIVATE: {each} is no network") from error
        return cls(frozenset(names), tuple(networks), frozenset(_words(only)))

    def check_host(self, host: str) -> None:
        """Refuse a host the operator did not name, if he named any. Raises UrlRefused."""
        if self.only and not _named(host, self.only):
            raise UrlRefused(
                f"{host} is not among the hosts that may be asked",
                hint="The operator names them in IFCBASE_FETCH_HOSTS.",
            )

    def check_literal(self, host: str) -> None:
        """Refuse at once a host that never will be allowed: one that is not named, an address that is
        not public, this machine by its name. Names are judged when they are asked. Raises UrlRefused."""
        self.check_host(host)
        if host.lower().rstrip(".").rpartition(".")[2] == "localhost":
            self.check_address(host, ipaddress.IPv4Address("127.0.0.1"))
        elif (address := _literal(host)) is not None:
            self.check_address(host, address)

    def check_address(self, host: str, address: Address) -> None:
        """Refuse an address that is not public, unless it is allowed. Raises UrlRefused."""
        if is_public(address) or _named(host, self.private_names):
            return
        inner = unwrapped(address)
        if not any(
            inner in each for each in self.private_networks if each.version == inner.version
        ):
            # Not the address: it would tell who asks what lies behind our wall.
            raise UrlRefused(
                f"{host} does not lead to the public network", detail=f"{host} is at {address}"
            )


def _words(text: str) -> list[str]:
    return [word for each in text.split(",") if (word := each.strip().lower())]


def _literal(host: str) -> Address | None:
    """The address a host is written as, in any form the system would understand (127.1, 0x7f000001)."""
    if _is_address(host):
        return ipaddress.ip_address(host)
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError):  # a name, then: it is looked up
        return None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _named(host: str, names: frozenset[str]) -> bool:
    host = host.lower().rstrip(".")
    suffixes = (each for each in names if each.startswith("."))
    return host in names or any(host.endswith(each) for each in suffixes)
