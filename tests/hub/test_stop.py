"""Stopping and deleting: always ends what it should, says so when it cannot, and touches nobody else's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.crashpoints import IMAGE, get, put, volumes
from tests.enginefault import Fault
from tests.hubprocess import docker, wait_for
from versatilehub import naming

if TYPE_CHECKING:
    from tests.enginefault import EngineProxy
    from tests.hubprocess import HubProcess

GRACE = 2
"""Seconds `stop_grace` has in the frail hub."""


def calls_of(hub: HubProcess, user: str, server: str = "") -> str:
    """Return a pattern of every engine call about one server's container, by id, name or label."""
    return f"{hub.container(user, server)}|{naming.container_name(hub.hub_id, user, server)}|owner={user}\\W"


def test_polite_server(frail: HubProcess, person: str) -> None:
    """A server that ends at SIGTERM is gone in a moment, container and route with it; its volume stays."""
    frail.run(person, image=IMAGE)
    kept = volumes(frail, person)

    before = time.monotonic()
    frail.halt(person)
    took = time.monotonic() - before

    assert took < GRACE
    assert ([], kept, False) == (
        frail.containers(person),
        volumes(frail, person),
        any(person in route for route in frail.routes()),
    )


def test_deaf_server(frail: HubProcess, person: str, odd_image: str) -> None:
    """A server that ignores SIGTERM is killed after `stop_grace` and its container removed."""
    frail.run(person, "deaf", image=odd_image)

    before = time.monotonic()
    frail.halt(person, "deaf")
    took = time.monotonic() - before

    assert GRACE <= took < GRACE + 5
    assert [] == frail.containers(person)


@pytest.mark.req("P4")
@pytest.mark.parametrize(
    ("calls", "fault"),
    [
        pytest.param("(POST|DELETE) .*({})", Fault(hold="before"), id="hangs"),
        pytest.param("{}", Fault(status=500), id="fails"),
    ],
)
def test_engine_fails(frail: HubProcess, engine: EngineProxy, person: str, calls: str, fault: Fault) -> None:
    """A stop the engine does not carry out is in the log; the next start first removes the old container, files stay."""
    frail.run(person, image=IMAGE)
    put(frail, person, "kept.txt", "kept")
    old = frail.container(person)

    with engine.fault(calls.format(calls_of(frail, person)), fault):
        frail.halt(person)
        wait_for(
            lambda: f"{person}: could not be stopped and may still run" in frail.log.read_text(),
            "a line in the log",
            seconds=40,
        )
    wait_for(lambda: not frail.model(person).get("pending"), "the stop to end", seconds=40)
    frail.run(person, image=IMAGE)

    assert old != frail.container(person)  # and there is one
    assert "kept" == get(frail, person, "kept.txt")


@pytest.mark.req("P4", "V24")
def test_delete_while_engine_fails(frail: HubProcess, engine: EngineProxy, person: str) -> None:
    """A server deleted while the engine fails takes no volume with it, neither a sibling's nor another person's."""
    other = frail.user(f"{person}-b")
    for user, server in ((person, ""), (person, "one"), (person, "two"), (other, "one")):
        frail.run(user, server, image=IMAGE)
        put(frail, user, "mine.txt", f"{user}/{server}", server)
    kept = volumes(frail, person), volumes(frail, other)

    with engine.fault(calls_of(frail, person, "one"), Fault(status=500)):
        frail.halt(person, "one", remove=True)

    assert kept == (volumes(frail, person), volumes(frail, other))
    for user, server in ((person, ""), (person, "two"), (other, "one")):
        assert f"{user}/{server}" == get(frail, user, "mine.txt", server)
    frail.halt(other, "one")
    # The name is free again: a new server of that name is not hindered by the container that could not be removed.
    frail.run(person, "one", image=IMAGE)
    assert "no such file" in get(frail, person, "mine.txt", "one")
    assert 1 == len(frail.containers(person, "one"))


def test_delete_forever(frail: HubProcess, person: str) -> None:
    """A deleted server leaves no container, running or stopped by others; its siblings go on."""
    for server in ("one", "two", "three"):
        frail.run(person, server, image=IMAGE)
    docker("stop", "-t", "1", frail.container(person, "two"))
    # A DELETE in the very moment the hub notices is a 500 of JupyterHub's own: it takes the server for active.
    wait_for(lambda: frail.model(person, "two").get("stopped"), "the hub to notice")

    frail.halt(person, "one", remove=True)
    frail.halt(person, "two", remove=True)

    wait_for(lambda: not frail.containers(person, "one") + frail.containers(person, "two"), "no container")
    assert frail.model(person, "three")["ready"]
    assert {} == frail.model(person, "one")


@pytest.mark.req("V24")
def test_person_deleted_with_running_servers(frail: HubProcess, person: str) -> None:
    """Deleting a person with a running named server destroys nothing of it: not its container, not its files."""
    for server in ("", "one", "two"):
        frail.run(person, server, image=IMAGE)
        put(frail, person, "mine.txt", server or "default", server)
    frail.halt(person, "two")
    kept = volumes(frail, person)

    answer = frail.api("DELETE", f"users/{person}")

    assert kept == volumes(frail, person)
    if answer.ok:  # then nothing of the person runs any more
        wait_for(lambda: not frail.containers(person), "no container")
        frail.user(person)
    else:
        assert "one" == get(frail, person, "mine.txt", "one")
