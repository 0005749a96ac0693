"""BinderHub's build API, driven by BinderHub's own client from npm on a real hub."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import requests

from tests.hub.people import Person

if TYPE_CHECKING:
    from tests.gitserver import GitServer
    from tests.hubprocess import HubProcess

ROOT = Path(__file__).resolve().parents[2]
STUB = {"Dockerfile": "FROM versatilehub/test-server\n"}


def token_of(hub: HubProcess, name: str, *scopes: str) -> str:
    """A token of *name*, with these scopes if given."""
    body: dict[str, Any] = {"note": "binder", **({"scopes": list(scopes)} if scopes else {})}
    return str(hub.api("POST", f"users/{name}/tokens", json=body).json()["token"])


def client(hub: HubProcess, spec: str, token: str, *more: str) -> list[dict[str, Any]]:
    """Every frame that BinderHub's client yields for *spec*."""
    script, packages = Path(__file__).with_name("binder_client.mjs"), node_modules()
    done = subprocess.run(
        ["node", str(script), str(packages), f"{hub.url}/hub/build", spec, token, *more],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def node_modules() -> Path:
    """Where set-up has put the client."""
    state = Path(os.environ.get("VERSATILEHUB_STATE") or ROOT / ".state")
    return (state / "node").absolute()


def spec_of(url: str, ref: str = "HEAD") -> str:
    """A spec of Binder's git provider."""
    return f"git/{quote(url, safe='')}/{ref}"


@pytest.mark.req("V17", "P22")
def test_a_binder_client_builds_and_launches(hub: HubProcess, forge: GitServer, user: str) -> None:
    """BinderHub's client sees its own phases in order, and a server at the end that its token opens; asked again, the same."""
    made = forge.repo("binder-launch", STUB)
    repo = forge.url("binder-launch")
    token = token_of(hub, user)

    seen = client(hub, spec_of(repo), token)

    phases = [frame["phase"] for frame in seen]
    order = list(dict.fromkeys(phases))
    assert "failed" not in order, seen
    assert [
        one for one in ("waiting", "fetching", "building", "built", "launching", "ready") if one in order
    ] == order
    assert {"fetching", "building", "built", "launching", "ready"} <= set(order)
    built = next(frame for frame in seen if frame["phase"] == "built")
    last = seen[-1]
    assert built["imageName"] == last["image"]
    assert last["message"] == f"server running at {last['url']}\n"
    assert last["binder_request"] == f"v2/{spec_of(repo)}"
    assert last["binder_persistent_request"].endswith(made.head)
    assert last["repo_url"] == repo
    assert all(frame["message"].endswith("\n") for frame in seen)
    opened = requests.get(
        f"{last['url']}api/status", headers={"Authorization": f"token {last['token']}"}, timeout=30
    )
    assert opened.status_code == 200, opened.text

    again = client(hub, spec_of(repo), token)

    assert again[-1]["url"] == last["url"]
    assert "Found built image, launching...\n" in [frame["message"] for frame in again]


def test_build_only(hub: HubProcess, forge: GitServer, user: str) -> None:
    """``build_only`` ends with the image and starts nothing."""
    forge.repo("binder-only", STUB)
    repo = forge.url("binder-only")

    seen = client(hub, spec_of(repo), token_of(hub, user), "build-only")

    assert seen[-1]["phase"] == "ready"
    assert seen[-1]["message"] == "Done! Image built\n"
    assert seen[-1]["imageName"].startswith("vh-build/")
    assert not hub.api("GET", f"users/{user}").json()["servers"]


def test_failures_are_frames(hub: HubProcess, forge: GitServer, user: str) -> None:
    """What cannot be met ends the stream with BinderHub's sentence and ours, never with a broken connection."""
    token = token_of(hub, user)
    forge.repo("binder-wrong", STUB)
    repo = forge.url("binder-wrong")
    forge.repo("binder-broken", {"Dockerfile": "FROM versatilehub/test-server\nRUN exit 7\n"})
    broken = forge.url("binder-broken")
    cases = {
        spec_of(repo, "mian"): "Could not resolve ref for git:",
        "xx/some/spec/HEAD": "No provider found for prefix xx",
        "gh/only-owner": "A Binder link to GitHub names",
        spec_of("http://10.0.0.1/a/b"): "",
        spec_of(broken): "",
    }

    for spec, words in cases.items():
        seen = client(hub, spec, token)
        assert seen[-1]["phase"] == "failed", seen
        assert words in seen[-1]["message"], seen[-1]
        assert "Traceback" not in json.dumps(seen)
    assert not hub.api("GET", f"users/{user}").json()["servers"]


@pytest.mark.req("V31")
def test_only_a_persons_token_acts(hub: HubProcess, forge: GitServer, user: str) -> None:
    """A login's cookie, a weaker token, a service's or none builds and starts nothing: this is a GET."""
    forge.repo("binder-cookie", STUB)
    repo = forge.url("binder-cookie")
    path = f"build/{spec_of(repo)}"
    person = Person(hub, "ada", "ada-password-1")
    weak = token_of(hub, user, "read:users:name!user")

    def frames(**headers: str) -> list[dict[str, Any]]:
        with requests.get(
            f"{hub.url}/hub/{path}", headers={"Accept": "text/event-stream", **headers}, stream=True, timeout=30,
            cookies=person.session.cookies if not headers else None,
        ) as answer:  # fmt: skip
            assert answer.headers["Content-Type"] == "text/event-stream", answer.text
            for line in answer.iter_lines():
                if line.startswith(b"data: "):
                    return [json.loads(line[6:])]
        return []

    for headers in ({}, {"Authorization": f"token {weak}"}, {"Authorization": f"token {hub.token}"}):
        assert frames(**headers)[-1]["phase"] == "failed"
    person.session.close()
    asked = requests.get(
        f"{hub.url}/hub/versatilehub/api/builds",
        params={"source": repo},
        headers={"Authorization": f"token {hub.token}"},
        timeout=30,
    )
    assert asked.json()["total"] == 0
