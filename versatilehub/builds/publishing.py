"""The names a built image gets, here and in the registry, if the site has one.

The tag of commit and identity is how an environment is found again and moves to its newest build; the tag of a day never changes
its content, a second build of that day gets ``-2``; ``latest`` moves with each build that ended well.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from versatilehub import naming
from versatilehub.errors import BuildFailed, RegistryFailure

from .events import BuildEvent, BuildState

if TYPE_CHECKING:
    from collections.abc import Callable

    from versatilehub.engine import Engine
    from versatilehub.images.registry import Registry
    from versatilehub.naming import ImageName

    from .attempt import Attempt


class Publishing:
    """Names images; *registry* None, or without an address, is a site that keeps them on this machine."""

    def __init__(self, engine: Engine, registry: Registry | None = None) -> None:
        self._engine = engine
        self._registry = registry if registry is not None and registry.settings.prefix else None
        self._naming = asyncio.Lock()

    @property
    def prefix(self) -> str:
        """The registry's address, "" without one."""
        return self._registry.settings.prefix if self._registry else ""

    async def name(self, attempt: Attempt, image: str) -> tuple[ImageName, tuple[str, ...]]:
        """Give a built image its names; return the one of its commit, and its other tags. May be repeated."""
        name = naming.image_name(attempt.source, attempt.identity)
        day = datetime.fromtimestamp(attempt.created, UTC).date()
        async with self._naming:  # two builds of one repository and day must not take one tag
            there = await self._engine.images.list({}, name=name.repository)
            taken = {tag.rpartition(":")[2] for one in there if one.id != image for tag in one.tags}
            more = naming.date_tags(name.repository, day, attempt.source.commit, taken)
            for tag in (name.tag, *more):
                await self._engine.images.tag(image, name.repository, tag)
        return name, more

    async def push(
        self,
        attempt: Attempt,
        image: str,
        names: tuple[ImageName, tuple[str, ...]],
        say: Callable[[str], None],
    ) -> None:
        """Push it under these names; raises `BuildFailed` only where the site requires the push."""
        if self._registry is None:
            return
        name, more = names
        try:
            await self._registry.publish(name, attempt.identity, image, more, say)
        except RegistryFailure as error:
            raise BuildFailed(error.message, hint=error.hint, code=error.code) from error

    async def fetch(self, attempt: Attempt, watcher: Callable[[BuildEvent], None]) -> bool:
        """Have the image from the registry instead of building it; False when it is not to be had there."""
        if self._registry is None:
            return False

        def say(message: str) -> None:
            event = BuildEvent(
                at=time.time(), state=BuildState.QUEUED, phase="fetch", kind="phase", message=message
            )
            watcher(event)

        name = naming.image_name(attempt.source, attempt.identity)
        return await self._registry.fetch(name, attempt.identity, say)
