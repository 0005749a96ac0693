"""What Docker says of images, their layers counted one by one, and which image is built on which. Pure.

Layers are named by the chain up to them: two images share one only if they also share everything below it. So what the disk gains
when images go can be counted exactly, before any goes.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: Dockerfile instructions that change an image's configuration and add no files.
_NO_FILES: Final = re.compile(
    r"(?:/bin/sh -c #\(nop\)\s+)?"
    r"(?:ARG|CMD|ENTRYPOINT|ENV|EXPOSE|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|SHELL|STOPSIGNAL|USER|VOLUME)\b.*"
)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d.*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One file system of an image, by its chain; *size* in bytes."""

    chain: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What Docker says of one image: *layers* its own digests, *steps* its history, the oldest first."""

    id: str
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    size: int = 0
    layers: tuple[str, ...] = ()
    steps: tuple[tuple[str, int], ...] = ()
    """Command and bytes of each step of its history."""
    parent: str = ""
    created: float = 0.0


def chains(layers: Sequence[str]) -> tuple[str, ...]:
    """Return one name for each layer that says all that is below it, too."""
    found: list[str] = []
    above = ""
    for layer in layers:
        above = hashlib.sha256(f"{above} {layer}".encode()).hexdigest()
        found.append(above)
    return tuple(found)


def sized(facts: Facts) -> tuple[Layer, ...]:
    """Return the layers of an image with their sizes, as far as its history tells them apart."""
    names = chains(facts.layers)
    sizes = [size for command, size in facts.steps if size or not _NO_FILES.fullmatch(command)]
    if len(sizes) != len(
        names
    ):  # squashed, imported or written by another tool: only those with bytes, from the first
        sizes = [size for size in sizes if size][: len(names)]
    sizes += [0] * (len(names) - len(sizes))
    if names:
        sizes[-1] += facts.size - sum(sizes)
    return tuple(Layer(chain=name, size=size) for name, size in zip(names, sizes, strict=True))


def built_on(facts: Iterable[Facts]) -> dict[str, tuple[str, ...]]:
    """Return, for each image another one is built on, the names of those.

    Docker records a parent only for commits. Else a child begins with all layers and all steps of its parent; where several
    images do (labels alone make an image of its own), none of them is known to be the parent and Docker's removal harms nobody.
    """
    images = list(facts)
    names = {one.id: min(one.tags, key=plainness, default=one.id) for one in images}
    found: dict[str, list[str]] = {}
    tips: dict[tuple[str, ...], list[Facts]] = {}
    for one in images:
        tips.setdefault(one.layers, []).append(one)
        if one.parent in names:
            found.setdefault(one.parent, []).append(names[one.id])
    for child in images:
        for cut in range(len(child.layers) - 1, 0, -1):
            fits = [p for p in tips.get(child.layers[:cut], ()) if child.steps[: len(p.steps)] == p.steps]
            if len(fits) == 1 and not child.parent:
                found.setdefault(fits[0].id, []).append(names[child.id])
            if fits:
                break
    return {parent: tuple(sorted(set(children))) for parent, children in found.items()}


def plainness(tag: str) -> tuple[bool, bool, str]:
    """Order names: the one of the commit, then those of days, ``latest`` last."""
    version = tag.rpartition(":")[2]
    return version == "latest", bool(_DATE.fullmatch(version)), tag
