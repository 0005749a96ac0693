"""Private repositories on a real hub: one's own token, nobody else's image, and the secret nowhere."""

from __future__ import annotations

import base64
import json
import os
import secrets
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest
import requests

from tests.gitrepos import Submodule
from tests.gitserver import Behaviour
from tests.hub.people import Person
from tests.hubprocess import docker, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.gitrepos import Files
    from tests.gitserver import GitServer, Repo
    from tests.hubprocess import HubProcess

STUB = "FROM versatilehub/test-server:latest\nCOPY . /srv/repo/\n"
API = "versatilehub/api/credentials"


def token_of(hub: HubProcess, user: str, **body: object) -> str:
    """Return an API token of *user*, with all they may do unless *body* says less."""
    answer = hub.api("POST", f"users/{user}/tokens", json={"note": "test", **body})
    assert answer.ok, answer.text
    return str(answer.json()["token"])


def ask(hub: HubProcess, token: str, method: str, path: str = "", **kwargs: Any) -> requests.Response:
    """Call the API of credentials with somebody's token."""
    headers = {"Authorization": f"token {token}"}
    return requests.request(method, f"{hub.url}/hub/{API}{path}", headers=headers, timeout=60, **kwargs)


def closed(forge: GitServer, name: str, files: Files, secret: str) -> Repo:
    """Make a repository that needs a login."""
    return forge.repo(name, files, behaviour=Behaviour(login=("oauth2", secret)))


def store(hub: HubProcess, user: str, forge: GitServer, secret: str) -> int:
    """Store a token of *user* for the forge; return its id."""
    answer = ask(hub, token_of(hub, user), "POST", json={"host": forge.base, "secret": secret})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


class Watch:
    """Looks, as often as it can, at every command line of the machine and all that Docker says of a hub's objects."""

    def __init__(self, hub: HubProcess) -> None:
        self._hub = hub
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.seen: set[str] = set()
        self.roles: set[str] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        label = f"label=versatilehub.hub={self._hub.hub_id}"
        while not self._over.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    self.seen.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            found = docker("ps", "-aq", "--filter", label, check=False).split()
            if found:
                told = docker("inspect", *found, check=False)
                self.seen.add(told)
                self.roles |= {
                    role for role in ("fetch", "build") if f'"versatilehub.role": "{role}"' in told
                }
            time.sleep(0.02)


def everything_of(hub: HubProcess) -> Iterator[tuple[str, str]]:
    """Yield all that is left of a hub, by where it is: its folder, its images, volumes, containers and their logs."""
    for path in hub.state.rglob("*"):
        if path.is_file() and path.suffix != ".pid":
            yield str(path), path.read_bytes().decode("latin-1")
    label = f"label=versatilehub.hub={hub.hub_id}"
    for image in set(docker("image", "ls", "-q", "--filter", label).split()):
        yield f"image {image}", docker("inspect", image) + docker("history", "--no-trunc", image)
    for volume in docker("volume", "ls", "-q", "--filter", label).split():
        mount = json.loads(docker("volume", "inspect", volume))[0]["Mountpoint"]
        yield f"volume {volume}", docker("volume", "inspect", volume)
        for folder, _, names in os.walk(mount):
            for name in names:
                with suppress(OSError):
                    yield f"{volume}: {name}", (Path(folder) / name).read_bytes().decode("latin-1")
    for container in docker("ps", "-aq", "--filter", label).split():
        yield f"container {container}", docker("inspect", container) + docker("logs", container)


