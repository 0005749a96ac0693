"""Capped volumes by the local driver's own ``size`` option: project quotas, where Docker's data is on XFS with ``pquota``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from versatilehub.errors import EngineConflict, StorageFailure
from versatilehub.storage.backend import BACKEND, CAP, Measured, Measuring, same_owner

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from versatilehub.engine import Engine, StoredVolume

    from .sizes import Sizes


class Local(Measuring):
    """Volumes with a project quota."""

    name: ClassVar[str] = "local"
    hard: ClassVar[bool] = True

    def __init__(self, engine: Engine, sizes: Sizes) -> None:
        self._engine = engine
        self._sizes = sizes

    async def create(self, name: str, labels: Mapping[str, str], cap: int | None) -> StoredVolume:
        """Make the volume; Docker refuses the option where there are no quotas."""
        if not cap:
            raise StorageFailure(f"The cap is {cap} bytes.", code="no_cap")
        there = await self._engine.volumes.find(name)
        if there is None:
            return await self._engine.volumes.create(
                name, {**labels, BACKEND: self.name, CAP: str(cap)}, {"size": str(cap)}
            )
        same_owner(there, labels)
        self._capped(there)
        return there

    async def ready(self, name: str) -> None:
        """Return when the volume is there and was made with a size."""
        self._capped(await self._engine.volumes.inspect(name))

    async def grow(self, name: str, cap: int) -> None:
        """Refuse: the driver has no way to change a size."""
        raise StorageFailure(
            f"Docker cannot change the size of the volume {name} to {cap} bytes.",
            hint="An administrator can raise its project quota with xfs_quota.",
            code="cap_fixed",
        )

    async def remove(self, name: str) -> None:
        """Remove the volume."""
        await self._engine.volumes.remove(name)
        self._sizes.forget(name)

    async def measure(self, names: Collection[str]) -> Mapping[str, Measured]:
        """Return what walking through the volumes gives."""
        used = await self._sizes.of(names)
        caps = {name: await self._cap(name) for name in used}
        return {name: Measured(used=size, limit=caps[name]) for name, size in used.items()}

    async def _cap(self, name: str) -> int:
        found = await self._engine.volumes.find(name)
        return int(found.labels.get(CAP, 0)) if found else 0

    @staticmethod
    def _capped(volume: StoredVolume) -> None:
        if "size" not in volume.options:
            raise EngineConflict(
                f"The volume {volume.name} exists and has no cap.",
                hint="An administrator can look at its options.",
            )
