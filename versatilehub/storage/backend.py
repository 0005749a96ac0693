"""What a storage backend is: how a volume is made with a cap that holds, made ready, grown, measured and removed.

A volume says by its label `versatilehub.backend` which backend made it; whoever has only a name asks `Storage`, which looks
there. Backends are in `versatilehub.storage.caps`; the plain one here knows no caps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from versatilehub.errors import EngineConflict, StorageFailure

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from versatilehub.engine import Engine, StoredVolume

BACKEND = "versatilehub.backend"
CAP = "versatilehub.cap"
"""Labels of a volume: which backend made it ("" for the plain one), and its cap in bytes when it was made."""

TRIAL = "vhtrial-"
"""Beginning of the names of volumes that only try a backend; no other name begins so, whoever is called "trial"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Bytes in use and the most there can be, as `df` tells them; *limit* 0: no cap."""

    used: int
    limit: int = 0


class Backend(Protocol):
    """One way to keep volumes; every step may be repeated, also after a hub that was killed within it."""

    @property
    def name(self) -> str:
        """What the label, the setting, `doctor` and the pages call it: local, btrfs, loop, soft or plain."""

    @property
    def hard(self) -> bool:
        """Tell whether the file system itself refuses what is beyond the cap."""

    async def usable(self) -> None:
        """Raise `VersatileHubError` where this must not be used, whatever a trial says."""

    async def create(self, name: str, labels: Mapping[str, str], cap: int | None) -> StoredVolume:
        """Make the volume with a cap in bytes (None: without one), or finish a half-made one of that name.

        `EngineConflict`: the name is another's. `StorageFailure` code ``store_full``: no room for the cap, nothing was made.
        """

    async def ready(self, name: str) -> None:
        """Return when a container may start with it: attached, checked, and the very volume of that name.

        Called before every start. `EngineNotFound`: there is none. `StorageFailure`: what is wrong and how to repair it.
        """

    async def grow(self, name: str, cap: int) -> None:
        """Raise its cap to *cap* bytes while nothing uses it; `StorageFailure` when that cannot be done."""

    async def remove(self, name: str) -> None:
        """Remove it and what is behind it; one that is gone is fine, one in use is `EngineConflict`."""

    async def measure(self, names: Collection[str]) -> Mapping[str, Measured]:
        """Return use and limit of each volume; one that cannot be measured is left out."""

    async def used(self, names: Collection[str]) -> Mapping[str, int]:
        """Return the bytes in use by each volume; one that cannot be measured is left out."""


class Measuring:
    """What all backends have in common."""

    async def usable(self) -> None:
        """Return: most backends learn from a trial."""

    async def measure(self, names: Collection[str]) -> Mapping[str, Measured]:
        """Return nothing: a backend without a cap does not measure."""
        del names
        return {}

    async def used(self, names: Collection[str]) -> Mapping[str, int]:
        """Return the bytes in use by each volume that can be measured."""
        return {name: found.used for name, found in (await self.measure(names)).items()}


class Plain(Measuring):
    """Volumes of Docker's local driver without a cap."""

    name: ClassVar[str] = "plain"
    hard: ClassVar[bool] = False

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(self, name: str, labels: Mapping[str, str], cap: int | None) -> StoredVolume:
        """Make the volume; `StorageFailure` for a cap, which this backend cannot keep."""
        if cap is not None:
            raise StorageFailure(
                f"A cap of {cap} bytes is asked for, and no storage backend can keep one.",
                hint="An administrator can look at `versatilehub doctor`.",
                code="no_cap",
            )
        return await self._engine.volumes.create(name, labels)

    async def ready(self, name: str) -> None:
        """Return when the volume is there."""
        await self._engine.volumes.inspect(name)

    async def grow(self, name: str, cap: int) -> None:
        """Refuse: there is no cap to raise."""
        raise StorageFailure(f"The volume {name} has no cap to raise to {cap} bytes.", code="no_cap")

    async def remove(self, name: str) -> None:
        """Remove the volume."""
        await self._engine.volumes.remove(name)


def same_owner(made: StoredVolume, labels: Mapping[str, str]) -> None:
    """Raise `EngineConflict` unless *made* carries *labels*, but for the time it was made and its first cap."""
    passing = {"versatilehub.created", CAP}
    mine = {key: value for key, value in labels.items() if key not in passing}
    if any(made.labels.get(key) != value for key, value in mine.items()):
        raise EngineConflict(
            f"A volume {made.name} exists and is not ours.", hint="An administrator can look at its labels."
        )
