"""Volumes as people and administrators meet them: granted, mounted, shared, trashed with their server, and back again."""

from __future__ import annotations

import contextlib
import io
import json
import secrets
import sqlite3
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.crashpoints import IMAGE, get, put, volumes
from tests.hub.people import Person
from tests.hubprocess import HubProcess, docker, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import requests

LAB = "versatilehub/singleuser:latest"
HOME = "/home/jovyan"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Host folders an administrator registers: data, and a module with one kernel."""
    top = tmp_path_factory.mktemp("host")
    top.parent.chmod(0o755)
    (top / "sky").mkdir(mode=0o777)
    (top / "sky").chmod(0o777)
    (top / "sky" / "stars.txt").write_text("a star")
    kernel = top / "geo" / "share" / "jupyter" / "kernels" / "geo"
    kernel.mkdir(parents=True)
    spec = {
        "argv": ["python3", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Geo",
        "language": "python",
    }
    (kernel / "kernel.json").write_text(json.dumps(spec))
    return top


@pytest.fixture(scope="module")
def hub(make_hub: Callable[..., HubProcess], folders: Path) -> HubProcess:
    """A hub with registered volumes, a quick reconciler and no patience."""
    lines = f"""
    c.VersatileHub.data_volumes = [
        {{"name": "sky", "path": "{folders}/sky", "groups": {{"astro": "ro"}}, "users": {{"curator": "rw"}}, "description": "The survey"}}
    ]
    c.VersatileHub.shared_volumes = [{{"name": "course", "groups": {{"*": "rw"}}}}]
    c.VersatileHub.module_volumes = [{{"name": "geo", "path": "{folders}/geo", "groups": ["*"]}}]
    c.VersatileHub.reconcile_grace = 1
    c.VersatileHub.reconcile_every = 1
    """
    made = make_hub(lines).start()
    assert made.api("POST", "groups/astro").status_code == 201
    return made


@pytest.fixture
def user(hub: HubProcess) -> str:
    """A person nobody else in this file is."""
    return hub.user(f"u{secrets.token_hex(4)}")


def call(hub: HubProcess, method: str, path: str, **kwargs: Any) -> requests.Response:
    """Call our own API as the operator."""
    return hub.api(method, f"../versatilehub/api/{path}", **kwargs)


def mount(volume: str, at: str, mode: str = "rw") -> dict[str, str]:
    """Return one mount of a spec."""
    return {"volume": volume, "at": at, "mode": mode}


def shell(hub: HubProcess, user: str, line: str, server: str = "") -> str:
    """Run a line as the person in their server; what fails is said."""
    return hub.exec(user, f"{line} 2>&1 || true", server=server)


def trashed(hub: HubProcess, user: str) -> list[str]:
    """Return the ids of a person's volumes in the trash."""
    return [
        one["id"] for one in call(hub, "GET", f"users/{user}/volumes").json() if one["state"] == "trashed"
    ]


@pytest.mark.req("K28", "K30", "V6", "S16")
def test_registered_data(hub: HubProcess, user: str, folders: Path) -> None:
    """Read-only for a group whatever is asked for, writable by name, and for all others as if it did not exist."""
    hub.user("curator")
    hub.api("POST", "groups/astro/users", json={"users": [user]})
    other = hub.user(f"o{secrets.token_hex(4)}")
    wish: dict[str, Any] = {"image": IMAGE, "mounts": [mount("sky", f"{HOME}/data/sky")]}
    hub.run(user, **wish)
    hub.run("curator", **wish)

    assert "a star" == shell(hub, user, f"cat {HOME}/data/sky/stars.txt")
    assert "Read-only file system" in shell(hub, user, f"touch {HOME}/data/sky/x")
    assert "" == shell(hub, "curator", f"echo new > {HOME}/data/sky/new.txt")
    assert "new\n" == (folders / "sky" / "new.txt").read_text()
    # the folders that lead there are the person's, not root's
    assert "" == shell(hub, user, f"touch {HOME}/data/mine")
    refused = [hub.launch(other, image=IMAGE, mounts=[mount(name, "/data")]) for name in ("sky", "nothing")]
    assert [(403, "volume_not_granted")] * 2 == [
        (answer.status_code, answer.headers["VersatileHub-Error"]) for answer in refused
    ]
    listed = {one: call(hub, "GET", f"users/{one}/mounts").json() for one in (user, other)}
    assert ["sky"] == [one["name"] for one in listed[user] if one["kind"] == "data"]
    assert [] == [one["name"] for one in listed[other] if one["kind"] == "data"]
    assert str(folders) not in json.dumps(listed)
    for one in (user, "curator"):
        hub.halt(one)


