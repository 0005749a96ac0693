"""Only addresses of the public internet are connected to, and exactly those that were checked."""

from __future__ import annotations

import pytest

from versatilehub.git_hosts import is_public, pin


@pytest.mark.parametrize("address", ["140.82.121.3", "2606:50c0:8000::153", "64:ff9b::8c52:7903", "1.1.1.1"])
def test_public(address: str) -> None:
    """Addresses of the internet pass, also an IPv4 one behind a translator."""
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.17.0.1",
        "192.0.0.8",
        "192.168.1.1",
        "198.18.0.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.1.1.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "2002:a00:1::",
        "2001:0:0:0:0:0:80ff:fffe",
        "2001:db8::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_not_public(address: str) -> None:
    """Loopback, private, link-local, metadata, documentation and multicast addresses fail in every disguise."""
    assert not is_public(address)


def test_pin() -> None:
    """A host is pinned to all its addresses, those of IPv6 in brackets."""
    assert pin("a.example", 443, ("192.0.2.1", "2001:db8::1")) == "a.example:443:192.0.2.1,[2001:db8::1]"
