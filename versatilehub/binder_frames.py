"""BinderHub's build events, for clients written for it: our events in, its frames out. Pure.

Phases, fields and sentences are those of BinderHub 1.0's ``/build`` endpoint, which its clients and their users know: a frame is one JSON
object, `phase` one of waiting, fetching, building, built, launching, ready, failed; messages end with a line end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from versatilehub.source_links import BINDER_PROVIDERS

if TYPE_CHECKING:
    from versatilehub.builds.events import BuildEvent
    from versatilehub.errors import VersatileHubError
    from versatilehub.source_types import ResolvedSource

Frame = dict[str, Any]

#: Our phases of a launch → BinderHub's. A push is part of its "building": its own "pushing" carries layers we do not know.
_PHASES: Final = {
    "resolve": "waiting",
    "queue": "waiting",
    "fetch": "fetching",
    "build": "building",
    "push": "building",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client asked for: *provider* (``gh``), *spec* as it stood in the URL, still encoded."""

    provider: str
    spec: str

    @property
    def link(self) -> str:
        """The launch link that means the same, readable by `parse_source`."""
        return f"https://mybinder.org/v2/{self.provider}/{self.spec}"

    @property
    def known(self) -> bool:
        """Whether there is such a provider."""
        return self.provider in BINDER_PROVIDERS


def waiting(message: str) -> Frame:
    """Return the frame of a request that has not begun yet."""
    return _frame("waiting", message)


def of_event(event: BuildEvent) -> Frame | None:
    """Return the frame of one event of a build or a launch; None for its end, which has a frame of its own, and for empty ones."""
    if event.kind == "done" or not event.message:
        return None
    return _frame(_PHASES.get(event.phase, "launching"), event.message)


def built(image: str, *, found: bool) -> Frame:
    """Return the frame of an image that is there, *found* or built, and about to be launched."""
    said = "Found built image, launching..." if found else "Built image, launching..."
    return {**_frame("built", said), "imageName": image}


def only_built(image: str, *, found: bool) -> Frame:
    """Return the last frame of a request with ``build_only``."""
    said = "Done! Found built image" if found else "Done! Image built"
    return {**_frame("ready", said), "imageName": image}


def launching(message: str) -> Frame:
    """Return a frame of the start of the server."""
    return _frame("launching", message)


def ready(
    request: Request, resolved: ResolvedSource, *, url: str, token: str, image: str, host: str
) -> Frame:
    """Return the last frame: the server answers at *url*; *token* opens it, *host* is this hub's address."""
    return {
        **_frame("ready", f"server running at {url}"),
        "url": url,
        "token": token,
        "image": image,
        "repo_url": resolved.url,
        "binder_ref_url": ref_url(resolved),
        "binder_launch_host": host,
        "binder_request": f"v2/{request.provider}/{request.spec}",
        "binder_persistent_request": f"v2/{request.provider}/{resolved_spec(request, resolved)}",
    }


def failed(message: str, status: int) -> Frame:
    """Return the frame that ends a request that cannot be met; *status* is what HTTP would have said."""
    return {**_frame("failed", message), "status_code": status}


def refusal(error: VersatileHubError) -> Frame:
    """Return the frame of one of our errors, with what to do about it."""
    return failed(" ".join(filter(None, (error.message, error.hint))), error.status)


def unresolved(request: Request, error: VersatileHubError) -> Frame:
    """Return the frame of a ref that was not found: BinderHub's sentence, which people search for, then ours."""
    said = f"Could not resolve ref for {request.provider}:{request.spec}. Double check your URL and that your repo is public."
    return failed(f"{said} {error.message} {error.hint}".strip(), error.status)


def unknown_provider(request: Request) -> Frame:
    """Return the frame of a provider nobody knows."""
    return failed(f"No provider found for prefix {request.provider}", 404)


def resolved_spec(request: Request, resolved: ResolvedSource) -> str:
    """Return the spec that names the very commit: what `binder_persistent_request` holds."""
    parts = request.spec.split("/")
    if request.provider in {"gh", "gist"}:
        return "/".join([*parts[:2], resolved.commit])
    if request.provider in {"git", "gl"}:
        return f"{parts[0]}/{resolved.commit}"
    return request.spec


def ref_url(resolved: ResolvedSource) -> str:
    """Return where a person can look at the very commit."""
    url = resolved.url.removesuffix(".git")
    if resolved.provider == "github":
        return f"{url}/tree/{resolved.commit}"
    if resolved.provider == "gitlab":
        return f"{url}/tree/{quote(resolved.commit)}"
    if resolved.provider == "gist":
        return f"{url}/{resolved.commit}"
    return resolved.url


def _frame(phase: str, message: str) -> Frame:
    return {"phase": phase, "message": message.rstrip("\r\n") + "\n"}
