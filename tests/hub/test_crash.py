"""The hub is killed in the middle of everything, and started again: people start with no help and lose nothing.

Before the one SIGKILL a person is parked at each moment of a start (tests/crashpoints.py). Afterwards each of them
comes back and finds their files, and Docker and the proxy hold nothing that belongs to nobody.
"""

from __future__ import annotations

import json
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import requests

from tests.crashpoints import BUILDING, IMAGE, POINTS, RAN, Parked, Stage, get, leftovers, put, volumes
from tests.enginefault import EngineProxy, Fault
from tests.hub.building import Builder
from tests.hubprocess import docker, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.crashpoints import CrashPoint
    from tests.gitserver import GitServer
    from tests.hubprocess import HubProcess

LAST = (
    "fetch",
    "queue",
)  # parked when the others are: a slow git host waits for nobody, and the line must be full


@pytest.fixture(scope="module")
def stage(
    make_hub: Callable[..., HubProcess], forge: GitServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """A hub of this file's own behind a failing engine."""
    with EngineProxy(tmp_path_factory.mktemp("engine")) as engine:
        lines = (
            f"\n    c.VersatileHub.concurrent_builds = {BUILDING}\n    c.VersatileSpawner.stop_grace = 2\n"
        )
        hub = make_hub(lines, environment={"DOCKER_HOST": engine.url}).start()
        yield Stage(hub=hub, engine=engine, forge=forge)
        engine.forget_all()
        engine.come_back()
        hub.close()


@pytest.fixture(scope="module")
def killed(stage: Stage) -> dict[str, Parked]:
    """One person at each crash point, and the hub killed and back since; the engine holds nothing any more."""
    with ThreadPoolExecutor(6) as pool:
        people = {one.point.name: one for one in pool.map(stage.arrive, POINTS)}
        early = [one for name, one in people.items() if name not in LAST]
        # What fills a content volume and what probes an image bear no mark of whose they are: one after the other.
        stage.park(people["content copied"])
        list(pool.map(stage.park, [people[name] for name in ("content placing", "build")]))
        list(pool.map(stage.park, [one for one in early if not (one.rules or one.builders)]))
    for name in LAST:
        stage.park(people[name])
    stage.hub.kill()
    stage.open_all()
    stage.hub.start()
    return people


def settled(hub: HubProcess, user: str) -> bool:
    """Return whether hub, Docker and proxy agree about a person's server: one of each, or none of any."""
    model = hub.model(user)
    if model.get("pending"):
        return False
    targets = [target for path, target in hub.routes().items() if path.startswith(f"/user/{user}")]
    containers = hub.containers(user)
    if not model.get("ready"):
        return not targets and not containers
    address = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    addresses = [docker("inspect", "-f", address, container) for container in containers]
    return len(containers) == 1 and len(targets) == 1 and f"//{addresses[0]}:" in targets[0]


@pytest.mark.req("P4", "V23")
@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_killed(stage: Stage, killed: dict[str, Parked], point: CrashPoint) -> None:
    """Killed at any point of a start, the hub comes back to the truth, and the person's next start finds their files."""
    hub, someone = stage.hub, killed[point.name]
    wait_for(lambda: settled(hub, someone.user), "hub, Docker and proxy to agree", seconds=20)
    if point.name == "build":
        before = stage.builders(someone)
        hub.launch_soon(someone.user, **someone.options)
        assert someone.builders == before == stage.builders(someone)
        stage.open_gate(someone)
        hub.wait_ready(someone.user)
    elif not hub.model(someone.user).get("ready"):
        hub.run(someone.user, **someone.options)

    assert settled(hub, someone.user)
    assert 1 == len(volumes(hub, someone.user))
    if someone.text:
        assert someone.text == get(hub, someone.user, "mine.txt")
    if someone.url:
        assert someone.user == get(hub, someone.user, f"{someone.repo}/content.txt")
        # Once each: nothing was built twice, and the log has lost no line and has none twice.
        assert [1, 1] == [stage.said(someone, f" {line}") for line in RAN], stage.build_log(someone)
        assert [] == list(stage.builders(someone))


def test_nothing_is_left(stage: Stage, killed: dict[str, Parked]) -> None:
    """When all have come back and stopped, no container, work volume or route is left, and every home is."""
    hub = stage.hub
    stage.open_gate(killed["build"])

    def run_and_halt(someone: Parked) -> None:
        wait_for(lambda: not hub.model(someone.user).get("pending"), "nothing under way")
        if not hub.model(someone.user).get("ready"):
            hub.run(someone.user, **someone.options)
        hub.halt(someone.user)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(run_and_halt, killed.values()))

    wait_for(lambda: not leftovers(hub, "server", "build", "helper"), "nothing left")
    assert {} == hub.routes()
    assert len(killed) == len(leftovers(hub, "volume"))


