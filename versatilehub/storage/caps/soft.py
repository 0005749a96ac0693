"""Caps that are only measured: the last resort, where nothing on the machine can hold one.

A volume may grow past its cap by what is written between two measurements. Past it, the next start is refused, with a way back in:
`allow_cleanup` lets one start through, so that its owner can delete files.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, Final

from versatilehub.errors import Refusal, StorageFailure
from versatilehub.storage.backend import BACKEND, CAP, Measured, Measuring, same_owner

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from versatilehub.engine import Engine, StoredVolume

    from .sizes import Sizes

_MIB: Final = 1 << 20
CLEANUP_SECONDS: Final = 900.0
"""How long a clean-up start is waited for."""


class Soft(Measuring):
    """Plain volumes with a cap in a label."""

    name: ClassVar[str] = "soft"
    hard: ClassVar[bool] = False

    def __init__(self, engine: Engine, sizes: Sizes) -> None:
        self._engine = engine
        self._sizes = sizes
        self._cleanups: dict[str, float] = {}

    async def create(self, name: str, labels: Mapping[str, str], cap: int | None) -> StoredVolume:
        """Make the volume and note its cap."""
        there = await self._engine.volumes.find(name)
        if there is None:
            return await self._engine.volumes.create(name, {**labels, BACKEND: self.name, CAP: str(cap or 0)})
        same_owner(there, labels)
        return there

    async def ready(self, name: str) -> None:
        """Return unless the volume is past its cap; `Refusal` (``volume_full``) says how to get in all the same.

        Only one that was past it at the last look is measured now: a start of any other waits for nothing.
        """
        cap = _cap(await self._engine.volumes.inspect(name))
        known = self._sizes.last(name)
        if not cap or known is None or known <= cap:
            return
        used = await self._sizes.now(name)
        if used <= cap or self._cleanups.pop(name, 0.0) > time.monotonic():
            return
        raise Refusal(
            f"Your files take {used / _MIB:.0f} MiB, and the limit is {cap / _MIB:.0f} MiB.",
            hint="Ask for a clean-up start, delete files there, and stop the server.",
            code="volume_full",
            limit=str(cap),
            actual=str(used),
        )

    def allow_cleanup(self, name: str) -> None:
        """Let the next start of this volume through, if it comes within `CLEANUP_SECONDS`."""
        self._cleanups[name] = time.monotonic() + CLEANUP_SECONDS

    async def grow(self, name: str, cap: int) -> None:
        """Refuse: Docker's labels do not change."""
        raise StorageFailure(
            f"The cap of {name} is in a label, and Docker cannot change it to {cap} bytes.", code="cap_fixed"
        )

    async def remove(self, name: str) -> None:
        """Remove the volume."""
        await self._engine.volumes.remove(name)
        self._sizes.forget(name)

    async def measure(self, names: Collection[str]) -> Mapping[str, Measured]:
        """Return what walking through the volumes gives, as of the last walk."""
        used = await self._sizes.of(names)
        caps = {name: await self._engine.volumes.find(name) for name in used}
        return {name: Measured(used=used[name], limit=_cap(found)) for name, found in caps.items() if found}


def _cap(volume: StoredVolume) -> int:
    return int(volume.labels.get(CAP, 0))
