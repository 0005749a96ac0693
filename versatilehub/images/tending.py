"""One round of the janitor: what failed builds left, images beyond the site's limits, Docker's build cache, old build logs.

Only what is labelled as this hub's goes, nothing younger than its grace, and nothing that is in use; one part that fails leaves the
others to be done. The build cache alone has no owner: it is that of every build on the engine.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from versatilehub.errors import VersatileHubError
from versatilehub.images.plan import DAY, HOUR, Rules

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from versatilehub.engine import Engine
    from versatilehub.images.shelf import Shelf

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an administrator sets; bytes and seconds, 0 is no limit.

    *free*: what shall be free on Docker's disk. *images*: what the hub's images may take. *age*: how long an image may be of no
    use. *cache*: what Docker's build cache may keep. *logs*: how long build logs are kept. *recent*: of use so shortly ago stays.
    """

    free: int = 0
    images: int = 0
    age: float = 0.0
    cache: int = 0
    logs: float = 0.0
    recent: float = DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round removed; *freed* and *cache* in bytes."""

    images: tuple[str, ...] = ()
    freed: int = 0
    cache: int = 0
    contents: int = 0
    logs: int = 0

    def __bool__(self) -> bool:
        return bool(self.images or self.cache or self.contents or self.logs)


def rules_for(limits: Limits, *, disk: int, free: int | None) -> Rules:
    """Return what a round removes when the images take *disk* bytes and *free* are left on Docker's disk (None: unknown).

    Leavings always go; as much more as the disk lacks, or as the images are beyond their limit, whichever is more.
    """
    most = [limits.images] if limits.images else []
    if limits.free and free is not None and free < limits.free:
        most.append(max(0, disk - (limits.free - free)))
    return Rules(older_than=limits.age or None, max_disk=min(most) if most else None, recent=limits.recent)


class Tending:
    """Looks after the images of one hub. *logs* is the folder of build logs."""

    def __init__(self, engine: Engine, shelf: Shelf, limits: Limits, *, logs: Path) -> None:
        self._engine = engine
        self._shelf = shelf
        self._limits = limits
        self._logs = logs

    async def round(self, *, now: float | None = None) -> Round:
        """Do one round; *now* in seconds since the epoch."""
        now = time.time() if now is None else now
        inventory = await self._shelf.inventory()
        free = await self.free()
        rules = rules_for(self._limits, disk=inventory.plan(Rules(), now).disk, free=free)
        outcome = await self._shelf.carry_out(inventory.plan(rules, now))
        for image, reason in outcome.refused:
            _log.info("the image %s stays: %s", image.name, reason)
        short = self._limits.free and free is not None and free < self._limits.free
        cache = await self._part(self._trim(short=bool(short))) if self._limits.cache else 0
        contents = await self._part(self._shelf.sweep(before=now - HOUR))
        logs = await asyncio.to_thread(self._expire_logs, now) if self._limits.logs else 0
        return Round(
            images=tuple(one.name for one in outcome.removed),
            freed=outcome.freed,
            cache=cache,
            contents=contents,
            logs=logs,
        )

    async def free(self) -> int | None:
        """Return the free bytes of Docker's disk, None where they cannot be seen from here."""
        root = Path(str((await self._engine.info()).get("DockerRootDir") or ""))
        try:
            return (await asyncio.to_thread(shutil.disk_usage, root)).free
        except OSError:
            return None

    async def _trim(self, *, short: bool) -> int:
        keep = 0 if short else self._limits.cache
        return await self._engine.registries.trim_cache(keep=keep, unused=HOUR if short else DAY)

    @staticmethod
    async def _part(work: Awaitable[int]) -> int:
        try:
            return await work
        except VersatileHubError as error:
            _log.warning("a part of this round was not done: %s", error.message)
            return 0

    def _expire_logs(self, now: float) -> int:
        """Remove logs nothing was written to for so long; a build that runs writes to its own."""
        count = 0
        for path in self._logs.glob("*/log.jsonl"):
            try:
                if path.stat().st_mtime < now - self._limits.logs:
                    shutil.rmtree(path.parent)
                    count += 1
            except FileNotFoundError:
                continue
        return count
