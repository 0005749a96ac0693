"""Each piece alone on a stock hub, by the very lines of docs/how-to/use-one-piece.md; and what undoing `configure` says."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

import pytest

from tests.hub.people import Person
from tests.hub.test_volumes import states
from tests.hubprocess import ROOT, docker, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.hubprocess import HubProcess

PAGE = (ROOT / "docs" / "how-to" / "use-one-piece.md").read_text("utf-8")
#: A hub without versatilehub: ports, an operator for the test, and nothing else.
STOCK = """
import os

c = get_config()
port = int(os.environ["VERSATILEHUB_PORT"])
state = os.environ["VERSATILEHUB_STATE"]
c.JupyterHub.bind_url = f"http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = f"http://{ADDRESS}:{port + 81}"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{port + 1}"
c.JupyterHub.db_url = f"sqlite:///{state}/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = f"{state}/cookie_secret"
c.ConfigurableHTTPProxy.pid_file = f"{state}/proxy.pid"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "only-a-dummy"
c.DummyAuthenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.services = [{"name": "operator", "api_token": os.environ["VERSATILEHUB_API_TOKEN"]}]
c.JupyterHub.load_roles = [
    {"name": "operator", "services": ["operator"], "scopes": ["admin:users", "admin:servers", "access:servers"]}
]
c.VersatileHub.state_dir = state
"""


def section(title: str) -> str:
    """Return the Python of one section of the page."""
    (text,) = re.findall(rf"^## {title}$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))


@pytest.fixture(scope="module")
def stock_config(tmp_path_factory: pytest.TempPathFactory, bridge: str) -> Path:
    """The configuration file of a stock hub."""
    path = tmp_path_factory.mktemp("stock") / "jupyterhub_config.py"
    path.write_text(STOCK.replace("{ADDRESS}", bridge))
    return path


def start(make_hub: Callable[..., HubProcess], config: Path, lines: str) -> HubProcess:
    """Start a stock hub with *lines* of the page after its own."""
    hub = make_hub("", config=config)
    hub_id = f"t{secrets.token_hex(4)}"
    (hub.state / "hub_id").write_text(hub_id)  # by which what it makes is found and removed
    with hub._wrapper.open("a") as file:
        file.write("\n" + lines.replace('"physics"', repr(hub_id)) + "\n")
    return hub.start()


@pytest.fixture(scope="module")
def spawner_alone(make_hub: Callable[..., HubProcess], stock_config: Path) -> Iterator[HubProcess]:
    """A stock hub with our spawner."""
    hub = start(make_hub, stock_config, section("The spawner alone"))
    yield hub
    hub.close()


@pytest.fixture(scope="module")
def authenticator_alone(make_hub: Callable[..., HubProcess], stock_config: Path) -> Iterator[HubProcess]:
    """A stock hub with our authenticator."""
    lines = section("The authenticator alone").replace('"users.csv"', 'f"{state}/users.csv"')
    hub = start(make_hub, stock_config, lines.replace('"accounts.json"', 'f"{state}/accounts.json"'))
    yield hub
    hub.close()


@pytest.fixture(scope="module")
def volumes_alone(make_hub: Callable[..., HubProcess], stock_config: Path) -> Iterator[HubProcess]:
    """A stock hub with stock DockerSpawner and our hooks."""
    lines = (
        section("The volumes alone")
        + """
