"""Environments that exist or are to be made: the attempt a repository comes to, and the image it may have already."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import TYPE_CHECKING

from versatilehub import naming
from versatilehub.errors import EngineNotFound, ImageUnusable

from .attempt import Attempt
from .events import BuildEvent, BuildState
from .probe import Probes

if TYPE_CHECKING:
    from collections.abc import Callable

    from versatilehub.engine import Engine
    from versatilehub.sources import ResolvedSource

    from .attempt import BuildSettings, Wish
    from .probe import Environment
    from .publishing import Publishing


class Environments:
    """Looks at images; makes nothing, but has from the registry what is there."""

    def __init__(self, engine: Engine, settings: BuildSettings, publishing: Publishing) -> None:
        self._engine = engine
        self._publishing = publishing
        self._settings = settings
        self.probes = Probes(
            engine, settings.state_dir / "probes", hub_version=settings.hub_version or _hub_version()
        )

    async def examine(self, image: str) -> Environment:
        """Return what an image that exists offers (one named directly, not built here); `ImageUnusable` if too little."""
        try:
            return await self.probes.look(image)
        except EngineNotFound as error:
            raise ImageUnusable(
                f"There is no image {image} on this machine.",
                hint="Check its name, or ask an administrator to add it.",
                code="image_missing",
            ) from error

    async def attempt(self, resolved: ResolvedSource, wish: Wish) -> Attempt:
        """Return a new attempt at the environment of *resolved*; its identity tells whether it exists."""
        builder, base = await asyncio.gather(
            self._engine.images.inspect(self._settings.builder_image),
            self._engine.images.inspect(self._settings.base_image),
        )
        identity = naming.identity(resolved, builder=builder.id, base=base.id)
        return Attempt(
            id=uuid.uuid4().hex[:12],
            identity=identity,
            source=resolved,
            builder=builder.id,
            base=base.id,
            created=time.time(),
            python=await self._python(base.id),
            fresh=wish.force,
            at_once=wish.at_once,
            reader=wish.reader,
        )

    async def _python(self, base: str) -> str:
        """Return the Python of the base image; of one no server can run in, nothing: each build says so by itself."""
        try:
            return (await self.probes.look(base)).python
        except ImageUnusable:
            return ""

    async def existing(self, attempt: Attempt) -> Environment | None:
        """Return the environment an attempt would make, None when there is no image of that identity."""
        name = str(naming.image_name(attempt.source, attempt.identity))
        image = await self._engine.images.find(name)
        expected = {"versatilehub.kind": "image", "versatilehub.digest": attempt.identity}
        if image is None or any(image.labels.get(key) != value for key, value in expected.items()):
            return None
        return await self.probes.look(name)

    async def fetched(self, attempt: Attempt, watcher: Callable[[BuildEvent], None]) -> Environment | None:
        """Return the environment an attempt would make as the registry has it, None when it has to be built."""
        if await self._publishing.fetch(attempt, watcher):
            return await self.existing(attempt)
        return None


def found_there(environment: Environment) -> BuildEvent:
    """Return the one event of a build that is not needed."""
    message = f"The image of commit {environment.commit[:12]} exists."
    return BuildEvent(
        seq=0, at=time.time(), state=BuildState.READY, kind="done", message=message, outcome="cached"
    )


def _hub_version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  # at the first build only

    try:
        return version("jupyterhub")
    except PackageNotFoundError:
        return ""