@pytest.mark.req("V23", "V24", "V26")
def test_builds_are_on_record(stage: Stage, killed: dict[str, Parked]) -> None:
    """Each build a killed hub had under way ended well, once, in its row and in its log, whose lines are numbered without a gap."""
    operator = Builder(hub=stage.hub)
    for someone in (one for one in killed.values() if one.url):
        stage.open_gate(someone)
        answer = operator.ask("GET", params={"source": someone.url}).json()["builds"]
        assert [("ready", 1)] == [(row["state"], row["number"]) for row in answer], someone.point.name
        path = stage.hub.state / "builds" / answer[0]["id"] / "log.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        assert list(range(len(rows))) == [row["seq"] for row in rows], someone.point.name
        assert ("done", "ready") == (rows[-1]["kind"], rows[-1]["state"])
    untagged = docker(
        "image",
        "ls",
        "-q",
        "--filter",
        "dangling=true",
        "--filter",
        f"label=versatilehub.hub={stage.hub.hub_id}",
    )
    assert "" == untagged


@pytest.fixture
def person(stage: Stage) -> Iterator[str]:
    """A person whose server is stopped afterwards."""
    name = stage.hub.user(f"p{secrets.token_hex(4)}")
    yield name
    stage.hub.halt(name)


@pytest.mark.req("P4")
def test_restarted(stage: Stage, person: str) -> None:
    """A hub that is stopped leaves running servers alone and takes them up again: same container, same address."""
    hub = stage.hub
    hub.run(person, image=IMAGE)
    put(hub, person, "open.txt", "open")
    before = hub.container(person)

    hub.stop()
    assert "true" == docker("inspect", "-f", "{{.State.Running}}", before)
    hub.start()

    assert (True, before) == (hub.model(person)["ready"], hub.container(person))
    assert "open" == get(hub, person, "open.txt")


@pytest.mark.parametrize("away", ["refuses", "hangs"])
def test_restarted_before_docker(stage: Stage, person: str, away: str) -> None:
    """A hub that is back before its engine is waits for it and gives up nobody's server."""
    hub, engine = stage.hub, stage.engine
    hub.run(person, image=IMAGE)
    before = hub.container(person)

    hub.kill()
    rule = None
    if away == "refuses":
        engine.go_away()
    else:
        # The first calls, by which the hub finds its network, succeed: the engine hangs when servers are looked at.
        rule = engine.fault(rf"/containers/({before}|vh-{person}\S*)/json", Fault(hold="before"))
    back = threading.Timer(3, engine.come_back if rule is None else rule.remove)
    back.start()
    hub.start()
    back.join()

    wait_for(lambda: hub.model(person).get("ready"), "the server to be taken up again", seconds=20)
    assert before == hub.container(person)
    assert 200 == requests.get(f"{hub.url}/user/{person}/api", timeout=10).status_code


def test_killed_while_docker_fails(stage: Stage) -> None:
    """A server that was being started when the hub was killed is taken up though Docker fails when the hub is back."""
    hub, engine = stage.hub, stage.engine
    point = next(one for one in POINTS if one.name == "address asked")
    someone = stage.arrive(point)
    stage.park(someone)
    before = hub.container(someone.user)
    hub.kill()
    stage.open_all()
    rule = engine.fault(rf"/containers/({before}|vh-{someone.user}\S*)/json", Fault(status=500))
    back = threading.Timer(3, rule.remove)
    back.start()
    hub.start()
    back.join()

    wait_for(lambda: hub.model(someone.user).get("ready"), "the server to be taken up", seconds=20)
    assert before == hub.container(someone.user)
    assert someone.text == get(hub, someone.user, "mine.txt")
    hub.halt(someone.user)
