"""A configuration written for stock DockerSpawner keeps its meaning: each option as upstream documents it.

Two hubs: one with plain values and `remove=False` on Docker's own bridge, one with callables on a network of its own.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.hub.people import Person
from tests.hubprocess import HubProcess, docker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BASE = "versatilehub/test-server:latest"
MIB = 1024**2


@pytest.fixture(scope="module")
def mark() -> str:
    """A word in every name this module gives in Docker."""
    return f"stock{secrets.token_hex(3)}"


@pytest.fixture(scope="module")
def other_image(mark: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a second image, without a tag: an administrator may list one like that."""
    folder = tmp_path_factory.mktemp("image")
    (folder / "Dockerfile").write_text(f"FROM {BASE}\nLABEL site={mark}\n")
    docker("build", "-q", "-t", f"{mark}/other", str(folder))
    yield f"{mark}/other"
    docker("rmi", "-f", f"{mark}/other")


@pytest.fixture(scope="module")
def plain(
    make_hub: Callable[..., HubProcess], mark: str, other_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubProcess]:
    """A hub with plain values."""
    shared = tmp_path_factory.mktemp("shared")
    (shared / "note.txt").write_text("from the host")
    shared.chmod(0o755)
    hub = make_hub(f"""
    c.DockerSpawner.volumes = {{
        "{mark}-{{username}}": "/vol",
        "{mark}-slow-{{username}}": {{"bind": "/slow/{{username}}", "mode": "ro"}},
    }}
    c.DockerSpawner.read_only_volumes = {{"{shared}": "/shared"}}
    c.DockerSpawner.mounts = [{{"source": "{mark}-m-{{username}}", "target": "/mnt/{{username}}", "type": "volume"}}]
    c.DockerSpawner.extra_host_config = {{"dns_search": ["{{username}}.example"], "shm_size": "32m"}}
    c.DockerSpawner.extra_create_kwargs = {{"hostname": "h-{{username}}", "labels": {{"site": "physics"}}}}
    c.DockerSpawner.allowed_images = {{"plain": "{BASE}", "other": "{other_image}"}}
    c.DockerSpawner.name_template = "{mark}-{{username}}--{{servername}}"
    c.DockerSpawner.mem_limit = "96M"
    c.DockerSpawner.cpu_limit = 0.5
    c.DockerSpawner.environment = {{"SITE": "physics", "WHO": lambda spawner: spawner.user.name}}
    c.DockerSpawner.cmd = ["jupyterhub-singleuser", "--site=physics"]
    c.DockerSpawner.post_start_cmd = "touch /home/jovyan/after-start"
    c.DockerSpawner.network_name = "bridge"
    c.DockerSpawner.use_internal_ip = False
    c.DockerSpawner.remove = False
    """).start()
    yield hub
    hub.close()
    for volume in docker("volume", "ls", "-q", "--filter", f"name={mark}").split():
        docker("volume", "rm", volume)


@pytest.fixture(scope="module")
def callables(
    make_hub: Callable[..., HubProcess], mark: str, other_image: str, session_label: Any
) -> Iterator[HubProcess]:
    """A hub with a callable wherever upstream takes one, on a network that an administrator made."""
    docker("network", "create", "--label", session_label.text, mark)
    hub = make_hub(f"""
    async def host_config(spawner):
        return {{"dns_search": [spawner.user.name + ".example"]}}

    def create_kwargs(spawner):
        return {{"hostname": "h-" + spawner.user.name}}

    c.DockerSpawner.extra_host_config = host_config
    c.DockerSpawner.extra_create_kwargs = create_kwargs
    c.DockerSpawner.allowed_images = lambda spawner: ["{other_image}"]
    c.DockerSpawner.mem_limit = lambda spawner: "256M"
    c.DockerSpawner.cpu_limit = lambda spawner: 0.25
    c.DockerSpawner.options_from_form = lambda formdata: {{"image": "{other_image}"}}
    c.DockerSpawner.network_name = "{mark}"
    """).start()
    yield hub
    hub.close()
    docker("network", "rm", mark)


