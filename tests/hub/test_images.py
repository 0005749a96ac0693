"""Images at a real hub: pulled when they are named, on record for whoever launched them, and safe from removal while needed."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.hub.people import Person
from tests.hubprocess import HubProcess, docker, wait_for
from tests.registryserver import PASSWORD, USER, RegistryServer
from versatilehub.engine import Engine, Login

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.gitserver import GitServer

BASE = "versatilehub/test-server:latest"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """A registry with a password."""
    made = RegistryServer(tmp_path_factory.mktemp("registry")).start()
    yield made
    made.stop()


#: An image of this project's own, which no registry has, and this machine neither.
GONE = "versatilehub/gone:1"


@pytest.fixture(scope="module")
def hub(
    make_hub: Callable[..., HubProcess],
    registry: RegistryServer,
    forge: GitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> HubProcess:
    """A hub beside it."""
    logins = tmp_path_factory.mktemp("logins") / "logins.json"
    logins.write_text(json.dumps({"auths": {registry.address: {"username": USER, "password": PASSWORD}}}))
    logins.chmod(0o600)
    return make_hub(f"""
    c.VersatileHub.policy_overrides = {{"images": ["{BASE}", "{GONE}", "{registry.address}/*"]}}
    c.VersatileHub.registry_logins = "{logins}"
    c.VersatileHub.warm = [{{"source": "{forge.base}warmcourse"}}]
    c.VersatileHub.registry_prefix = "{registry.address}/site"
    """).start()


def push(repository: str, tag: str) -> str:
    """Push an image nobody has yet, forget it here, and return its digest."""
    subprocess.run(
        ["docker", "build", "-q", "-t", f"{repository}:{tag}", "-"],
        input=f"FROM {BASE}\nLABEL unique={repository}\n".encode(),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return asyncio.run(_push(repository, tag))


async def _push(repository: str, tag: str) -> str:
    engine = Engine()
    try:
        login = Login(username=USER, password=PASSWORD)
        return await engine.registries.push(repository, tag, login, lambda _: None, seconds=60, idle=30)
    finally:
        await engine.images.remove(f"{repository}:{tag}")
        await engine.close()


def ask(hub: HubProcess, token: str, method: str, path: str, **body: Any) -> requests.Response:
    """Call our API as whoever has *token*."""
    return requests.request(
        method,
        f"{hub.url}/hub/versatilehub/api/{path}",
        headers={"Authorization": f"token {token}"},
        json=body or None,
        timeout=60,
    )


def token_of(hub: HubProcess, name: str) -> str:
    """Return a token of a person."""
    return str(hub.api("POST", f"users/{name}/tokens", json={}).json()["token"])


@pytest.mark.req("S6", "K12")
def test_an_image_that_is_not_here_is_pulled(hub: HubProcess, registry: RegistryServer) -> None:
    """An image named by its digest is pulled from its registry with what was set for it, the person sees how far it is."""
    repository = f"{registry.address}/labs/{secrets.token_hex(4)}"
    digest = push(repository, "1")
    name = hub.user(f"p{secrets.token_hex(3)}")
    hub.launch_soon(name, image=f"{repository}:1@{digest}")
    events = hub.events(name)
    hub.wait_ready(name)

    pulled = [event["vh"] for event in events if event.get("vh", {}).get("phase") == "fetch"]
    assert any(row["kind"] == "step" and row["step"] == row["steps"] for row in pulled)
    assert "ok" == pulled[-1]["outcome"]
    hub.halt(name)
    docker("rmi", f"{repository}@{digest}", check=False)
    assert PASSWORD not in hub.log.read_text()


@pytest.mark.req("K12")
def test_an_image_that_is_gone_is_not_offered(hub: HubProcess) -> None:
    """The form proposes what can be had; whoever asks for the other all the same is told its name."""
    person = Person(hub, "ada", "ada-password-1")
    page = person.get("spawn").text
    person.session.close()
    answer = hub.launch("ada", image=GONE)

    assert f'<option value="{BASE}">' in page
    assert GONE not in page
    assert 400 <= answer.status_code < 500
    assert GONE in answer.json()["message"]


@pytest.mark.req("S6", "K12")
def test_an_image_that_is_nowhere(hub: HubProcess, registry: RegistryServer) -> None:
    """An image that is neither here nor in its registry fails with its name and what to do; nothing is left."""
    name = hub.user(f"p{secrets.token_hex(3)}")
    image = f"{registry.address}/labs/none:1"
    answer = hub.launch(name, image=image)

    assert answer.status_code < 500
    assert f"The registry has no {image}" in answer.json()["message"]
    assert [] == hub.containers(name)


@pytest.mark.req("S3", "S4")
def test_who_sees_and_removes_an_image(hub: HubProcess, forge: GitServer) -> None:
    """Whoever launched an image sees it, nobody else but administrators; while a server needs it, its removal names that server."""
    ada, bob = (hub.user(f"{one}{secrets.token_hex(3)}") for one in ("ada", "bob"))
    repository = f"r{secrets.token_hex(4)}"
    forge.repo(repository, {"Dockerfile": f"FROM {BASE}\nCOPY . /srv/repo/\n", "a.txt": repository})
    hub.run(ada, source=f"{forge.base}{repository}")
    mine, theirs = token_of(hub, ada), token_of(hub, bob)
    (image,) = ask(hub, mine, "GET", "images").json()

    assert (ada, 40, 0) == (image["owner"], len(image["commit"]), image["launches"])
    assert [f"{ada}'s default server (running)"] == [use["text"] for use in image["uses"]]
    assert [] == ask(hub, theirs, "GET", "images").json()
    assert 404 == ask(hub, theirs, "GET", f"images/{image['id']}").status_code
    assert [403, 403, 403] == [
        ask(hub, mine, method, path).status_code
        for method, path in (
            ("DELETE", f"images/{image['id']}"),
            ("POST", f"images/{image['id']}/pin"),
            ("POST", "images/prune"),
        )
    ]
    assert 403 == requests.get(f"{hub.url}/hub/versatilehub/api/images", timeout=10).status_code

    refused = ask(hub, hub.token, "DELETE", f"images/{image['name']}")
    assert (409, "image_in_use") == (refused.status_code, refused.json()["code"])
    assert f"{ada}'s default server" in refused.json()["message"]
    hub.halt(ada)
    stopped = ask(hub, hub.token, "DELETE", f"images/{image['name']}")
    assert f"{ada}'s default server (not running)" in stopped.json()["message"]
    hub.api("DELETE", f"users/{ada}")
    assert 200 == ask(hub, hub.token, "POST", f"images/{image['id']}/pin", reason="exam").status_code
    assert 409 == ask(hub, hub.token, "DELETE", f"images/{image['id']}").status_code
    assert 200 == ask(hub, hub.token, "DELETE", f"images/{image['id']}/pin").status_code
    assert 200 == ask(hub, hub.token, "DELETE", f"images/{image['id']}").status_code
    assert 404 == ask(hub, hub.token, "GET", f"images/{image['id']}").status_code


@pytest.mark.req("K9")
def test_a_newer_build_shows_on_who_runs_the_old_one(hub: HubProcess, forge: GitServer) -> None:
    """A server keeps its image when a newer commit is built, its owner sees that it is outdated, and a restart clears that."""
    ada, bob = (hub.user(f"{one}{secrets.token_hex(3)}") for one in ("ada", "bob"))
    name = f"r{secrets.token_hex(4)}"
    repo = forge.repo(name, {"Dockerfile": f"FROM {BASE}\nCOPY . /srv/repo/\n", "a.txt": name})
    token = token_of(hub, ada)

    def running() -> list[bool]:
        """Whether the image that ada's server runs is outdated."""
        images = ask(hub, token, "GET", "images").json()
        return [one["outdated"] for one in images if any(use["what"] == "running" for use in one["uses"])]

    hub.run(ada, source=f"{forge.base}{name}")
    assert running() == [False]
    repo.commit({"Dockerfile": f"FROM {BASE}\nCOPY . /srv/repo/\n", "a.txt": "newer"})
    hub.run(bob, source=f"{forge.base}{name}")
    assert running() == [True]
    hub.halt(ada)
    hub.run(ada, source=f"{forge.base}{name}")
    assert running() == [False]
    hub.halt(ada)
    hub.halt(bob)