@pytest.mark.req("V28", "T18", "P20")
def test_a_secret_is_nowhere(make_hub: Callable[..., HubProcess], forge: GitServer) -> None:
    """A full run with a token (a failing build, a good one, a submodule, a server, a refusal) leaves the token nowhere."""
    canary = f"canary-{secrets.token_hex(8)}"
    inner = closed(forge, "priv/inner", {"inner.txt": "inner"}, canary)
    modules = '[submodule "lib"]\n\tpath = lib\n\turl = ../inner\n'
    files: Files = {".gitmodules": modules, "lib": Submodule(inner.head)}
    outer = closed(
        forge, "priv/outer", {**files, "Dockerfile": STUB + "RUN env && cat lib/* && exit 3\n"}, canary
    )
    forge.behave("priv/outer", delay=0.1)
    bad = outer.head
    outer.commit({"Dockerfile": STUB})
    hub = make_hub().start()
    user, other = hub.user("holder"), hub.user("other")
    store(hub, user, forge, canary)

    with Watch(hub) as watch:
        assert hub.launch(user, source=forge.url("priv/outer"), ref=bad).status_code in (202, 400, 422)
        failed = hub.events(user)
        wait_for(lambda: not hub.model(user).get("pending"), "the failed start over")
        hub.run(user, source=forge.url("priv/outer"))
        refused = hub.launch(other, source=forge.url("priv/outer"))

    assert "inner" == hub.exec(user, "cat /home/jovyan/outer/lib/inner.txt")
    assert {"fetch", "build"} <= watch.roles
    assert 403 == refused.status_code
    assert "Git access" in refused.text
    said = "".join((json.dumps(failed), refused.text, *watch.seen))
    basic = base64.b64encode(f"oauth2:{canary}".encode()).decode()
    for form in (canary, basic):
        assert form not in said
        assert not [where for where, content in everything_of(hub) if form in content]
    image = json.loads(docker("inspect", hub.container(user)))[0]["Image"]
    labels = json.loads(docker("inspect", image))[0]["Config"]["Labels"]
    assert ("private", [forge.url("priv/inner")]) == (
        labels["versatilehub.visibility"],
        json.loads(labels["versatilehub.reads"]),
    )


@pytest.mark.req("V28", "P20")
def test_an_image_is_for_those_who_may_read_its_repository(
    hub: HubProcess, forge: GitServer, user: str
) -> None:
    """With the image there, each start asks the git host anew, with the person's own token; a token that goes ends it."""
    secret, name = secrets.token_hex(8), f"priv/{secrets.token_hex(4)}"
    closed(forge, name, {"Dockerfile": STUB, "a": name}, secret)
    number = store(hub, user, forge, secret)
    hub.run(user, source=forge.url(name))
    other = hub.user(f"u{secrets.token_hex(4)}")
    for words in ("store a token", "may have expired"):
        answer = hub.launch(other, source=forge.url(name))
        assert (403, True) == (answer.status_code, words in answer.text), answer.text
        store(hub, other, forge, "wrong")
    store(hub, other, forge, secret)
    hub.run(other, source=forge.url(name))

    hub.halt(user)
    assert 204 == ask(hub, token_of(hub, user), "DELETE", f"/{number}").status_code
    assert 403 == hub.launch(user, source=forge.url(name)).status_code
    hub.halt(other)


@pytest.mark.req("V28")
def test_a_private_part_makes_an_image_private(hub: HubProcess, forge: GitServer, user: str) -> None:
    """A public repository with a private submodule: only who may read the submodule runs the image that holds it."""
    secret, name = secrets.token_hex(8), f"part/{secrets.token_hex(4)}"
    inner = closed(forge, f"{name}/inner", {"i": name}, secret)
    modules = '[submodule "lib"]\n\tpath = lib\n\turl = ../inner\n'
    forge.repo(f"{name}/outer", {"Dockerfile": STUB, ".gitmodules": modules, "lib": Submodule(inner.head)})
    store(hub, user, forge, secret)
    hub.run(user, source=forge.url(f"{name}/outer"))
    hub.halt(user)
    other = hub.user(f"u{secrets.token_hex(4)}")
    answer = hub.launch(other, source=forge.url(f"{name}/outer"))
    assert (403, True) == (answer.status_code, "not readable" in answer.text or "private" in answer.text)
    assert not hub.containers(other)


