"""What a hub makes of the builds of the hub before it: rows, logs and Docker's labels laid side by side.

A build whose containers or image are there goes on; one that had ended is only written down; one whose containers are
gone is interrupted. What belongs to no build is removed.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from versatilehub.errors import EngineConflict

from .attempt import Attempt
from .events import BuildState
from .job import as_error
from .logs import BuildLog
from .run import interrupted, made_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from versatilehub.engine import Engine
    from versatilehub.store.builds import BuildRecord

    from .archive import Archive
    from .attempt import BuildSettings
    from .container import BuildContainers


class Recovery:
    """Every call may be repeated: a hub that is killed while it recovers leaves the same work to the next."""

    def __init__(
        self, *, engine: Engine, containers: BuildContainers, archive: Archive, settings: BuildSettings
    ) -> None:
        self._engine = engine
        self._containers = containers
        self._archive = archive
        self._settings = settings

    async def remove_strays(self, active: Sequence[BuildRecord]) -> None:
        """Remove what belongs to none of the *active* builds: containers, work volumes, images nobody named."""
        keep = frozenset(record.id for record in active)
        await self._containers.remove_strays(keep)
        ours = {"versatilehub.hub": self._engine.hub, "versatilehub.kind": "image"}
        for image in await self._engine.images.list(ours):
            if not image.tags and image.labels.get("versatilehub.attempt") not in keep:
                with suppress(EngineConflict):  # a server runs in it
                    await self._engine.images.remove(image.id)

    async def judge(self, record: BuildRecord) -> BuildLog | None:
        """Return the log of a build that was under way, finished if it had ended or cannot go on; None: it has none."""
        path = self._archive.log_path(record.id)
        if not await asyncio.to_thread(path.exists):
            return None
        log = await asyncio.to_thread(BuildLog.load, path, cap=self._settings.log_limit)
        attempt = Attempt.from_json(record.plan)
        if log.done:
            await self._containers.remove(attempt)
        elif not await self._can_go_on(log, attempt):
            failure = interrupted()
            log.finish(BuildState.INTERRUPTED, failure.message, time.time(), as_error(failure))
            await self._containers.remove(attempt)
        return log

    async def _can_go_on(self, log: BuildLog, attempt: Attempt) -> bool:
        if log.state in {BuildState.QUEUED, BuildState.FETCHING} or await self._containers.find(attempt):
            return True
        return bool(await self._engine.images.list(made_by(self._engine, attempt)))
