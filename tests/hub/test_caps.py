"""A server whose home is full: its owner is told, gets in again, and nobody else notices; on disk images, with a real hub."""

from __future__ import annotations

import secrets
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.hubprocess import docker, wait_for
from versatilehub.events import Kind
from versatilehub.store import Store
from versatilehub.store import ledger as rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.hubprocess import HubProcess

STUB = "versatilehub/test-server:latest"
LAB = "versatilehub/singleuser:latest"
MIB = 1 << 20
LINES = f"""
    c.VersatileHub.storage_backend = "loop"
    c.VersatileHub.storage_free = 0
    c.VersatileHub.usage_interval = 1
    c.VersatileHub.volumes_interval = 1
    c.VersatileHub.policy_overrides = {{"images": [{STUB!r}, {LAB!r}], "server_volume_max": "32M"}}
    c.VersatileSpawner.image = {STUB!r}
    c.VersatileSpawner.environment = {{"VERSATILEHUB_TEST": "1"}}
"""


@pytest.fixture(scope="module")
def capped(make_hub: Callable[..., HubProcess]) -> HubProcess:
    """A hub whose servers have 32 MiB each, on disk images."""
    return make_hub(LINES).start()


@pytest.fixture
def person(capped: HubProcess) -> str:
    """Somebody of their own at that hub."""
    return capped.user(f"f{secrets.token_hex(4)}")


def usage(hub: HubProcess, token: str, **query: str) -> requests.Response:
    """Ask for the figures as the owner of *token*."""
    return requests.get(
        f"{hub.url}/hub/versatilehub/api/usage",
        params=query,
        headers={"Authorization": f"token {token}"},
        timeout=60,
    )


def token_of(hub: HubProcess, user: str) -> str:
    """Return a token with all of a person's own rights."""
    return str(hub.api("POST", f"users/{user}/tokens", json={}).json()["token"])


def fill(hub: HubProcess, user: str, name: str = "full") -> str:
    """Write into the home until it is full; return what dd said."""
    return hub.exec(
        user,
        f"cd; dd if=/dev/zero of={name} bs=64k 2>&1; for i in $(seq 200); do echo x > {name}$i || break; done 2>&1; df -B1 --output=size . | tail -1",
    )


@pytest.mark.req("P10", "P11", "K47")
@pytest.mark.parametrize("image", [STUB, LAB], ids=["stub", "lab"])
def test_a_full_home_never_locks_its_owner_out(capped: HubProcess, person: str, image: str) -> None:
    """Writing ends at the cap; stop and start work with a home that is full to the last byte, and deleting makes room."""
    capped.run(person, image=image)
    if image == LAB:
        kernel_answers(capped, person)
    told = fill(capped, person)
    assert "No space left on device" in told
    assert 32 * MIB * 0.75 < int(told.split()[-1]) <= 32 * MIB

    capped.halt(person)
    capped.run(person, image=image)
    assert "No space left" in fill(capped, person, "more")  # takes the spare as well
    capped.halt(person)
    capped.run(person, image=image)
    if image == LAB:
        kernel_answers(capped, person)
        delete_in_lab(capped, person)
    capped.exec(person, "cd; rm -f full* more*; dd if=/dev/zero of=again bs=1M count=12")


def logs(hub: HubProcess, person: str) -> str:
    """Return what the server printed."""
    command = ["docker", "logs", hub.container(person)]
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
    ).stdout


def kernel_answers(hub: HubProcess, person: str) -> None:
    """Start a kernel: it writes its connection file, which must not be in the home."""
    answer = requests.post(
        f"{hub.url}/user/{person}/api/kernels",
        json={"name": "python3"},
        headers={"Authorization": f"token {token_of(hub, person)}"},
        timeout=60,
    )
    assert 201 == answer.status_code, logs(hub, person)


def delete_in_lab(hub: HubProcess, person: str) -> None:
    """Delete the big file as the file browser does; the room is there at once."""
    answer = requests.delete(
        f"{hub.url}/user/{person}/api/contents/full",
        headers={"Authorization": f"token {token_of(hub, person)}"},
        timeout=60,
    )
    assert 204 == answer.status_code, logs(hub, person)
    hub.exec(person, "cd; dd if=/dev/zero of=more bs=1M count=10")


@pytest.mark.req("P11", "K47")
def test_people_see_what_they_use_and_administrators_see_all(capped: HubProcess, person: str) -> None:
    """Own server and volume with use, limit and level; nobody else's; the warning is an event of the ledger."""
    other = capped.user(f"f{secrets.token_hex(4)}")
    capped.run(person)
    capped.run(other)
    fill(capped, person)
    token = token_of(capped, person)

    def found() -> dict[str, Any]:
        answer: dict[str, Any] = usage(capped, token).json()
        levels = [one["level"] for one in answer["volumes"]]
        return answer if levels == [95] and answer["servers"][0]["cpus"] is not None else {}

    answer = wait_for(found, "the warning")
    assert {"backend": "loop", "hard": True} == answer["storage"]
    assert [(person, "")] == [(one["owner"], one["server"]) for one in answer["servers"]]
    (server,), (volume,) = answer["servers"], answer["volumes"]
    assert server["memory_limit"] >= server["memory"] > 0
    assert [volume["name"]] == server["volumes"]
    assert 95 <= volume["percent"] <= 100

    assert 403 == usage(capped, token, all="1").status_code
    assert 403 == usage(capped, "nobody").status_code
    everybody = {one["owner"] for one in usage(capped, capped.token, all="1").json()["volumes"]}
    assert {person, other} <= everybody
    server_token = capped.exec(person, "echo $JUPYTERHUB_API_TOKEN")
    assert 403 == usage(capped, server_token, all="1").status_code

    store = Store(f"sqlite:///{capped.state / 'versatilehub.sqlite'}")
    try:
        events = wait_for(
            lambda: store.run_now(
                lambda session: list(rows.read(session, owner=person, kinds=[Kind.VOLUME_WARNED]))
            ),
            "the event",
        )
    finally:
        store.close()
    assert {80, 95} >= {event.data["level"] for event in events} >= {95}


@pytest.mark.req("P10")
def test_a_reboot_is_survived_without_a_hand(capped: HubProcess, person: str) -> None:
    """The devices are gone and their numbers given to others; the next start finds the person's own files."""
    capped.run(person)
    capped.exec(person, "cd; echo mine > whose")
    (volume,) = docker(
        "volume",
        "ls",
        "-q",
        "--filter",
        f"label=versatilehub.hub={capped.hub_id}",
        "--filter",
        f"label=versatilehub.owner={person}",
    ).split()
    capped.halt(person)
    take_device(volume)
    capped.run(person)

    assert "mine" == capped.exec(person, "cat ~/whose")


def take_device(volume: str) -> None:
    """Take a volume's device and link away, as a reboot does."""
    link = Path("/dev/vhub") / volume
    subprocess.run(["losetup", "--detach", str(link.resolve())], check=True)
    link.unlink()


@pytest.mark.req("P10")
def test_the_doctor_tells_how_caps_are_kept(capped: HubProcess) -> None:
    """The chosen backend is in the state folder, where `versatilehub doctor` reads it."""
    done = subprocess.run(
        [sys.executable, "-m", "versatilehub.cli", f"--state={capped.state}", "doctor"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "loop: the file system keeps every cap" in done.stdout