@pytest.fixture(scope="module")
def someone(plain: HubProcess) -> str:
    """A person with a server on the hub of plain values."""
    name = plain.user(f"p{secrets.token_hex(3)}")
    plain.run(name, image="plain")
    return name


def _inspect(hub: HubProcess, user: str) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(docker("inspect", hub.container(user)))[0]
    return row


def _session(token: str) -> requests.Session:
    """Return a session that talks to the hub as a server does, with the token it was given."""
    session = requests.Session()
    session.headers["Authorization"] = f"token {token}"
    return session


def test_volumes_and_mounts(plain: HubProcess, someone: str) -> None:
    """Volumes, read-only volumes and mounts appear where they were asked for, names filled in, beside our home volume."""
    found = {
        m["Destination"]: (m["Type"], m.get("Name") or m["Source"], m["RW"])
        for m in _inspect(plain, someone)["Mounts"]
    }
    mark = _inspect(plain, someone)["Name"].lstrip("/").partition("-")[0]

    assert found["/vol"] == ("volume", f"{mark}-{someone}", True)
    assert found[f"/slow/{someone}"] == ("volume", f"{mark}-slow-{someone}", False)
    assert found[f"/mnt/{someone}"] == ("volume", f"{mark}-m-{someone}", True)
    assert found["/shared"][::2] == ("bind", False)
    assert found["/home/jovyan"][0] == "volume"
    assert plain.exec(someone, "cat /shared/note.txt") == "from the host"


def test_extra_arguments(plain: HubProcess, someone: str) -> None:
    """Extra arguments are filled in and win over our defaults; what they do not name stays hard."""
    row = _inspect(plain, someone)

    assert row["HostConfig"]["DnsSearch"] == [f"{someone}.example"]
    assert row["HostConfig"]["ShmSize"] == 32 * MIB
    assert row["Config"]["Hostname"] == f"h-{someone}"
    assert row["Config"]["Labels"]["site"] == "physics"
    assert row["HostConfig"]["CapDrop"] == ["ALL"]


def test_a_configured_name_stands(plain: HubProcess, someone: str, mark: str) -> None:
    """`name_template` names the container; two servers never get one name."""
    assert _inspect(plain, someone)["Name"] == f"/{mark}-{someone}--"


def test_limits(plain: HubProcess, someone: str) -> None:
    """`mem_limit` and `cpu_limit` are what a server gets, and swap is no way around the first."""
    host = _inspect(plain, someone)["HostConfig"]

    assert (host["Memory"], host["MemorySwap"]) == (96 * MIB, 96 * MIB)
    assert host["CpuQuota"] / host["CpuPeriod"] == 0.5


def test_environment_and_command(plain: HubProcess, someone: str) -> None:
    """`environment`, with callables, and `cmd` reach the server; `post_start_cmd` has run in it."""
    row = _inspect(plain, someone)

    assert {"SITE=physics", f"WHO={someone}"} <= set(row["Config"]["Env"])
    assert row["Config"]["Cmd"][:2] == ["jupyterhub-singleuser", "--site=physics"]
    assert plain.exec(someone, "ls /home/jovyan/after-start") == "/home/jovyan/after-start"


def test_a_published_port(plain: HubProcess, someone: str) -> None:
    """On Docker's bridge with `use_internal_ip=False` the hub reaches the server at a port of this machine."""
    (published,) = _inspect(plain, someone)["NetworkSettings"]["Ports"]["8888/tcp"]

    assert published["HostIp"] == "127.0.0.1"
    answer = plain.api("GET", f"users/{someone}")
    assert answer.json()["servers"][""]["ready"]