c.DockerSpawner.image = "versatilehub/test-server:latest"
c.DockerSpawner.cmd = ["jupyterhub-singleuser"]
c.DockerSpawner.use_internal_ip = True
c.DockerSpawner.remove = True
c.DockerSpawner.apply_user_options = lambda spawner, options: None
c.VersatileHub.reconcile_grace = 1
c.VersatileHub.reconcile_every = 1
"""
    )
    hub = start(make_hub, stock_config, lines)
    yield hub
    hub.close()


@pytest.mark.req("P12", "V6", "K24")
def test_the_volumes_work_alone(volumes_alone: HubProcess) -> None:
    """A server of stock DockerSpawner keeps its home, mounts what was granted and nothing else, and leaves to the trash."""
    hub = volumes_alone
    user = hub.user(f"v{secrets.token_hex(4)}")
    wish = [{"volume": "course", "at": "/home/jovyan/course"}]
    refused = hub.launch(user, mounts=[{"volume": "foreign", "at": "/x"}])
    assert (403, "volume_not_granted") == (refused.status_code, refused.headers["VersatileHub-Error"])
    hub.run(user, mounts=wish)
    container = docker("ps", "-q", "--filter", f"name={user}")
    docker("exec", container, "sh", "-c", "echo kept > /home/jovyan/a; echo all > /home/jovyan/course/b")
    hub.halt(user)
    hub.run(user, mounts=wish)
    again = docker("ps", "-q", "--filter", f"name={user}")

    assert container != again
    assert "kept\nall" == docker("exec", again, "cat", "/home/jovyan/a", "/home/jovyan/course/b")
    hub.halt(user)
    assert 204 == hub.api("DELETE", f"users/{user}").status_code
    wait_for(lambda: states(hub, user) == {"trashed"}, "its volume in the trash", seconds=40)


@pytest.mark.parametrize(
    ("options", "image"),
    [
        ({"image": "small"}, "versatilehub/test-server:latest"),
        ({"image": "lab"}, "versatilehub/singleuser:latest"),
        ({}, "versatilehub/singleuser:latest"),
    ],
    ids=["small", "lab", "default"],
)
@pytest.mark.req("P18", "S14")
def test_the_spawner_works_alone(spawner_alone: HubProcess, options: dict[str, str], image: str) -> None:
    """With another authenticator and no `configure`: images by their short names, and the default one."""
    user = spawner_alone.user(f"u{len(options)}{options.get('image', 'default')[:5]}")
    spawner_alone.run(user, **options)
    container = spawner_alone.container(user)

    assert image == docker("inspect", "-f", "{{.Config.Image}}", container)
    limits = docker("inspect", "-f", "{{.HostConfig.CapDrop}} {{.HostConfig.Memory}}", container)
    assert f"[ALL] {2 * 1024**3}" == limits
    spawner_alone.halt(user)
    assert [] == spawner_alone.containers(user)


def test_the_spawner_alone_refuses_as_ever(spawner_alone: HubProcess) -> None:
    """Images that `allowed_images` does not name are refused with the usual code."""
    user = spawner_alone.user("other")

    answer = spawner_alone.launch(user, image="evil/image:1")

    assert (403, "image_not_allowed") == (answer.status_code, answer.headers["VersatileHub-Error"])


@pytest.mark.req("P18")
def test_another_way_to_sign_in_reaches_our_form(spawner_alone: HubProcess) -> None:
    """A person signed in by another authenticator gets the options form with the hub's images."""
    person = Person(spawner_alone, "dummy-person", "only-a-dummy")
    page = person.get("spawn/dummy-person")
    person.session.close()

    assert 200 == page.status_code
    assert "data-vh-form" in page.text
    assert "small" in page.text


def test_the_authenticator_works_alone(authenticator_alone: HubProcess) -> None:
    """With another spawner: a person of the users.csv logs in, a wrong password does not."""
    person = Person(authenticator_alone, "ada", "ada-password-1")
    home = person.get("home")
    person.session.close()

    assert 200 == home.status_code
    with pytest.raises(AssertionError, match="Invalid username or password"):
        Person(authenticator_alone, "bob", "wrong")


UNDOING = """
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.template_paths = []
c.JupyterHub.extra_handlers = []
c.JupyterHub.cleanup_servers = True
c.JupyterHub.allow_named_servers = False
"""


def test_undoing_configure_is_said_at_the_start(make_hub: Callable[..., HubProcess], hub: HubProcess) -> None:
    """Each line that undid something is named in the log with what is lost; an untouched hub's log has no such line."""
    other = make_hub()
    with other._wrapper.open("a") as file:
        file.write(UNDOING)
    other.start()
    found = re.findall(r"c\.JupyterHub\.(\w+) was changed after configure\(c\): \w", other.log.read_text())
    other.close()

    assert sorted(re.findall(r"c\.JupyterHub\.(\w+) =", UNDOING)) == sorted(found)
    assert "was changed after configure(c)" not in hub.log.read_text()