@pytest.mark.req("V36", "K24")
def test_a_shared_volume(hub: HubProcess, user: str) -> None:
    """Two people's servers see each other's files; the volume is the site's, and outlives them."""
    other = hub.user(f"o{secrets.token_hex(4)}")
    for one in (user, other):
        hub.run(one, image=IMAGE, mounts=[mount("course", f"{HOME}/course")])

    put(hub, user, "course/from.txt", user)
    assert user == get(hub, other, "course/from.txt")
    put(hub, other, "course/from.txt", other)
    assert other == get(hub, user, "course/from.txt")
    for one in (user, other):
        hub.halt(one)
        hub.api("DELETE", f"users/{one}")
    label = [
        "--filter",
        f"label=versatilehub.hub={hub.hub_id}",
        "--filter",
        "label=versatilehub.lifetime=admin",
    ]
    assert 1 == len(docker("volume", "ls", "-q", *label).split())


@pytest.mark.req("K24", "K31")
def test_a_volume_of_ones_own(hub: HubProcess, user: str) -> None:
    """Made by API, mounted in two servers at once and by whom the owner let in; not deleted while in use; back from the trash."""
    friend, stranger = (hub.user(f"{mark}{secrets.token_hex(4)}") for mark in "fs")
    made = call(hub, "POST", f"users/{user}/volumes", json={"name": "notes", "description": "Mine"})
    assert 201 == made.status_code, made.text
    path = f"users/{user}/volumes/{made.json()['id']}"
    members = call(hub, "PUT", f"{path}/members", json={"members": [{"user": friend, "mode": "ro"}]})
    assert 200 == members.status_code
    wish: dict[str, Any] = {"image": IMAGE, "mounts": [mount("notes", f"{HOME}/notes")]}
    hub.run(user, **wish)
    hub.run(user, "second", **wish)
    hub.run(friend, **wish)

    put(hub, user, "notes/a.txt", "hers")
    assert ["hers", "hers"] == [get(hub, user, "notes/a.txt", "second"), get(hub, friend, "notes/a.txt")]
    assert "Read-only" in shell(hub, friend, f"touch {HOME}/notes/x")
    assert 403 == hub.launch(stranger, **wish).status_code
    assert 404 == call(hub, "GET", path.replace(user, stranger)).status_code
    taken = call(hub, "POST", f"users/{user}/volumes", json={"name": "notes"})
    assert (403, "volume_name_taken") == (taken.status_code, taken.json()["code"])
    busy = call(hub, "DELETE", path)
    assert (403, "volume_in_use") == (busy.status_code, busy.json()["code"])
    backup = call(hub, "GET", f"{path}/backup")
    with tarfile.open(fileobj=io.BytesIO(backup.content)) as tar:
        assert "./a.txt" in tar.getnames()
    for one, server in ((user, ""), (user, "second"), (friend, "")):
        hub.halt(one, server)
    assert 204 == call(hub, "DELETE", path).status_code
    assert 403 == hub.launch(user, **wish).status_code
    assert 200 == call(hub, "POST", f"{path}/restore").status_code
    hub.run(user, **wish)
    assert "hers" == get(hub, user, "notes/a.txt")
    hub.halt(user)


