"""What is public, what is not, and what the operator allows besides."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.errors import ConfigError, UrlRefused
from ifcbase.files.addresses import Policy, is_public, unwrapped

PRIVATE = [
    "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",  # noqa: S104
    "169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "198.18.0.1", "224.0.0.1",
    "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1", "100::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1",
    "2002:7f00:1::", "2002:a9fe:a9fe::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "2001:0:7f00:1::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "93.184.216.34", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1"]


@pytest.mark.parametrize("text", PRIVATE)
def test_not_public(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_public(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@given(st.ip_addresses(v=4))
@settings(deadline=None, max_examples=200, derandomize=True)
def test_an_ipv4_address_is_judged_alike_however_it_is_wrapped(v4: ipaddress.IPv4Address) -> None:
    number = int(v4)
    wrapped = [
        ipaddress.IPv6Address((0xFFFF << 32) | number),
        ipaddress.IPv6Address((0x2002 << 112) | (number << 80)),
        ipaddress.IPv6Address((0x64FF9B << 96) | number),
    ]
    assert {unwrapped(each) for each in wrapped} == {v4}
    assert {is_public(each) for each in wrapped} == {is_public(v4)}
    if v4.is_private or v4.is_loopback or v4.is_link_local or v4.is_multicast:
        assert not is_public(v4)


def test_the_operator_allows_names_suffixes_and_networks() -> None:
    policy = Policy.of("nas.local, .intern.example, 10.1.0.0/16, 192.168.7.7")
    for host, address in [
        ("NAS.local.", "192.168.1.1"),
        ("a.intern.example", "10.9.9.9"),
        ("other", "10.1.2.3"),
        ("other", "::ffff:10.1.2.3"),
        ("other", "192.168.7.7"),
    ]:
        policy.check_address(host, ipaddress.ip_address(address))
    for host, address in [
        ("intern.example", "10.9.9.9"),
        ("nas.local.evil.example", "10.9.9.9"),
        ("other", "10.2.0.1"),
        ("other", "127.0.0.1"),
    ]:
        with pytest.raises(UrlRefused) as caught:
            policy.check_address(host, ipaddress.ip_address(address))
        assert address not in caught.value.message


def test_only_named_hosts_where_the_operator_named_any() -> None:
    policy = Policy.of("", "files.example, .cdn.example")
    policy.check_host("files.example")
    policy.check_host("a.cdn.example")
    with pytest.raises(UrlRefused):
        policy.check_host("other.example")
    Policy().check_host("other.example")


def test_a_wrong_network_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match=r"10\.0\.0\.0/99"):
        Policy.of("10.0.0.0/99")
