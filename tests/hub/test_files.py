"""A person's files stay: over stop and start, rename and new commits; and they are nobody else's."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.buildsite import BASE, GOOD
from tests.hubprocess import docker, wait_for

if TYPE_CHECKING:
    from tests.gitserver import GitServer
    from tests.hubprocess import HubProcess


def address(hub: HubProcess, user: str, path: str, server: str = "") -> str:
    """Return the URL of a file at home."""
    return f"{hub.url}/user/{user}/{f'{server}/' if server else ''}files/{path}"


def write(hub: HubProcess, user: str, path: str, text: str, server: str = "") -> None:
    """Write a file from inside the server."""
    assert requests.put(address(hub, user, path, server), data=text, timeout=30).status_code == 201


def read(hub: HubProcess, user: str, path: str, server: str = "") -> str | None:
    """Return a file's text, None when there is none."""
    answer = requests.get(address(hub, user, path, server), timeout=30)
    assert answer.status_code in {200, 404}, answer.text
    return answer.text if answer.ok else None


def volumes(hub: HubProcess, user: str) -> dict[str, dict[str, str]]:
    """Return name and labels of each volume of a person."""
    filters = [f"label=versatilehub.hub={hub.hub_id}", f"label=versatilehub.owner={user}"]
    names = docker("volume", "ls", "-q", *(part for one in filters for part in ("--filter", one))).split()
    return (
        {row["Name"]: row["Labels"] for row in json.loads(docker("volume", "inspect", *names))}
        if names
        else {}
    )


def home_of(hub: HubProcess, user: str, server: str = "") -> str:
    """Return the name of the volume that is a server's home."""
    mounts: list[dict[str, Any]] = json.loads(
        docker("inspect", "-f", "{{json .Mounts}}", hub.container(user, server))
    )
    (name,) = [row["Name"] for row in mounts if row["Destination"] == "/home/jovyan"]
    return str(name)


def restart(hub: HubProcess, user: str, server: str = "") -> None:
    """Stop a server and start it with what it ran before."""
    hub.halt(user, server)
    hub.api("POST", hub.server_path(user, server))
    hub.wait_ready(user, server)


@pytest.mark.req("K4", "K6", "S8", "S9", "V19")
def test_a_file_survives_stop_and_start(hub: HubProcess, user: str) -> None:
    """A stop removes the container and what was outside home; the next start has the files on the same volume."""
    hub.run(user, image=BASE)
    first, home = hub.container(user), home_of(hub, user)
    write(hub, user, "work/kept.txt", "mine")
    hub.exec(user, "echo x > /tmp/dropped")
    hub.halt(user)

    assert [] == hub.containers(user)
    hub.api("POST", hub.server_path(user))
    hub.wait_ready(user)

    assert "mine" == read(hub, user, "work/kept.txt")
    assert "no" == hub.exec(user, "test -e /tmp/dropped && echo yes || echo no")
    assert home == home_of(hub, user)
    assert first != hub.container(user)


@pytest.mark.req("P12")
def test_a_server_has_one_volume_labelled_as_its_own(hub: HubProcess, user: str) -> None:
    """The first start makes exactly one volume, which says whose it is; a second start makes no other."""
    hub.run(user, "lab1", image=BASE)
    restart(hub, user, "lab1")
    found = volumes(hub, user)

    assert [home_of(hub, user, "lab1")] == list(found)
    (labels,) = found.values()
    expected = {"hub": hub.hub_id, "owner": user, "server": "lab1", "kind": "volume"}
    assert {f"versatilehub.{key}": value for key, value in expected.items()}.items() <= labels.items()
    assert "versatilehub.created" in labels


@pytest.mark.req("K2", "K6")
def test_two_servers_of_one_person_have_two_homes(hub: HubProcess, user: str) -> None:
    """What one server writes, the other does not see, and deleting one leaves the other's files."""
    for server in ("one", "two"):
        hub.run(user, server, image=BASE)
        write(hub, user, "which", server, server)

    assert home_of(hub, user, "one") != home_of(hub, user, "two")
    hub.halt(user, "one", remove=True)
    restart(hub, user, "two")
    assert "two" == read(hub, user, "which", "two")


@pytest.mark.req("P15")
def test_a_deleted_servers_name_starts_empty(hub: HubProcess, user: str) -> None:
    """A server deleted and made anew under the same name has a new, empty volume."""
    hub.run(user, "lab1", image=BASE)
    write(hub, user, "old.txt", "old", "lab1")
    before = home_of(hub, user, "lab1")
    hub.halt(user, "lab1", remove=True)
    wait_for(lambda: not hub.model(user, "lab1"), "the record gone")
    assert [] == hub.containers(user)

    hub.run(user, "lab1", image=BASE)

    assert read(hub, user, "old.txt", "lab1") is None
    assert before != home_of(hub, user, "lab1")


