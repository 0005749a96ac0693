"""Removing what a build has in Docker, again and again while the engine is away."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from versatilehub.errors import EngineFailure

if TYPE_CHECKING:
    from .attempt import Attempt
    from .container import BuildContainers

_log: Final = logging.getLogger(__name__)
_RETRY: Final = 2.0


class Tidying:
    """Used from one event loop. What is not removed when the hub ends is found by its label by the next one."""

    def __init__(self, containers: BuildContainers) -> None:
        self._containers = containers
        self._left: dict[str, Attempt] = {}
        self._task: asyncio.Task[None] | None = None

    async def tidy(self, attempt: Attempt) -> None:
        """Remove containers and work volume, now or as soon as the engine lets us."""
        try:
            await self._containers.remove(attempt)
        except EngineFailure as error:
            _log.warning("what build %s left in Docker cannot be removed yet: %s", attempt.id, error.message)
            self._left[attempt.id] = attempt
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._again(), name="versatilehub-tidying")

    def close(self) -> None:
        """Try no more."""
        if self._task is not None:
            self._task.cancel()

    async def _again(self) -> None:
        while self._left:
            await asyncio.sleep(_RETRY)
            for attempt in list(self._left.values()):
                try:
                    await self._containers.remove(attempt)
                except EngineFailure:
                    continue
                del self._left[attempt.id]