@pytest.mark.req("K50", "T14")
def test_ones_tokens_over_the_api(hub: HubProcess, user: str) -> None:
    """Added, listed, replaced and deleted by their owner; never shown, and not for servers, others or strangers."""
    mine, theirs = token_of(hub, user), token_of(hub, hub.user(f"u{secrets.token_hex(4)}"))
    added = ask(hub, mine, "POST", json={"host": "github.com", "secret": "canary-1"})
    again = ask(
        hub, mine, "POST", json={"host": "https://github.com/a/b", "secret": "canary-2", "username": "ada"}
    )
    listed = ask(hub, mine, "GET")
    assert [("https://github.com", "ada")] == [(one["host"], one["username"]) for one in listed.json()]
    assert "canary" not in added.text + again.text + listed.text
    number = listed.json()[0]["id"]
    assert [] == ask(hub, theirs, "GET").json()
    assert 404 == ask(hub, theirs, "DELETE", f"/{number}").status_code

    servers = token_of(hub, user, scopes=[f"users:activity!user={user}", f"access:servers!user={user}"])
    for method, path, body in (
        ("GET", "", None),
        ("POST", "", {"host": "a.org", "secret": "x"}),
        ("DELETE", f"/{number}", None),
    ):
        assert 403 == ask(hub, servers, method, path, json=body).status_code
        assert 403 == ask(hub, "none", method, path, json=body).status_code
    wrong: tuple[dict[str, object], ...] = (
        {"host": "http://github.com", "secret": "canary-3"},
        {"host": "github.com", "secret": "canary-3\nhost=x"},
        {"host": "github.com"},
        {"host": "github.com", "secret": ["canary-3"]},
        {"token": "canary-3"},
    )
    for bad in wrong:
        answer = ask(hub, mine, "POST", json=bad)
        assert (400, False) == (answer.status_code, "canary" in answer.text), answer.text
        assert {"code", "message", "hint", "field"} == set(answer.json())
    assert 204 == ask(hub, mine, "DELETE", f"/{number}").status_code
    assert [] == ask(hub, mine, "GET").json()


@pytest.mark.req("K50")
def test_ones_tokens_on_a_page(hub: HubProcess) -> None:
    """The page stores, shows and deletes without JavaScript, changes nothing by a GET, and needs the XSRF token."""
    person = Person(hub, "grace", "grace-password-1")
    form = {"host": "gitlab.com", "secret": "canary-page", "username": ""}
    assert (
        403
        == person.session.post(f"{hub.url}/hub/versatilehub/credentials", data=form, timeout=30).status_code
    )
    person.get("versatilehub/credentials?host=gitlab.com&secret=x")
    assert "You have stored none" in person.get("versatilehub/credentials").text

    wrong = person.post("versatilehub/credentials", **{**form, "host": "http://gitlab.com"})
    assert (400, True, False) == (
        wrong.status_code,
        "http://gitlab.com" in wrong.text,
        "canary" in wrong.text,
    )
    done = person.post("versatilehub/credentials", **form)
    assert 303 == done.status_code
    page = person.get("versatilehub/credentials").text
    assert "https://gitlab.com" in page
    assert "canary" not in page
    number = page.partition('name="delete"')[2].partition('value="')[2].partition('"')[0]
    assert 303 == person.post("versatilehub/credentials", delete=number).status_code
    assert "You have stored none" in person.get("versatilehub/credentials").text
    person.session.close()


LOGIN = """
    from versatilehub.authenticator import VersatileAuthenticator
    class Forge(VersatileAuthenticator):
        github_url = {forge!r}
        async def authenticate(self, handler, data):
            found = await super().authenticate(handler, data)
            name = found if isinstance(found, str) else (found or {{}}).get("name")
            return found and {{"name": name, "auth_state": {{"access_token": {secret!r}, "github_user": {{"login": name}}}}}}
    c.JupyterHub.authenticator_class = Forge
    c.Authenticator.enable_auth_state = True
"""


@pytest.mark.req("V28")
def test_the_token_of_an_oauth_login(make_hub: Callable[..., HubProcess], forge: GitServer) -> None:
    """Where the login itself left a token of the forge, nothing has to be stored; another forge's is not used."""
    secret = f"canary-{secrets.token_hex(8)}"
    forge.repo("login/repo", {"Dockerfile": STUB}, behaviour=Behaviour(login=("x-access-token", secret)))
    hub = make_hub(LOGIN.format(forge=forge.base.rstrip("/"), secret=secret)).start()
    person = Person(hub, "ada", "ada-password-1")
    assert forge.base.rstrip("/") in person.get("versatilehub/credentials").text
    hub.run("ada", source=forge.url("login/repo"))
    hub.user("bob")
    assert 403 == hub.launch("bob", source=forge.url("login/repo")).status_code
    assert secret not in hub.log.read_text()
    person.session.close()
