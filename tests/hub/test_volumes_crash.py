"""The hub is killed, or its engine is away, while volumes are made, kept and deleted: nothing is lost, and what is due is caught up.

Named steps of create, stop and delete; whoever was deleting finds either the server with its files, or neither.
"""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.crashpoints import IMAGE, get, put, volumes
from tests.enginefault import EngineProxy, Fault
from tests.hub.test_volumes import call, states
from tests.hubprocess import HubProcess, docker, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVER = "one"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProxy]:
    """An engine that fails when it is told to."""
    with EngineProxy(tmp_path_factory.mktemp("engine")) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def hub(make_hub: Callable[..., HubProcess], engine: EngineProxy) -> Iterator[HubProcess]:
    """A hub that removes at once what is deleted, but for the group of those who keep it, and looks every second."""
    lines = """
    c.VersatileHub.policy_overrides = {"images": ["versatilehub/test-server:latest"], "trash_days": 0}
    c.VersatileHub.policy_groups = {"keepers": {"trash_days": 7}}
    c.VersatileHub.reconcile_every = 1
    c.VersatileHub.reconcile_grace = 1
    c.VersatileSpawner.client_kwargs = {"timeout": 8, "max_pool_size": 32}
    c.VersatileSpawner.stop_grace = 2
    """
    made = make_hub(lines, environment={"DOCKER_HOST": engine.url}).start()
    made.api("POST", "groups/keepers")
    yield made
    engine.forget_all()
    engine.come_back()
    made.close()


def somebody(hub: HubProcess, *, file: bool = True) -> str:
    """Return a new person; with *file*, their stopped server has one."""
    name = hub.user(f"k{secrets.token_hex(4)}")
    if file:
        hub.run(name, SERVER, image=IMAGE)
        put(hub, name, "mine.txt", name, SERVER)
        hub.halt(name, SERVER)
    return name


def soon(work: Callable[..., Any], *arguments: Any, **options: Any) -> None:
    """Do it in a thread; a hub that is killed does not answer."""

    def quietly() -> None:
        try:
            work(*arguments, **options)
        except Exception:  # noqa: BLE001  # the hub was killed
            return

    threading.Thread(target=quietly, daemon=True).start()


def delete(hub: HubProcess, name: str) -> None:
    """Ask for a server to be deleted."""
    hub.api("DELETE", hub.server_path(name, SERVER), json={"remove": True})


def made_name(hub: HubProcess, name: str) -> str:
    """Return the one volume of a person."""
    (found,) = volumes(hub, name)
    return found


@pytest.fixture(scope="module")
def killed(hub: HubProcess, engine: EngineProxy) -> dict[str, tuple[str, str]]:
    """Person and volume at each step, parked there when the hub was killed; the hub is back."""
    people = {step: somebody(hub, file=step not in {"recording", "making"}) for step in STEPS}
    hub.api("POST", "groups/keepers/users", json={"users": [people["trashing"]]})
    hub.run(people["stopping"], SERVER, image=IMAGE)
    before = {step: next(iter(volumes(hub, name)), "") for step, name in people.items()}
    create = r"POST /volumes/create[\s\S]*\.owner\": ?\"{}\""
    rules = [
        engine.fault(create.format(people["recording"]), Fault(hold="before"), times=1),
        engine.fault(create.format(people["making"]), Fault(hold="after"), times=1),
        engine.fault(
            rf"DELETE /containers/{hub.container(people['stopping'], SERVER)}", Fault(hold="before"), times=1
        ),
        engine.fault(rf"DELETE /volumes/{before['removing']}", Fault(hold="before"), times=1),
        engine.fault(rf"DELETE /volumes/{before['removed']}", Fault(hold="after"), times=1),
        engine.fault(rf"GET /containers/json.*owner={people['trashing']}\W", Fault(hold="before"), times=1),
    ]
    for step in ("recording", "making"):
        hub.launch_soon(people[step], SERVER, image=IMAGE)
    soon(hub.halt, people["stopping"], SERVER)
    for step in ("removing", "removed", "trashing"):
        soon(delete, hub, people[step])
    for rule in rules:
        rule.wait_held()
    hub.kill()
    engine.forget_all()
    hub.start()
    return {step: (name, before[step]) for step, name in people.items()}


STEPS = ("recording", "making", "stopping", "removing", "removed", "trashing")


@pytest.mark.req("P13", "P14")
@pytest.mark.parametrize("step", STEPS)
def test_killed(hub: HubProcess, killed: dict[str, tuple[str, str]], step: str) -> None:
    """The person starts again with no help: files there unless their removal was under way, then all of them gone."""
    name, before = killed[step]
    if step in {"removing", "removed"}:
        wait_for(lambda: before not in volumes(hub, name), "the removal to be caught up", seconds=30)
    wait_for(lambda: not hub.model(name, SERVER).get("pending"), "nothing under way")
    if not hub.model(name, SERVER).get("ready"):
        hub.run(name, SERVER, image=IMAGE)

    found = get(hub, name, "mine.txt", SERVER)
    assert (found == name) == (step in {"stopping", "trashing"}), found
    assert 1 == len(volumes(hub, name))
    wait_for(lambda: states(hub, name) == {"live"}, "one live record", seconds=30)
    hub.halt(name, SERVER)
    assert [] == hub.containers(name)


@pytest.mark.req("P14", "P15")
def test_the_engine_is_away_in_a_deletion(hub: HubProcess, engine: EngineProxy) -> None:
    """The server goes, the removal waits and is shown to the administrator; it is done when the engine is back."""
    name = somebody(hub)
    volume = made_name(hub, name)

    engine.go_away()
    delete(hub, name)
    assert {} == hub.model(name, SERVER)
    assert volume in docker("volume", "ls", "-q")
    report = call(hub, "GET", "reconcile").json()
    assert report["problem"]
    assert [("removal_pending", name)] == [(one["code"], one["owner"]) for one in report["findings"]]
    engine.come_back()

    wait_for(lambda: volume not in volumes(hub, name), "the removal to be caught up", seconds=30)
    wait_for(lambda: states(hub, name) == set(), "no record left", seconds=30)
    hub.run(name, SERVER, image=IMAGE)
    assert name != get(hub, name, "mine.txt", SERVER)
    hub.halt(name, SERVER)
