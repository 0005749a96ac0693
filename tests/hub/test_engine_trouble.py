"""Docker is slow, wrong, away, or changed by others: nobody's server is given up, and every failed start says why.

The hub's engine is the real one behind a proxy (tests/enginefault.py) that fails where a test says.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.crashpoints import IMAGE, get, put, volumes
from tests.enginefault import Fault
from tests.hub.people import Person
from tests.hubprocess import docker, wait_for
from versatilehub import naming

if TYPE_CHECKING:
    from tests.enginefault import EngineProxy
    from tests.hubprocess import HubProcess


def name_of(hub: HubProcess, user: str, server: str = "") -> str:
    """Return the name a server's container has or will have."""
    return naming.container_name(hub.hub_id, user, server)


def failed(hub: HubProcess, user: str, server: str = "", **options: Any) -> tuple[str, str]:
    """Ask for a server that cannot start; return code and words of the failure."""
    answer = hub.launch(user, server, **options)
    if answer.status_code == 202:
        last = hub.events(user, server)[-1]
        wait_for(lambda: not hub.model(user, server).get("pending"), "the start to end")
        assert last.get("failed"), last
        return "", last["message"]
    assert answer.status_code >= 400, answer.text
    return answer.headers.get("VersatileHub-Error", ""), answer.json()["message"]


class TestPoll:
    """A look at a server that the engine does not answer says nothing about the server."""

    @pytest.mark.req("P4")
    @pytest.mark.parametrize(
        "fault",
        [
            pytest.param(Fault(status=500), id="error 500"),
            pytest.param(Fault(status=409), id="error 409"),
            pytest.param(Fault(hold="before"), id="no answer"),
            pytest.param(Fault(drop=True), id="connection dropped"),
        ],
    )
    def test_unknown_is_not_stopped(
        self, frail: HubProcess, engine: EngineProxy, person: str, fault: Fault
    ) -> None:
        """A server whose state the engine does not tell stays up, with its route and its container."""
        frail.run(person, image=IMAGE)
        before = frail.container(person)

        with engine.fault(f"GET /containers/({before}|{name_of(frail, person)})/json", fault) as rule:
            wait_for(lambda: len(rule.hits) >= 2, "two looks at the server", seconds=30)
            assert frail.model(person)["ready"]

        answer = requests.get(f"{frail.url}/user/{person}/api", timeout=10)
        assert (True, before, 200) == (
            frail.model(person)["ready"],
            frail.container(person),
            answer.status_code,
        )

    @pytest.mark.req("P4")
    def test_refusing_engine(self, frail: HubProcess, engine: EngineProxy, person: str) -> None:
        """An engine that refuses connections for some seconds ends no server."""
        frail.run(person, image=IMAGE)
        before = frail.container(person)
        said = frail.log.read_text().count("state unknown")

        engine.go_away()
        wait_for(lambda: frail.log.read_text().count("state unknown") >= said + 2, "two looks", seconds=30)
        engine.come_back()

        assert (True, before) == (frail.model(person)["ready"], frail.container(person))
        frail.halt(person)
        assert [] == frail.containers(person)

    def test_removed_by_others(self, frail: HubProcess, person: str) -> None:
        """A container removed with docker is noticed, its route goes, and the server starts again with its files."""
        frail.run(person, image=IMAGE)
        put(frail, person, "kept.txt", "kept")

        docker("rm", "-f", frail.container(person))
        wait_for(lambda: not frail.containers(person), "the container to go")
        wait_for(lambda: frail.model(person).get("stopped"), "the hub to notice", seconds=20)
        wait_for(lambda: f"/user/{person}/" not in frail.routes(), "the route to go", seconds=10)

        frail.run(person, image=IMAGE)
        assert "kept" == get(frail, person, "kept.txt")


