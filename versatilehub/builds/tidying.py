"""Removing what a build has in Docker, again and again while the engine is away."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from versatilehub.errors import EngineFailure

if TYPE_CHECKING:
    from versatilehub.engine import Engine

    from .attempt import Attempt
    from .container import BuildContainers

_log: Final = logging.getLogger(__name__)
_RETRY: Final = 2.0
_SETTLES: Final = 1.0
"""Seconds BuildKit has to let go of the steps of a client that is gone."""


class Tidying:
    """Used from one event loop. What is not removed when the hub ends is found by its label by the next one."""

    def __init__(self, engine: Engine, containers: BuildContainers) -> None:
        self._engine = engine
        self._forgetting: set[asyncio.Task[None]] = set()
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

    def forget_steps(self, attempt: Attempt) -> None:
        """Free, soon, what the finished steps of a cancelled build take: who cancels wants the disk back.

        Steps that others kept in the same minutes and that nothing uses go with it; they are made again when asked for.
        """
        task = asyncio.create_task(self._forget_steps(attempt), name="versatilehub-steps")
        self._forgetting.add(task)
        task.add_done_callback(self._forgetting.discard)

    async def _forget_steps(self, attempt: Attempt) -> None:
        await asyncio.sleep(_SETTLES)
        try:
            since = datetime.fromtimestamp(attempt.created, UTC)
            for step in await self._engine.cache.steps():
                if step.free and step.made >= since:
                    await self._engine.cache.drop(step.id)
        except EngineFailure as error:
            _log.warning("what cancelled build %s cached could not be dropped: %s", attempt.id, error.message)

    def close(self) -> None:
        """Try no more."""
        for task in self._forgetting:
            task.cancel()
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
