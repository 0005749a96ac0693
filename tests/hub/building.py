"""A person who builds over HTTP with a token of their own, for tests of the builds' API."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests

from tests.hubprocess import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.gitserver import GitServer
    from tests.hubprocess import HubProcess

FINAL = ("ready", "failed", "cancelled", "interrupted")
GOOD = "FROM versatilehub/test-server\nCOPY . /srv/repo/\n"


@dataclass(kw_only=True)
class Builder:
    """*name* of *hub*, "" for the operator."""

    hub: HubProcess
    name: str = ""
    token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.name:
            self.hub.user(self.name)
            self.token = self.hub.api("POST", f"users/{self.name}/tokens").json()["token"]
        else:
            self.token = self.hub.token

    def ask(self, method: str, path: str = "", **kwargs: Any) -> requests.Response:
        """Call the API of builds; *path* is below ``builds``."""
        url = f"{self.hub.url}/hub/versatilehub/api/builds{path}"
        headers = {"Authorization": f"token {self.token}", **kwargs.pop("headers", {})}
        return requests.request(method, url, headers=headers, timeout=60, **kwargs)

    def begin(self, source: str, **more: Any) -> str:
        """Begin a build and return its id."""
        answer = self.ask("POST", json={"source": source, **more})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def show(self, build: str) -> dict[str, Any]:
        """Return one build."""
        answer = self.ask("GET", f"/{build}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def wait(self, build: str, *states: str, seconds: float = 90) -> dict[str, Any]:
        """Return a build once it is in one of *states*, or has ended in another."""

        def look() -> dict[str, Any]:
            found = self.show(build)
            return found if found["state"] in {*states, *FINAL} else {}

        return wait_for(look, f"build {build} {states or 'ended'}", seconds=seconds)

    def events(self, build: str, last: str = "") -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield number and content of the events after *last*."""
        headers = {"Last-Event-ID": last} if last else {}
        number = -1
        with self.ask("GET", f"/{build}/events", headers=headers, stream=True) as answer:
            for line in answer.iter_lines():
                if line.startswith(b"id: "):
                    number = int(line[4:])
                elif line.startswith(b"data: "):
                    yield number, json.loads(line[6:])


def repository(forge: GitServer, dockerfile: str = GOOD, **files: str) -> str:
    """Make a repository nobody has built and return its URL."""
    name = f"b{secrets.token_hex(5)}"
    forge.repo(name, {"Dockerfile": dockerfile, "unique": name, **files})
    return forge.url(name)