@pytest.mark.req("K29")
def test_a_module_brings_its_kernels(hub: HubProcess, user: str) -> None:
    """Its kernel is there while it is mounted, cannot be changed, and is gone without it."""
    hub.run(user, image=LAB, mounts=[mount("geo", "/opt/modules/geo")])
    seen = shell(hub, user, "jupyter kernelspec list --json")
    assert {"python3", "geo"} <= set(json.loads(seen[seen.index("{") :])["kernelspecs"])
    assert "Read-only" in shell(hub, user, "touch /opt/modules/geo/x")
    hub.halt(user)

    hub.run(user, image=LAB)
    assert "geo" not in shell(hub, user, "jupyter kernelspec list --json")
    hub.halt(user)


@pytest.mark.req("P13", "P15", "K6")
def test_a_deleted_server_comes_back(hub: HubProcess, user: str) -> None:
    """Its volume waits in the trash; a server made anew starts empty; restored for another server the file is there; purged it is gone."""
    hub.run(user, "one", image=IMAGE)
    hub.run(user, "other", image=IMAGE)
    put(hub, user, "kept.txt", "kept", "one")
    put(hub, user, "other.txt", "other", "other")
    hub.halt(user, "one", remove=True)
    hub.halt(user, "other")
    (name,) = trashed(hub, user)

    hub.run(user, "one", image=IMAGE)
    assert "kept" not in get(hub, user, "kept.txt", "one")
    assert 3 == len(volumes(hub, user))
    full = call(hub, "POST", f"users/{user}/volumes/{name}/restore")
    assert (403, "server_has_volume") == (full.status_code, full.json()["code"])
    assert 201 == hub.api("PUT", f"users/{user}/servers/again").status_code
    assert (
        200 == call(hub, "POST", f"users/{user}/volumes/{name}/restore", json={"server": "again"}).status_code
    )
    hub.run(user, "again", image=IMAGE)
    assert "kept" == get(hub, user, "kept.txt", "again")
    hub.halt(user, "again", remove=True)
    hub.halt(user, "one", remove=True)
    assert name in trashed(hub, user)
    assert 200 == call(hub, "POST", f"users/{user}/volumes/{name}/purge").status_code
    assert name not in volumes(hub, user)
    hub.run(user, "other", image=IMAGE)
    assert "other" == get(hub, user, "other.txt", "other")
    hub.halt(user, "other")


@pytest.mark.req("P13")
def test_a_person_who_goes_takes_all_of_theirs(hub: HubProcess, user: str) -> None:
    """Servers' volumes and their own go to the trash; nobody else's; somebody who gets the name finds nothing of it."""
    other = hub.user(f"o{secrets.token_hex(4)}")
    call(hub, "POST", f"users/{user}/volumes", json={"name": "notes"})
    for one in (user, other):
        hub.run(one, image=IMAGE)
        hub.halt(one)
    before, kept = volumes(hub, user), volumes(hub, other)
    assert 2 == len(before)
    assert 204 == hub.api("DELETE", f"users/{user}").status_code
    hub.user(user)

    wait_for(lambda: states(hub, user) == {"trashed"}, "all in the trash", seconds=30)
    assert [] == call(hub, "GET", f"users/{user}/volumes").json()
    assert 404 == call(hub, "POST", f"users/{user}/volumes/{before[0]}/restore").status_code
    hub.run(user, image=IMAGE)
    assert before != volumes(hub, user)
    assert {"live"} == states(hub, other)
    assert kept == volumes(hub, other)
    hub.halt(user)


def states(hub: HubProcess, owner: str) -> set[str]:
    """Return the states of the volumes of everybody who ever had a name."""
    with contextlib.closing(sqlite3.connect(hub.state / "versatilehub.sqlite")) as database:
        rows = database.execute("SELECT state FROM vh_volumes WHERE owner = ?", (owner,)).fetchall()
    return {state for (state,) in rows}


