"""Capped volumes as btrfs subvolumes with a quota; the work is `versatilehub_builder.subvolumes` in the attendant.

Docker's volume is a bind of the subvolume's path on the engine's machine: without the pool there is no such path, and a start fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from versatilehub.errors import EngineConflict, StorageFailure
from versatilehub.storage.backend import BACKEND, CAP, Measured, Measuring, same_owner

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from versatilehub.engine import Engine, StoredVolume

    from .attendant import Attendant


class Btrfs(Measuring):
    """Subvolumes in the attendant's store; *free* bytes of that disk are never given away."""

    name: ClassVar[str] = "btrfs"
    hard: ClassVar[bool] = True

    def __init__(self, engine: Engine, attendant: Attendant, *, free: int) -> None:
        self._engine = engine
        self._attendant = attendant
        self._free = free

    async def usable(self) -> None:
        """Raise `StorageFailure` unless the store is on btrfs."""
        await self._attendant.ask("btrfs.check")

    async def create(self, name: str, labels: Mapping[str, str], cap: int | None) -> StoredVolume:
        """Make subvolume, quota and volume, in this order; a run that was killed is finished."""
        if not cap:
            raise StorageFailure(f"The cap is {cap} bytes.", code="no_cap")
        there = await self._engine.volumes.find(name)
        if there is not None:
            same_owner(there, labels)
            await self.ready(name)
            return there
        await self._attendant.ask("btrfs.create", name=name, size=cap, free=self._free)
        return await self._engine.volumes.create(
            name, {**labels, BACKEND: self.name, CAP: str(cap)}, self._options(name)
        )

    async def ready(self, name: str) -> None:
        """Return when the subvolume is there and capped."""
        volume = await self._engine.volumes.inspect(name)
        if dict(volume.options) != self._options(name):
            raise EngineConflict(
                f"The volume {name} exists and is no capped volume of this hub's store.",
                hint="An administrator can look at its options, and at `storage_path`.",
            )
        await self._attendant.ask("btrfs.ready", name=name)

    async def grow(self, name: str, cap: int) -> None:
        """Raise the quota, also of a volume in use."""
        await self.ready(name)
        await self._attendant.ask("btrfs.grow", name=name, size=cap)

    async def remove(self, name: str) -> None:
        """Remove volume and subvolume, in this order."""
        await self._engine.volumes.remove(name)
        await self._attendant.ask("btrfs.remove", name=name)

    async def measure(self, names: Collection[str]) -> Mapping[str, Measured]:
        """Read the quota groups."""
        found = await self._attendant.ask("btrfs.measure", names=sorted(names))
        return {name: Measured(used=row["used"], limit=row["total"]) for name, row in found.items()}

    def _options(self, name: str) -> dict[str, str]:
        # Docker drops nosuid and its like from a bind: the pool's own mount is where an administrator sets them.
        return {"type": "none", "device": f"{self._attendant.store}/{name}", "o": "bind"}
