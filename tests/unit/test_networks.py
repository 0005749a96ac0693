"""Which openings the networks of servers and builds get."""

from __future__ import annotations

import logging

import pytest

from versatilehub.firewall import Opening
from versatilehub.naming import bridge_name
from versatilehub.networks import NetworkPlan, openings, walls

PLAN = NetworkPlan(
    hub_id="abcd1234",
    network="n",
    build_network="n-build",
    hub_port=8081,
    extra_sources=("http://127.0.0.1:3000/",),
)


@pytest.mark.parametrize(
    ("prefix", "opening"),
    [
        ("http://127.0.0.1:3000/", Opening(host="127.0.0.1", port=3000)),
        ("http://127.0.0.1/", Opening(host="127.0.0.1", port=80)),
        ("https://127.0.0.1/team/", Opening(host="127.0.0.1", port=443)),
    ],
    ids=["port", "http", "https"],
)
def test_opening_of_a_source(prefix: str, opening: Opening) -> None:
    """An extra source opens the port of its URL, the scheme's own when it names none."""
    assert [opening] == openings([prefix])


@pytest.mark.parametrize("host", ["forge.invalid", "a..b", f"{'x' * 64}.example", "forge.lan:http"])
def test_a_name_without_address_is_left_out(host: str, caplog: pytest.LogCaptureFixture) -> None:
    """A forge that is down, or a mistyped name, does not keep the hub from starting; the log names it."""
    with caplog.at_level(logging.WARNING, "versatilehub"):
        found = openings([f"http://{host}/", "http://127.0.0.1:3000/"])

    assert [Opening(host="127.0.0.1", port=3000)] == found
    assert host in caplog.text


@pytest.mark.req("V27")
def test_builds_do_not_reach_the_hub() -> None:
    """A fetch reaches the site's forge, a build step what its bridge reached before; the hub's API is for servers only."""
    servers, builds, steps = walls(PLAN, "172.30.0.1")
    forge = Opening(host="127.0.0.1", port=3000)

    assert [Opening(host="172.30.0.1", port=8081), forge] == list(servers.host)
    assert [forge] == list(builds.host)
    assert ("172.30.0.1",) == steps.closed


def test_each_network_has_its_wall() -> None:
    """Walls and bridges are named by the hub, so that two hubs on one engine do not touch each other's rules."""
    names = {(wall.name, wall.bridge) for wall in walls(PLAN, "172.30.0.1")}

    assert {
        ("VH-abcd1234-S", bridge_name("abcd1234", "s")),
        ("VH-abcd1234-B", bridge_name("abcd1234", "b")),
        ("VH-abcd1234-D", "docker0"),
    } == names