def cli(hub: HubProcess, *arguments: str, given: bytes = b"") -> Any:
    """Run `versatilehub volumes` and return its JSON, or its bytes for what is no JSON."""
    command = [
        sys.executable,
        "-m",
        "versatilehub.cli",
        "--state",
        str(hub.state),
        "--json",
        "volumes",
        *arguments,
    ]
    done = subprocess.run(command, input=given, capture_output=True, check=False)
    assert 0 == done.returncode, done.stderr.decode()
    return json.loads(done.stdout) if done.stdout[:1] in {b"{", b"["} else done.stdout


def test_the_command_line(hub: HubProcess, user: str) -> None:
    """The same from a terminal: back up, import into a fresh volume of a person, trash, restore, remove."""
    hub.run(user, image=IMAGE)
    put(hub, user, "mine.txt", "mine")
    hub.halt(user)
    (home,) = volumes(hub, user)
    archive = cli(hub, "backup", home)
    made = cli(hub, "import", "copy", "--owner", user, given=archive)

    hub.run(user, image=IMAGE, mounts=[mount("copy", "/copy", "ro")])
    assert "mine" == shell(hub, user, "cat /copy/mine.txt")
    hub.halt(user)
    assert "" == cli(hub, "rm", made["id"])["problem"]
    assert [home] == volumes(hub, user) == [row["id"] for row in cli(hub, "ls", "--owner", user)["volumes"]]


@pytest.mark.req("V5", "K30")
def test_the_form_without_javascript(hub: HubProcess) -> None:
    """It shows what the person may mount; what they choose is mounted; a wrong path comes back with what was typed."""
    person = Person(hub, "grace", "grace-password-1")
    page = person.get("spawn/grace").text
    wrong = person.post(
        "spawn/grace", kind="image", image=IMAGE, **{"mount-course": "rw", "at-course": "/etc/x"}
    )
    right = person.post(
        "spawn/grace", kind="image", image=IMAGE, **{"mount-course": "ro", "at-course": f"{HOME}/c"}
    )
    person.session.close()

    assert ('name="mount-course"' in page, 'name="mount-sky"' in page) == (True, False)
    assert "Nothing may be mounted at" in wrong.text
    assert 'value="/etc/x"' in wrong.text
    assert 302 == right.status_code, right.text
    hub.wait_ready("grace")
    assert "Read-only" in shell(hub, "grace", f"touch {HOME}/c/x")
    hub.halt("grace")


@pytest.mark.req("K32")
def test_what_does_not_fit_is_reported(hub: HubProcess, user: str) -> None:
    """A volume made by hand is told of; one of ours that nobody knows goes when it is empty and stays when it is not."""
    names = {
        mark: f"{'versatilehub' if mark == 'hand' else 'vh'}-{mark}-{secrets.token_hex(4)}"
        for mark in ("hand", "empty", "full")
    }
    labels = {
        "hub": hub.hub_id,
        "kind": "volume",
        "owner": user,
        "server": "gone",
        "created": "2026-01-01T00:00:00+00:00",
    }
    marks = [f"--label=versatilehub.{key}={value}" for key, value in labels.items()]
    docker("volume", "create", names["hand"])
    docker("volume", "create", *marks, names["full"])
    fill = ["--network", "none", "-u", "0", "-v", f"{names['full']}:/v", "--entrypoint", "touch", IMAGE]
    docker("run", "--rm", *fill, "/v/precious")
    docker("volume", "create", *marks, names["empty"])

    wait_for(
        lambda: not docker("volume", "ls", "-q", "-f", f"name={names['empty']}"),
        "the empty one to go",
        seconds=30,
    )
    found = {one["name"]: one for one in call(hub, "GET", "reconcile").json()["findings"]}
    docker("volume", "rm", names["hand"])
    assert ("unclaimed_volume", "unknown_volume") == (
        found[names["hand"]]["code"],
        found[names["full"]]["code"],
    )
    assert names["full"] in docker("volume", "ls", "-q")
    assert 403 == person_asks(hub)


def person_asks(hub: HubProcess) -> int:
    """Return how the report answers to somebody who is no administrator."""
    person = Person(hub, "alan", "alan-password-1")
    status = person.get("versatilehub/api/reconcile").status_code
    person.session.close()
    return status