def test_others_do_not_wait(frail: HubProcess, engine: EngineProxy, person: str) -> None:
    """While the engine delays every call of one person, pages of others come within a second and their servers start."""
    other = frail.user(f"o{secrets.token_hex(4)}")
    ada = Person(frail, "ada", "ada-password-1")
    with engine.fault(person, Fault(delay=3.0)) as rule:
        frail.launch_soon(person, image=IMAGE)
        rule.wait_hit()
        times = []
        for page in ("home", "spawn", "home", "spawn", "home"):
            before = time.monotonic()
            assert ada.get(page).status_code in (200, 302)
            times.append(time.monotonic() - before)
        before = time.monotonic()
        frail.run(other, image=IMAGE)
        started = time.monotonic() - before
        still_waiting = frail.model(person).get("pending")
    ada.session.close()
    frail.wait_ready(person)
    frail.halt(other)

    assert max(times) < 1
    assert still_waiting == "spawn", f"the other's start took {started:.1f} s"


class TestNameTaken:
    """A container that has the name of a person's: theirs is replaced, anybody else's is left alone."""

    @pytest.mark.parametrize("late", [pytest.param(False, id="before"), pytest.param(True, id="in between")])
    def test_foreign(
        self, frail: HubProcess, engine: EngineProxy, person: str, session_label: Any, late: bool
    ) -> None:
        """A foreign container of our name, there before or made while we look, refuses the start and stays as it is."""
        name = name_of(frail, person)
        make = ["create", "--name", name, "--label", session_label.text, IMAGE]
        if late:
            rule = engine.fault(rf"POST /containers/create\?.*name={name}", Fault(hold="before"), times=1)
            frail.launch_soon(person, image=IMAGE)
            rule.wait_held()
            foreign = docker(*make)
            rule.remove()
            message = wait_failed(frail, person)
        else:
            foreign = docker(*make)
            code, message = failed(frail, person, image=IMAGE)
            assert "name_taken" == code

        still = json.loads(docker("inspect", name))[0]
        docker("rm", name)
        assert name in message
        assert (foreign, "created", []) == (still["Id"], still["State"]["Status"], frail.containers(person))
        frail.run(person, image=IMAGE)

    @pytest.mark.parametrize("state", ["created", "running", "exited"])
    @pytest.mark.parametrize("late", [pytest.param(False, id="before"), pytest.param(True, id="in between")])
    def test_our_own(
        self,
        frail: HubProcess,
        engine: EngineProxy,
        person: str,
        session_label: Any,
        state: str,
        late: bool,
    ) -> None:
        """A container a killed hub left, half made or running, gives way to the new one: one container, a ready server."""
        name = name_of(frail, person)
        labels = {
            "versatilehub.hub": frail.hub_id,
            "versatilehub.kind": "server",
            "versatilehub.owner": person,
            "versatilehub.server": "",
            "versatilehub.test": session_label.value,
        }
        marks = [part for key, value in labels.items() for part in ("--label", f"{key}={value}")]
        rule = engine.fault(rf"POST /containers/create\?.*name={name}", Fault(hold="before"), times=1)
        if late:
            frail.launch_soon(person, image=IMAGE)
            rule.wait_held()
        command = ["true"] if state == "exited" else ["sleep", "600"]
        old = docker("create", "--name", name, *marks, IMAGE, *command)
        if state != "created":
            docker("start", old)
        if state == "exited":
            docker("wait", old)
        rule.remove()
        if not late:
            frail.launch_soon(person, image=IMAGE)

        wait_started(frail, person)
        assert old != frail.container(person)


def wait_started(hub: HubProcess, user: str, server: str = "") -> None:
    """Wait until a server asked for a moment ago is ready."""
    wait_for(
        lambda: hub.model(user, server).get("pending") or hub.model(user, server).get("ready"), "a start"
    )
    hub.wait_ready(user, server)


def wait_failed(hub: HubProcess, user: str, server: str = "") -> str:
    """Wait until a server asked for a moment ago has failed to start and return the hub's words."""
    last = hub.events(user, server)[-1]
    wait_for(lambda: not hub.model(user, server).get("pending"), "the start to end")
    assert last.get("failed"), last
    return str(last["message"])


