"""The images of one hub as they are now, read from Docker and the database; and their removal, one by one and sure.

Docker's word on what is in use is asked again right before each removal, and nothing is ever forced.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from versatilehub.errors import EngineConflict, EngineNotFound, ImageInUse, VersatileHubError
from versatilehub.images import plan as planning
from versatilehub.images.book import ImageBook
from versatilehub.images.layers import Facts, chains
from versatilehub.images.records import ImageRecord, Use, is_ours, pick, records

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from versatilehub.engine import Container, Engine
    from versatilehub.images.plan import Plan, Removal, Rules
    from versatilehub.storage.content import Contents

_log: Final = logging.getLogger(__name__)
_AT_ONCE: Final = 16
"""Questions Docker is asked side by side."""
_SIDE_BY_SIDE: Final = 8
"""Images removed side by side: Docker takes its own locks, more gains nothing."""
_LABEL: Final = "versatilehub."

__all__ = ["Inventory", "Outcome", "Shelf"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What there is at one moment: this hub's images, and the layers of the other images of the engine."""

    images: tuple[ImageRecord, ...]
    others: tuple[tuple[str, ...], ...] = ()

    def plan(self, rules: Rules, now: float | None = None) -> Plan:
        """Return what *rules* remove."""
        return planning.plan(self.images, rules, time.time() if now is None else now, others=self.others)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a plan: what went, and what stayed after all with the reason. *freed* is bytes."""

    removed: tuple[ImageRecord, ...] = ()
    refused: tuple[tuple[ImageRecord, str], ...] = ()
    freed: int = 0

    def to_json(self) -> dict[str, object]:
        """Return it for a page or a script."""
        return {
            "freed": self.freed,
            "removed": [{"id": one.id, "name": one.name} for one in self.removed],
            "refused": [{"id": one.id, "name": one.name, "reason": reason} for one, reason in self.refused],
        }


class Shelf:
    """The images of one hub. *book* is what the database knows of them, *probes* the folder of looks into images."""

    def __init__(
        self, engine: Engine, *, contents: Contents, probes: Path, book: ImageBook | None = None
    ) -> None:
        self._engine = engine
        self._contents = contents
        self._probes = probes
        self._book = book or ImageBook()
        self._seen: dict[str, Facts] = {}

    async def inventory(self) -> Inventory:
        """Return what there is now."""
        images, containers, known, needs = await asyncio.gather(
            self._facts(),
            self._engine.containers.list({}),
            self._book.known(),
            self._book.needs(),
        )
        uses: defaultdict[str, list[Use]] = defaultdict(list)
        for container in containers:
            uses[container.image].append(_use_of(container))
        building = {one.labels.get(f"{_LABEL}digest") for one in containers if _is_build(one)} - {None}
        for one in images:
            if one.labels.get(f"{_LABEL}digest") in building:
                uses[one.id].append(Use(what="build"))
        for image, found in needs.items():
            uses[image].extend(use for use in found if not _said(use, uses[image]))
        hub = self._engine.hub
        return Inventory(
            images=tuple(records(images, hub, known, uses)),
            others=tuple(chains(one.layers) for one in images if not is_ours(one, hub, known.get(one.id))),
        )

    async def find(self, text: str) -> ImageRecord:
        """Return the image that *text* names; `ImageNotFound`."""
        return pick((await self.inventory()).images, text)

    async def prune(self, rules: Rules) -> Outcome:
        """Remove what *rules* say, going on where one image cannot be removed."""
        plan = (await self.inventory()).plan(rules)
        return await self.carry_out(plan)

    async def carry_out(self, plan: Plan) -> Outcome:
        """Remove what a plan says: what came into use since stays, with the reason.

        Images go side by side, some at a time; what is built on another has gone before that one's turn comes.
        """
        removed: list[ImageRecord] = []
        refused: list[tuple[ImageRecord, str]] = []
        freed = 0
        filled = await self._contents.images()
        for some in _portions(plan.removals):
            containers = await self._engine.containers.list({})
            ends = await asyncio.gather(
                *(
                    self._take_away(one.image, containers, with_content=one.image.id in filled)
                    for one in some
                ),
                return_exceptions=True,
            )
            for step, end in zip(some, ends, strict=True):
                if isinstance(end, VersatileHubError):
                    refused.append((step.image, end.message))
                elif isinstance(end, BaseException):
                    raise end
                else:
                    removed.append(step.image)
                    freed += step.frees
                    _log.info("removed the image %s: %s", step.image.name, step.reason)
        return Outcome(removed=tuple(removed), refused=tuple(refused), freed=freed)

    async def remove(self, text: str) -> ImageRecord:
        """Remove the one image *text* names; `ImageInUse` names whoever needs it, `ImageNotFound`."""
        image = await self.find(text)
        planning.refuse_removal(image)
        await self._take_away(image, await self._engine.containers.list({}))
        return image

    async def sweep(self, *, before: float) -> int:
        """Remove content volumes and looks of images that are gone, if older than *before*; return how many volumes."""
        images = {one.id for one in await self._engine.images.list({})}
        ours = {f"{_LABEL}hub": self._engine.hub, f"{_LABEL}kind": "content"}
        gone = set()
        for volume in await self._engine.volumes.list(ours):
            image = volume.labels.get(f"{_LABEL}image", "")
            if image and image not in images and _moment(volume.labels.get(f"{_LABEL}created", "")) < before:
                gone.add(image)
        for image in gone:
            try:
                await self._contents.remove(image)
            except EngineConflict:
                continue
        await asyncio.to_thread(self._forget_looks, images, before)
        return len(gone)

    async def _take_away(
        self, image: ImageRecord, containers: Iterable[Container], *, with_content: bool = True
    ) -> None:
        """Remove an image and what belongs to it; its content goes first, for a mark without an image would stay for ever."""
        async with self._book.doomed(image):
            users = [_use_of(one) for one in containers if one.image == image.id]
            planning.refuse_removal(replace(image, uses=tuple(users)))
            if with_content:
                await self._contents.remove(image.id)
            try:
                went = [await self._engine.images.remove(name) for name in (*image.tags, *image.digests)]
                if not any(went):
                    await self._engine.images.remove(image.id)
            except EngineConflict as error:
                raise ImageInUse(f"{image.name} has come into use: {error.message}") from error
        await asyncio.to_thread(self._look_of(image.id).unlink, missing_ok=True)

    def _look_of(self, image: str) -> Path:
        return self._probes / f"{image.removeprefix('sha256:')}.json"

    def _forget_looks(self, images: set[str], before: float) -> None:
        for path in self._probes.glob("*.json"):
            if f"sha256:{path.stem}" not in images and path.stat().st_mtime < before:
                path.unlink(missing_ok=True)

    async def _facts(self) -> list[Facts]:
        """Return every image of the engine; what one is made of never changes, so Docker is asked for that only once."""
        some = asyncio.Semaphore(_AT_ONCE)

        async def ask(image: str) -> None:
            async with some:
                found = await self._ask(image)
            if found is not None:
                self._seen[image] = found

        listed = {one.id: one for one in await self._engine.images.list({})}
        await asyncio.gather(*(ask(image) for image in listed.keys() - self._seen.keys()))
        for image in self._seen.keys() - listed.keys():
            del self._seen[image]
        return [
            replace(self._seen[one.id], tags=one.tags, digests=one.digests)
            for one in listed.values()
            if one.id in self._seen  # others went meanwhile
        ]

    async def _ask(self, name: str) -> Facts | None:
        """Ask Docker what an image is made of; its history tells sizes and parents apart."""
        try:
            image = await self._engine.images.inspect(name)
            steps = await self._engine.images.history(name)
        except EngineNotFound:
            return None
        return Facts(
            id=image.id,
            labels=image.labels,
            size=image.size,
            layers=image.layers,
            steps=tuple((step.command, step.size) for step in steps),
            parent=image.parent,
            created=_moment(image.labels.get(f"{_LABEL}created", "")) or _moment(image.created),
        )


def _use_of(container: Container) -> Use:
    labels = container.labels
    running = container.state in {"running", "paused", "restarting"}
    server = labels.get(f"{_LABEL}kind") == "server"
    return Use(
        what="running" if running else "stopped",
        owner=labels.get(f"{_LABEL}owner", "") if server else "",
        name=labels.get(f"{_LABEL}server", "") if server else container.name,
    )


def _said(use: Use, uses: Iterable[Use]) -> bool:
    """Tell whether a server's record says again what its container said."""
    return use.what == "server" and any((one.owner, one.name) == (use.owner, use.name) for one in uses)


def _portions(steps: Sequence[Removal]) -> Iterator[list[Removal]]:
    """Cut a plan into portions that may go side by side: one that something is built on begins a new portion."""
    portion: list[Removal] = []
    for step in steps:
        if portion and (len(portion) == _SIDE_BY_SIDE or any(use.what == "image" for use in step.image.uses)):
            yield portion
            portion = []
        portion.append(step)
    if portion:
        yield portion


def _is_build(container: Container) -> bool:
    return container.labels.get(f"{_LABEL}kind") == "build"


def _moment(text: str) -> float:
    """Return the seconds since the epoch of Docker's or our own ISO text, 0 for none."""
    try:
        return max(0.0, datetime.fromisoformat(text).timestamp())
    except ValueError:
        return 0.0