def test_a_stopped_container_is_resumed(plain: HubProcess, someone: str) -> None:
    """With `remove=False` a stop keeps the container, and the next start resumes it with what is in its own layer and its token."""
    before = plain.container(someone)
    plain.exec(someone, "touch /opt/kept", as_user="0")
    plain.halt(someone)

    assert plain.container(someone) == before
    plain.run(someone, image="plain")

    assert plain.container(someone) == before
    assert plain.exec(someone, "ls /opt/kept") == "/opt/kept"
    environment = dict(row.split("=", 1) for row in _inspect(plain, someone)["Config"]["Env"])
    with _session(environment["JUPYTERHUB_API_TOKEN"]) as session:
        assert session.get(f"{plain.url}/hub/api/user", timeout=10).json()["name"] == someone


def test_another_image_makes_another_container(plain: HubProcess, someone: str, other_image: str) -> None:
    """With `remove=False`, too, another image is what runs: the stopped container of the first goes, the home stays."""
    before = plain.container(someone)
    plain.exec(someone, "echo mine > /home/jovyan/mine.txt")
    plain.halt(someone)
    plain.run(someone, image="other")

    assert plain.container(someone) != before
    assert _inspect(plain, someone)["Config"]["Image"] == other_image
    assert plain.exec(someone, "cat /home/jovyan/mine.txt") == "mine"


def test_only_listed_images(plain: HubProcess) -> None:
    """`allowed_images` stands in the place of the policy's images: the names in it, and nothing else."""
    name = plain.user(f"p{secrets.token_hex(3)}")
    answer = plain.launch(name, image="versatilehub/singleuser:latest")

    assert answer.status_code == 403
    assert "is not one this hub runs" in answer.json()["message"]


def test_the_form_offers_what_is_listed(plain: HubProcess, other_image: str) -> None:
    """The form shows the names of `allowed_images`; a chosen one starts the image it stands for."""
    person = Person(plain, "ada", "ada-password-1")
    with person.session:
        page = person.get("spawn/ada").text
        sent = person.post("spawn/ada", kind="image", image="other")
        assert sent.status_code == 302, sent.text
    plain.wait_ready("ada")

    assert "other" in page
    assert _inspect(plain, "ada")["Config"]["Image"] == other_image


def test_callables(callables: HubProcess, other_image: str, mark: str) -> None:
    """Options that may be callables are called with the spawner, also asynchronous ones; the network is the admin's."""
    name = callables.user(f"p{secrets.token_hex(3)}")
    callables.run(name, image=other_image)
    row = _inspect(callables, name)

    assert row["HostConfig"]["DnsSearch"] == [f"{name}.example"]
    assert row["Config"]["Hostname"] == f"h-{name}"
    assert row["HostConfig"]["Memory"] == 256 * MIB
    assert row["HostConfig"]["CpuQuota"] / row["HostConfig"]["CpuPeriod"] == 0.25
    assert set(row["NetworkSettings"]["Networks"]) == {mark}
    assert not row["NetworkSettings"]["Ports"].get("8888/tcp")


def test_a_size_asked_for_is_within_the_admins(callables: HubProcess, other_image: str) -> None:
    """A person may ask for less than `mem_limit`, and is told the limit when they ask for more."""
    name = callables.user(f"p{secrets.token_hex(3)}")
    more = callables.launch(name, image=other_image, memory="512M")
    callables.run(name, image=other_image, memory="128M")

    assert (403, "memory_out_of_range") == (more.status_code, more.headers["VersatileHub-Error"])
    assert "128M to 256M of memory; this one asks for 512M" in more.json()["message"]
    assert 128 * MIB == _inspect(callables, name)["HostConfig"]["Memory"]


def test_a_configured_reader_of_forms_stands(callables: HubProcess, other_image: str) -> None:
    """`options_from_form` of the configuration is asked, and what it says is checked like everything else."""
    person = Person(callables, "bob", "bob-password-1")
    with person.session:
        person.get("spawn/bob")
        sent = person.post("spawn/bob", anything="at all")
        assert sent.status_code == 302, sent.text
    callables.wait_ready("bob")

    assert _inspect(callables, "bob")["Config"]["Image"] == other_image