@pytest.mark.parametrize(
    "body",
    [{"older_than": "soon"}, {"keep": -1}, {"keep": True}, {"max_disk": "all"}, {"yes": "1"}, {"all": True}],
    ids=str,
)
def test_a_prune_that_cannot_be_read(hub: HubProcess, body: dict[str, Any]) -> None:
    """What is no rule is refused by field, and nothing is removed."""
    answer = ask(hub, hub.token, "POST", "images/prune", **body)

    assert 400 == answer.status_code
    assert answer.json()["field"]


@pytest.mark.req("S5")
def test_the_hub_runs_the_janitor(hub: HubProcess) -> None:
    """`configure` has the hub run it, with scopes to read with and no others."""
    service = hub.api("GET", "services/versatilehub-janitor").json()

    assert service["pid"] > 0
    assert ["versatilehub-janitor"] == service["roles"]


def _sign(hub: HubProcess, body: bytes) -> dict[str, str]:
    secret = (hub.state / "webhook_secret").read_text().strip()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", "X-Gitea-Event": "push", "X-Gitea-Signature": signature}


@pytest.mark.req("V26")
def test_a_push_makes_the_image_ahead(hub: HubProcess, forge: GitServer) -> None:
    """A signed message of the forge has the image made before anybody asks; unsigned, repeated or about others it does nothing."""
    url = f"{forge.base}warmcourse"
    forge.repo(
        "warmcourse", {"Dockerfile": f"FROM {BASE}\nCOPY . /srv/repo/\n", "a.txt": secrets.token_hex(4)}
    )
    where = f"{hub.url}/hub/versatilehub/api/webhooks/gitea"

    def send(address: str, *, signed: bool = True) -> requests.Response:
        repository = {"clone_url": address, "default_branch": "main"}
        body = json.dumps({"ref": "refs/heads/main", "repository": repository}).encode()
        headers = _sign(hub, body) if signed else {"Content-Type": "application/json"}
        return requests.post(where, data=body, headers=headers, timeout=30)

    assert (403, "webhook_refused") == (
        send(url, signed=False).status_code,
        send(url, signed=False).json()["code"],
    )
    assert 0o600 == (hub.state / "webhook_secret").stat().st_mode & 0o777
    assert "not_on_warm_list" == send(f"{forge.base}elsewhere").json()["code"]
    assert (202, "queued") == ((first := send(url)).status_code, first.json()["status"])

    def made() -> list[str]:
        images = ask(hub, hub.token, "GET", "images").json()
        return [one["owner"] for one in images if one["source"] == url]

    assert [""] == wait_for(made, "the image made ahead", seconds=90)
    assert (200, "seen") == ((again := send(url)).status_code, again.json()["status"])
    done = subprocess.run(
        [sys.executable, "-m", "versatilehub.cli", "--state", str(hub.state), "images", "warm"],
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert (0, True) == (done.returncode, done.stdout.startswith("cached  ")), done.stdout + done.stderr