@pytest.mark.parametrize("hold", ["before", "after"])
def test_cancelled_while_creating(frail: HubProcess, engine: EngineProxy, person: str, hold: Any) -> None:
    """A start cancelled while the engine is making its container leaves none, whenever the engine answers."""
    pattern = rf"POST /containers/create\?.*name={name_of(frail, person)}"
    with engine.fault(pattern, Fault(hold=hold)) as rule:
        frail.launch_soon(person, image=IMAGE)
        rule.wait_held()
        cancel = threading.Thread(target=frail.api, args=("DELETE", frail.server_path(person)))
        cancel.start()
        wait_for(lambda: frail.model(person).get("pending") != "spawn", "the cancel to be taken", seconds=20)
    cancel.join()

    wait_for(lambda: not frail.model(person).get("pending"), "the stop to end", seconds=30)
    wait_for(lambda: not frail.containers(person), "no container", seconds=20)
    assert 1 == len(volumes(frail, person))
    frail.run(person, image=IMAGE)


class TestFailedStart:
    """A start that fails says why, keeps the files and leaves nothing else."""

    @pytest.mark.parametrize(
        ("server", "options", "code", "words"),
        [
            pytest.param("ends", {}, "server_ended", "exit code 3. Its last words: cannot find", id="ends"),
            pytest.param("hungry", {"memory": "128M"}, "out_of_memory", "ran out of memory", id="memory"),
        ],
    )
    def test_server_ends(
        self,
        frail: HubProcess,
        person: str,
        odd_image: str,
        server: str,
        options: dict[str, str],
        code: str,
        words: str,
    ) -> None:
        """A server that ends while it starts is reported with its exit code and last words, or for its memory."""
        found, message = failed(frail, person, server, image=odd_image, **options)

        assert code == found
        assert words in message
        assert ([], 1) == (frail.containers(person), len(volumes(frail, person)))

    @pytest.mark.parametrize(
        ("call", "fault", "code"),
        [
            pytest.param(r"POST /containers/create\?", Fault(status=500), "engine_failed", id="create 500"),
            pytest.param(
                r"POST /containers/create\?", Fault(drop=True), "engine_unavailable", id="create dropped"
            ),
            pytest.param(r"POST /containers/\w+/start", Fault(status=500), "engine_failed", id="start 500"),
            pytest.param(
                r"POST /containers/\w+/start", Fault(drop=True), "engine_unavailable", id="start dropped"
            ),
            pytest.param(r"GET /containers/json\?", Fault(status=500), "engine_failed", id="list 500"),
            pytest.param(r"GET /volumes/", Fault(status=500), "engine_failed", id="volume 500"),
        ],
    )
    def test_engine_fails(
        self, frail: HubProcess, engine: EngineProxy, person: str, call: str, fault: Fault, code: str
    ) -> None:
        """An engine that fails in the middle of a start ends it with its code; the files stay, the next start works."""
        frail.run(person, image=IMAGE)
        put(frail, person, "kept.txt", "kept")
        frail.halt(person)
        kept = volumes(frail, person)

        with engine.fault(call, fault, times=1) as rule:
            found, message = failed(frail, person, image=IMAGE)
            assert rule.hits
        assert code == found, message
        assert "Docker" in message
        assert ([], kept) == (frail.containers(person), volumes(frail, person))

        frail.run(person, image=IMAGE)
        assert "kept" == get(frail, person, "kept.txt")

    def test_engine_away(self, frail: HubProcess, engine: EngineProxy, person: str) -> None:
        """A start while the engine is away fails with words for people, and works when it is back."""
        engine.go_away()
        code, message = failed(frail, person, image=IMAGE)
        engine.come_back()

        assert "engine_unavailable" == code
        assert "Docker" in message
        frail.run(person, image=IMAGE)
