"""Capped volumes as ext4 images on loop devices; the work on disks is `versatilehub_builder.loops` in the helper.

The record is Docker's volume: its name gives the image's file name, the link and (by a hash) the file system's UUID, so
nothing else must be kept to tell a volume's own disk from another's. Source of the recipe: the founders' security.md §4.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections import defaultdict
from typing import TYPE_CHECKING, ClassVar, Final

from versatilehub.errors import EngineConflict, StorageFailure
from versatilehub.storage.backend import BACKEND, CAP, TRIAL, Measured, Measuring, same_owner

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from versatilehub.engine import Engine, StoredVolume

    from .attendant import Attendant

_NAMES: Final = uuid.UUID("7a1f6ad4-1f52-5b8a-9b5c-0f6a4f5f6d1e")
_SMALLEST: Final = 16 << 20
"""Bytes of the smallest image: below, ext4 has no room for its journal."""
_SLOW: Final = 600.0
"""Seconds for growing: a full check and new tables."""


class Loop(Measuring):
    """Images in the attendant's store; *free* bytes of that disk are never given away."""

    name: ClassVar[str] = "loop"
    hard: ClassVar[bool] = True

    def __init__(self, engine: Engine, attendant: Attendant, *, free: int) -> None:
        self._engine = engine
        self._attendant = attendant
        self._free = free
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def usable(self) -> None:
        """Raise `StorageFailure` where this must not be used, whatever a trial says."""
        facts = await self._engine.info()
        version = str(facts.get("ServerVersion", ""))
        if facts.get("LiveRestoreEnabled") and _numbers(version) < (24, 0, 6):
            # moby 46253, 46366: an older engine loses the mount, and a new container sees an empty folder of the host.
            raise StorageFailure(
                f"live-restore is on, and Docker {version} is older than 24.0.6.",
                hint='Set "live-restore": false in daemon.json, or update Docker.',
            )
        for name in await self.images():
            if name.startswith(TRIAL):  # of a hub that was killed within a trial
                await self._attendant.ask("loop.remove", name=name)

    async def create(self, name: str, labels: Mapping[str, str], cap: int | None) -> StoredVolume:
        """Make image, file system, device and volume, in this order; a run that was killed is finished."""
        if cap is None or cap < _SMALLEST:
            raise StorageFailure(f"The cap is {cap} bytes, and the smallest is {_SMALLEST}.", code="no_cap")
        async with self._locks[name]:
            there = await self._engine.volumes.find(name)
            if (
                there is not None
            ):  # never a new image for an old volume: an empty disk would look like lost files
                same_owner(there, labels)
                self._is_loop(there)
                await self._attendant.ask("loop.attach", name=name, uuid=_uuid(name))
                return there
            await self._attendant.ask("loop.create", name=name, uuid=_uuid(name), size=cap, free=self._free)
            return await self._engine.volumes.create(
                name, {**labels, BACKEND: self.name, CAP: str(cap)}, _options(name)
            )

    async def ready(self, name: str) -> None:
        """Attach, check and compare: no start may find an empty folder, or another volume's disk."""
        async with self._locks[name]:
            self._is_loop(await self._engine.volumes.inspect(name))
            await self._attendant.ask("loop.attach", name=name, uuid=_uuid(name))

    async def grow(self, name: str, cap: int) -> None:
        """Enlarge the image of a stopped server."""
        async with self._locks[name]:
            self._is_loop(await self._engine.volumes.inspect(name))
            await self._attendant.ask(
                "loop.grow", seconds=_SLOW, name=name, uuid=_uuid(name), size=cap, free=self._free
            )

    async def remove(self, name: str) -> None:
        """Remove volume, device and image, in this order."""
        async with self._locks[name]:
            await self._engine.volumes.remove(name)
            try:
                await self._attendant.ask("loop.remove", name=name)
            except StorageFailure as error:
                if error.code == "volume_in_use":
                    raise EngineConflict(error.message, hint=error.hint) from error
                raise
        self._locks.pop(name, None)

    async def measure(self, names: Collection[str]) -> Mapping[str, Measured]:
        """Read the sizes from the file systems' own tables; nothing is mounted or walked."""
        found = await self._attendant.ask("loop.measure", names=sorted(names))
        return {name: Measured(used=row["used"], limit=row["total"]) for name, row in found.items()}

    async def images(self) -> list[str]:
        """Return the names of all images in the store, also of volumes Docker no longer knows."""
        names: list[str] = (await self._attendant.ask("loop.check"))["names"]
        return names

    @staticmethod
    def _is_loop(volume: StoredVolume) -> None:
        """Docker ignores options for a name that exists: look at those it was really made with."""
        if dict(volume.options) != _options(volume.name):
            raise EngineConflict(
                f"The volume {volume.name} exists and is no capped volume of this hub.",
                hint="An administrator can look at its options.",
            )


def _options(name: str) -> dict[str, str]:
    return {"type": "ext4", "device": f"/dev/vhub/{name}", "o": "nosuid,nodev,noatime"}


def _uuid(name: str) -> str:
    return str(uuid.uuid5(_NAMES, name))


def _numbers(version: str) -> tuple[int, ...]:
    found = re.fullmatch(r"(\d+(?:\.\d+)*).*", version)
    return tuple(int(part) for part in found[1].split(".")) if found else ()
