"""BinderHub's frames: its phases, its fields, its sentences."""

from __future__ import annotations

import pytest

from versatilehub import binder_frames as frames
from versatilehub.binder_frames import Request
from versatilehub.builds.events import BuildEvent, BuildState
from versatilehub.errors import RefNotFound
from versatilehub.source_types import ResolvedSource

COMMIT = "1479e0252b2e648bb755ee913292b79495931717"


@pytest.mark.parametrize(
    ("state", "phase", "expected"),
    [
        (BuildState.QUEUED, "queue", "waiting"),
        (BuildState.FETCHING, "fetch", "fetching"),
        (BuildState.RENDERING, "build", "building"),
        (BuildState.BUILDING, "build", "building"),
        (BuildState.PUSHED, "push", "building"),
        (BuildState.READY, "start", "launching"),
    ],
)
def test_phases(state: BuildState, phase: str, expected: str) -> None:
    """Each of our phases is one of theirs, and the message ends its line."""
    event = BuildEvent(at=1.0, state=state, kind="log", phase=phase, message="Step 1/5")

    assert frames.of_event(event) == {"phase": expected, "message": "Step 1/5\n"}


def test_an_end_has_a_frame_of_its_own() -> None:
    """The event that ends a build is not passed on: `built` or `failed` follows."""
    event = BuildEvent(at=1.0, state=BuildState.READY, kind="done", phase="build", message="ok", outcome="ok")

    assert frames.of_event(event) is None


@pytest.mark.parametrize(
    ("found", "built", "only"),
    [
        (True, "Found built image, launching...\n", "Done! Found built image\n"),
        (False, "Built image, launching...\n", "Done! Image built\n"),
    ],
)
def test_images(found: bool, built: str, only: str) -> None:
    """An image that was there is told from one that was made, in BinderHub's words."""
    assert frames.built("i:1", found=found) == {"phase": "built", "message": built, "imageName": "i:1"}
    assert frames.only_built("i:1", found=found) == {"phase": "ready", "message": only, "imageName": "i:1"}


@pytest.mark.parametrize(
    ("request_", "url", "provider", "persistent", "ref_url"),
    [
        (
            Request(provider="gh", spec="binder-examples/octave/feature/x"),
            "https://github.com/binder-examples/octave",
            "github",
            f"v2/gh/binder-examples/octave/{COMMIT}",
            f"https://github.com/binder-examples/octave/tree/{COMMIT}",
        ),
        (
            Request(provider="git", spec="https%3A%2F%2Fforge.example.org%2Fa%2Fb.git/main"),
            "https://forge.example.org/a/b.git",
            "git",
            f"v2/git/https%3A%2F%2Fforge.example.org%2Fa%2Fb.git/{COMMIT}",
            "https://forge.example.org/a/b.git",
        ),
        (
            Request(provider="zenodo", spec="10.5281/zenodo.3242074"),
            "https://doi.org/10.5281/zenodo.3242074",
            "zenodo",
            "v2/zenodo/10.5281/zenodo.3242074",
            "https://doi.org/10.5281/zenodo.3242074",
        ),
    ],
)
def test_ready(request_: Request, url: str, provider: str, persistent: str, ref_url: str) -> None:
    """The last frame has every field clients read, and a request that means the very commit."""
    resolved = ResolvedSource(provider=provider, url=url, commit=COMMIT)

    frame = frames.ready(
        request_, resolved, url="https://hub/user/ada/x/", token="t", image="i:1", host="https://hub/"
    )

    assert frame == {
        "phase": "ready",
        "message": "server running at https://hub/user/ada/x/\n",
        "url": "https://hub/user/ada/x/",
        "token": "t",
        "image": "i:1",
        "repo_url": url,
        "binder_ref_url": ref_url,
        "binder_launch_host": "https://hub/",
        "binder_request": f"v2/{request_.provider}/{request_.spec}",
        "binder_persistent_request": persistent,
    }


def test_failures() -> None:
    """People search for BinderHub's sentences, so they come first; the status is HTTP's."""
    request = Request(provider="gh", spec="a/b/mian")
    frame = frames.unresolved(request, RefNotFound("There is no branch mian.", hint="There is main."))

    assert frame == {
        "phase": "failed",
        "message": "Could not resolve ref for gh:a/b/mian. Double check your URL and that your repo is public. "
        "There is no branch mian. There is main.\n",
        "status_code": 404,
    }
    assert frames.unknown_provider(Request(provider="xx", spec="a")) == {
        "phase": "failed",
        "message": "No provider found for prefix xx\n",
        "status_code": 404,
    }
