"""Firewall rules as text: which packets of a server or a build go where."""

from __future__ import annotations

import pytest

from versatilehub.firewall import METADATA, PRIVATE, Opening, Wall

HUB = Opening(host="172.30.0.1", port=8081)
FORGE = Opening(host="10.1.2.3", port=3000)
WALL = Wall(name="VH-abcd1234-S", bridge="vhsabcd1234", host=(HUB, FORGE), beyond=(FORGE,))


def chain(suffix: str, wall: Wall = WALL) -> list[str]:
    """Return the rules of one chain, without its name."""
    start = f"-A {wall.name}-{suffix} "
    return [line.removeprefix(start) for line in wall.restore().splitlines() if line.startswith(start)]


def test_an_opening_is_one_address_and_port() -> None:
    """Neither other ports of that host nor other protocols pass."""
    assert "-d 10.1.2.3/32 -p tcp --dport 3000 -j RETURN" == FORGE.rule()


@pytest.mark.req("S14")
def test_to_this_machine_only_openings_pass() -> None:
    """Answers, the hub's API port, the named forge; everything else is refused, whatever its protocol."""
    assert [
        "-m conntrack --ctstate ESTABLISHED,RELATED -j RETURN",
        HUB.rule(),
        FORGE.rule(),
        "-j REJECT",
    ] == chain("IN")


@pytest.mark.parametrize("network", [*METADATA, *PRIVATE])
@pytest.mark.req("S14")
def test_no_way_to_networks_that_are_not_the_internet(network: str) -> None:
    """Cloud metadata, private and special networks are refused."""
    assert f"-d {network} -j REJECT" in chain("FWD")


def test_openings_come_before_refusals() -> None:
    """A forge with a private address is reached although its network is refused; so is the site's name server."""
    rules = chain("FWD")
    refused = min(rules.index(rule) for rule in rules if rule.endswith("REJECT"))

    assert rules.index(FORGE.rule()) < refused
    assert all(rules.index(f"-p {protocol} --dport 53 -j RETURN") < refused for protocol in ("tcp", "udp"))


def test_the_internet_stays_reachable() -> None:
    """What no rule names goes on to Docker's own rules."""
    assert "-j REJECT" not in chain("FWD")
    assert not [rule for rule in chain("FWD") if "0.0.0.0/0" in rule]


def test_chains_are_replaced_whole() -> None:
    """The text declares both chains, which empties them, and commits once."""
    lines = WALL.restore().splitlines()

    assert ["*filter", ":VH-abcd1234-S-IN - [0:0]", ":VH-abcd1234-S-FWD - [0:0]"] == lines[:3]
    assert "COMMIT" == lines[-1]
    assert WALL.restore().endswith("\n")


def test_jumps_name_the_bridge() -> None:
    """Only packets that come from the hub's own bridge enter its chains."""
    assert [
        ("INPUT", "-i vhsabcd1234 -j VH-abcd1234-S-IN"),
        ("DOCKER-USER", "-i vhsabcd1234 -j VH-abcd1234-S-FWD"),
    ] == list(WALL.jumps())


@pytest.mark.req("V27")
def test_a_shared_bridge_loses_little() -> None:
    """Build steps run beside containers that are not ours: that bridge loses cloud metadata and the hub, no more."""
    wall = Wall(name="VH-abcd1234-D", bridge="docker0", blocked=METADATA, ours=False, closed=("172.30.0.1",))

    assert ["-d 172.30.0.1/32 -j REJECT"] == [rule for rule in chain("IN", wall) if "REJECT" in rule]
    assert [f"-d {network} -j REJECT" for network in METADATA] == [
        rule for rule in chain("FWD", wall) if "REJECT" in rule
    ]


def test_chain_names_fit() -> None:
    """The longest hub id makes a chain name within iptables' 28 characters."""
    wall = Wall(name=f"VH-{'x' * 16}-S", bridge="b")

    assert max(map(len, wall.chains)) <= 28