@pytest.mark.req("P16")
def test_a_rename_keeps_the_files(hub: HubProcess, user: str) -> None:
    """A server renamed over REST starts under its new name with its files, and under no other."""
    hub.run(user, "lab1", image=BASE)
    write(hub, user, "kept.txt", "mine", "lab1")
    home = home_of(hub, user, "lab1")
    hub.halt(user, "lab1")

    renamed = hub.api("PATCH", hub.server_path(user, "lab1"), json={"name": "atelier"})
    hub.api("POST", hub.server_path(user, "atelier"))
    hub.wait_ready(user, "atelier")

    assert renamed.ok, renamed.text
    assert "mine" == read(hub, user, "kept.txt", "atelier")
    assert [home] == list(volumes(hub, user))
    hub.run(user, "lab1", image=BASE)
    assert read(hub, user, "kept.txt", "lab1") is None


@pytest.mark.req("S17", "P21", "K6")
def test_a_new_commit_comes_around_what_the_person_did(hub: HubProcess, forge: GitServer, user: str) -> None:
    """Files nobody touched follow the repository, changed ones stay and are named, deleted ones stay away."""
    repo = forge.repo(
        "course", {**GOOD, "same.txt": "1", "edited.txt": "1", "deleted.txt": "1", "sub/same.txt": "1"}
    )
    hub.run(user, source=forge.url("course"))
    write(hub, user, "course/edited.txt", "my answer")
    write(hub, user, "course/own.txt", "my own")
    requests.delete(address(hub, user, "course/deleted.txt"), timeout=30)
    hub.halt(user)
    changed = ("same.txt", "edited.txt", "deleted.txt", "sub/same.txt", "new.txt")
    repo.commit({**dict.fromkeys(changed, "2"), "unique.txt": secrets.token_hex(8)})

    hub.api("POST", hub.server_path(user))
    hub.wait_ready(user)

    found = {name: read(hub, user, f"course/{name}") for name in (*changed, "own.txt")}
    assert {
        "same.txt": "2",
        "sub/same.txt": "2",
        "new.txt": "2",
        "edited.txt": "my answer",
        "deleted.txt": None,
        "own.txt": "my own",
    } == found
    notes = [
        name for name in json.loads(read(hub, user, "") or "[]") if "course" in name and name != "course"
    ]
    assert 1 == len(notes)
    assert "edited.txt" in (read(hub, user, notes[0]) or "")


@pytest.mark.req("S17", "K6")
def test_another_image_keeps_the_files(hub: HubProcess, forge: GitServer, user: str) -> None:
    """The same server run from another image has the same home."""
    forge.repo("other", dict(GOOD))
    hub.run(user, image=BASE)
    write(hub, user, "kept.txt", "mine")
    home = home_of(hub, user)
    hub.halt(user)

    hub.run(user, source=forge.url("other"))

    assert ("mine", "a") == (read(hub, user, "kept.txt"), read(hub, user, "other/a.txt"))
    assert home == home_of(hub, user)


@pytest.mark.req("K6")
def test_two_repositories_of_one_commit_have_two_folders(
    hub: HubProcess, forge: GitServer, user: str
) -> None:
    """A fork has the commit of its origin; the files of each are in a folder of its own name."""
    commits = {forge.repo(name, dict(GOOD)).head for name in ("origin", "fork")}
    hub.run(user, source=forge.url("origin"))
    hub.halt(user)
    hub.run(user, source=forge.url("fork"))

    assert 1 == len(commits)
    assert ("a", "a") == (read(hub, user, "origin/a.txt"), read(hub, user, "fork/a.txt"))


@pytest.mark.req("K1", "S14")
def test_a_volume_of_another_owner_is_refused(hub: HubProcess, user: str) -> None:
    """A volume that has our server's name on record but is labelled another's is not mounted; the start says so."""
    hub.run(user, image=BASE)
    home = home_of(hub, user)
    hub.halt(user)
    docker("volume", "rm", home)
    labels = {"hub": hub.hub_id, "owner": "somebody", "server": "", "kind": "volume"}
    arguments = [f"--label=versatilehub.{key}={value}" for key, value in labels.items()]
    docker("volume", "create", *arguments, home)

    answer = hub.api("POST", hub.server_path(user))

    assert (409, "engine_conflict") == (answer.status_code, answer.headers["VersatileHub-Error"])
    assert home in answer.json()["message"]
    assert [] == hub.containers(user)


@pytest.mark.req("S8")
def test_nothing_of_a_repository_is_kept_in_image_placement(
    hub: HubProcess, forge: GitServer, user: str
) -> None:
    """With `placement: image` the server works in the image's own copy, and no volume is made."""
    forge.repo("gone", dict(GOOD))
    hub.run(user, source=forge.url("gone"), placement="image")

    assert "/srv/repo" == hub.exec(user, "readlink /proc/1/cwd || pwd")
    assert {} == volumes(hub, user)
