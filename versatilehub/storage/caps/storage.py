"""`Storage`: every volume of a hub, each served by the backend that made it, new ones by the backend that holds caps here."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from versatilehub.errors import EngineFailure, StorageFailure, VersatileHubError
from versatilehub.storage.backend import BACKEND, Backend, Measured, Measuring, Plain, same_owner

from . import trial
from .attendant import Attendant
from .btrfs import Btrfs
from .local import Local
from .loop import Loop
from .sizes import Sizes
from .soft import Soft
from .trial import Choice, choose

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from versatilehub.engine import Engine, StoredVolume

log = logging.getLogger("versatilehub")

NAMES: Final = ("auto", "local", "btrfs", "loop", "soft")


class Storage(Measuring):
    """A `Backend` over all others.

    *store* is the folder on the engine's machine for images and subvolumes, *free* the bytes that must stay free there, *image* the
    builder's, *wanted* one of `NAMES`. *told* is called once with the choice.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        image: str,
        store: str,
        free: int,
        wanted: str = "auto",
        require_hard: bool = False,
        told: Callable[[Choice], None] = lambda _: None,
    ) -> None:
        self._engine = engine
        self._image = image
        self._wanted = wanted
        self._require_hard = require_hard
        self._told = told
        self._choosing = asyncio.Lock()
        self.choice: Choice | None = None
        self._sizes = sizes = Sizes(engine, image=image)
        self.attendant = Attendant(engine, image=image, store=store)
        self.soft = Soft(engine, sizes)
        self.loop = Loop(engine, self.attendant, free=free)
        self._plain: Backend = Plain(engine)
        self._backends: tuple[Backend, ...] = (
            Local(engine, sizes),
            Btrfs(engine, self.attendant, free=free),
            self.loop,
            self.soft,
        )

    @property
    def name(self) -> str:
        """The backend of new volumes, "" before it is chosen or when none works."""
        return self.choice.name if self.choice else ""

    @property
    def hard(self) -> bool:
        """Tell whether new volumes get a cap that holds."""
        return bool(self.choice and self.choice.hard)

    async def chosen(self) -> Choice:
        """Return the choice, made by trying at the first call. Raises as `choose`."""
        async with self._choosing:
            if self.choice is None:
                await self._sweep()
                self.choice = await choose(
                    self._engine,
                    self._backends,
                    wanted=self._wanted,
                    image=self._image,
                    require_hard=self._require_hard,
                )
                self._told(self.choice)
        return self.choice

    async def _sweep(self) -> None:
        """Remove what the trials of a hub that was killed within one have left."""
        labels = {"versatilehub.hub": self._engine.hub, "versatilehub.role": trial.ROLE}
        for container in await self._engine.containers.list(labels):
            await self._engine.containers.remove(container.id)
        for volume in await self._engine.volumes.list(labels):
            await self._of(volume).remove(volume.name)

    async def attach_all(self, labels: Mapping[str, str]) -> list[str]:
        """Make every volume with *labels* ready, as after a reboot; return a sentence for each that is not."""
        found = [one for one in await self._engine.volumes.list(labels) if one.labels.get(BACKEND) == "loop"]
        failed: list[str] = []

        async def attach(volume: StoredVolume) -> None:
            try:
                await self.loop.ready(volume.name)
            except VersatileHubError as error:
                failed.append(f"{volume.name}: {error.message} {error.hint}".strip())

        await asyncio.gather(*(attach(volume) for volume in found))
        return sorted(failed)

    async def create(self, name: str, labels: Mapping[str, str], cap: int | None) -> StoredVolume:
        """Make the volume with the chosen backend, or finish it with the one that began it; without a cap it is a plain one."""
        there = await self._engine.volumes.find(name)
        if there is not None:
            same_owner(there, labels)
            return await self._of(there).create(name, labels, cap if BACKEND in there.labels else None)
        if cap is None:
            return await self._plain.create(name, labels, None)
        choice = await self.chosen()
        if not choice.name:
            raise StorageFailure(
                f"The storage backend {self._wanted} does not work: {choice.reasons}.",
                hint="An administrator can look at `versatilehub doctor`.",
                code="no_cap",
            )
        return await self._named(choice.name).create(name, labels, cap)

    async def ready(self, name: str) -> None:
        """Make it ready by its own backend."""
        await self._of(await self._engine.volumes.inspect(name)).ready(name)

    async def grow(self, name: str, cap: int) -> None:
        """Grow it by its own backend."""
        await self._of(await self._engine.volumes.inspect(name)).grow(name, cap)

    async def remove(self, name: str) -> None:
        """Remove it; of one that Docker no longer knows, the image that may be left."""
        there = await self._engine.volumes.find(name)
        if there is not None:
            await self._of(there).remove(name)
        elif self.name == "loop":
            await self.loop.remove(name)

    async def measure(self, names: Collection[str]) -> Mapping[str, Measured]:
        """Measure each by its own backend; one whose backend fails is left out."""
        wanted, kinds = set(names), defaultdict[str, list[str]](list)
        for volume in await self._engine.volumes.list({"versatilehub.hub": self._engine.hub}):
            if volume.name in wanted:
                kinds[volume.labels.get(BACKEND, "")].append(volume.name)
        found: dict[str, Measured] = {}
        for kind, some in kinds.items():
            with contextlib.suppress(EngineFailure, StorageFailure):
                found |= await self._named(kind).measure(some) if kind else await self._uncapped(some)
        return found

    async def _uncapped(self, names: Collection[str]) -> Mapping[str, Measured]:
        return {name: Measured(used=size) for name, size in (await self._sizes.of(names)).items()}

    async def close(self) -> None:
        """Let the helper go."""
        await self.attendant.close()

    def _of(self, volume: StoredVolume) -> Backend:
        return self._named(volume.labels.get(BACKEND, ""))

    def _named(self, name: str) -> Backend:
        return next((one for one in self._backends if one.name == name), self._plain)
