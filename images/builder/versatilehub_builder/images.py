"""Which images a Dockerfile may build from: earlier stages, the site's base, and what a public registry serves.

A shared engine resolves local names first, so the name of another person's built image must never get through.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from versatilehub_builder.hosts import PORTS, public_host

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")
_LOCAL = ("vh-build", "vh-try", "versatilehub", "local", "localhost", "sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRef:
    """A name, normalised: *host* "" is Docker Hub, *path* without "library/"."""

    host: str
    path: str
    tag: str
    digest: str


def parse_image(name: str) -> ImageRef | None:
    """Return the parts of an image name, None when it is none."""
    rest, _, digest = name.partition("@")
    if "@" in name and not _DIGEST.fullmatch(digest):
        return None
    host = ""
    first, slash, after = rest.partition("/")
    if slash and (re.search(r"[.:]", first) or first == "localhost" or first != first.lower()):
        host, rest = first.lower(), after
    path, _, tag = rest.partition(":")
    if not _PATH.fullmatch(path) or (":" in rest and not _TAG.fullmatch(tag)):
        return None
    host = "" if host in _HUB else host
    path = path if host else path.removeprefix("library/")
    return ImageRef(host=host, path=path, tag=tag, digest=digest)


def image_allowed(name: str, allowed: tuple[str, ...], local: tuple[str, ...] = ()) -> bool:
    """Whether a Dockerfile may name this image; *allowed* are local names, with a tag or for every tag.

    *local* are the names of images that no registry is known to serve: the engine would take its own for them. One without
    a tag stands for every tag.
    """
    ref = parse_image(name)
    if ref is None:
        return False
    if _is_own(ref, allowed):
        return not ref.digest
    place, tag = (ref.host, ref.path), ref.tag or "latest"
    if not ref.digest and any(
        each and place == (each.host, each.path) and each.tag in {"", tag} for each in map(parse_image, local)
    ):
        return False
    if ref.host:
        host, _, port = ref.host.partition(":")
        return public_host(host) and (not port or (port.isdecimal() and int(port) in PORTS))
    if re.fullmatch(r"[0-9a-f]{12,64}", ref.path):
        return False  # an image id, which the engine resolves before any name
    return ref.path.partition("/")[0] not in _LOCAL


def _is_own(ref: ImageRef, allowed: tuple[str, ...]) -> bool:
    """Whether *ref* is among the *allowed* local names."""
    own = [parse_image(each) for each in allowed]
    return not ref.host and any(
        each and each.path == ref.path and not each.host and each.tag in {"", ref.tag} for each in own
    )
