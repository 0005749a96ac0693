"""One running build and those who wait for it; and the line builds wait in for their turn."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from versatilehub.errors import BuildCancelled, BuildFailed, EngineFailure, VersatileHubError

from .events import BuildEvent, BuildState
from .logs import BuildLog, Entry
from .run import INTERRUPTED, Run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .probe import Environment

_log: Final = logging.getLogger(__name__)


@dataclass(eq=False, slots=True, kw_only=True)
class Place:
    """One build's place in the line: *go* is set when it may run, *moved* is told how many are ahead."""

    lane: str
    lane_limit: int | None
    go: asyncio.Event = field(default_factory=asyncio.Event)
    moved: Callable[[int], None] = field(default=lambda _ahead: None)


class Line:
    """First come, first served, *most* at once; one whose lane is full lets the next pass."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: deque[Place] = deque()
        self._running: list[Place] = []

    def join(self, lane: str, lane_limit: int | None, *, running: bool = False) -> Place:
        """Return a new place at the end, or among those that run already."""
        place = Place(lane=lane, lane_limit=lane_limit)
        if running:
            self._running.append(place)
            place.go.set()
        else:
            self._waiting.append(place)
        return place

    def advance(self) -> None:
        """Let go who may, and tell the others how many are ahead of them."""
        for place in list(self._waiting):
            if len(self._running) >= self._most:
                break
            if place.lane_limit is None or self._of_lane(place.lane) < place.lane_limit:
                self._waiting.remove(place)
                self._running.append(place)
                place.go.set()
        for ahead, place in enumerate(self._waiting, start=len(self._running)):
            place.moved(ahead)

    def leave(self, place: Place) -> None:
        """Give up a place, waiting or running."""
        for places in (self._waiting, self._running):
            if place in places:
                places.remove(place)
        self.advance()

    def _of_lane(self, lane: str) -> int:
        return sum(place.lane == lane for place in self._running)


class Job:
    """Drives one `Run` to its end in a task of its own, which outlives every watcher but not the event loop."""

    def __init__(  # its collaborators, each needed
        self,
        *,
        run: Run,
        log: BuildLog,
        line: Line,
        place: Place,
        grace: float | None,
        tidy: Callable[[], Awaitable[None]],
    ) -> None:
        self.log = log
        self._run = run
        self._line = line
        self._place = place
        self._grace = grace
        self._tidy = tidy
        self._watchers = 0
        self._cancelled = False
        self._leaving: asyncio.TimerHandle | None = None
        self._environment: Environment | None = None
        self._failure: VersatileHubError | None = None
        self.on_end: Callable[[], None] = lambda: None
        self.task: asyncio.Task[None]
        self._ahead = -1
        place.moved = self._moved

    def start(self) -> asyncio.Task[None]:
        """Begin; the line decides when."""
        self.task = asyncio.create_task(self._work(), name="versatilehub-build")
        self._line.advance()
        return self.task

    def cancel(self) -> None:
        """End the build and remove what it has in Docker; those who wait get `BuildCancelled`."""
        if not self.task.done() and not self._cancelled:
            self._cancelled = True
            self.task.cancel()

    async def watch(self, watcher: Callable[[BuildEvent], None]) -> Environment:
        """Tell *watcher* every event from the first on, and return or raise what the build ends with."""
        self._watchers += 1
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        try:
            async with aclosing(self.log.follow()) as events:
                async for event in events:
                    watcher(event)
        except asyncio.CancelledError:
            self._left_by_cancellation()
            raise
        finally:
            self._watchers -= 1
        if self._environment is not None:
            return self._environment
        raise self._failure or BuildFailed(
            "The hub is stopping; the build goes on without it.",
            hint="Start again in a minute.",
            code="hub_stopping",
        )

    def _left_by_cancellation(self) -> None:
        if self._watchers == 1 and self._grace is not None and not self.task.done():
            # By timer, not by task: a loop that closes cancels every task and runs no timer, and the build survives.
            self._leaving = asyncio.get_running_loop().call_later(self._grace, self._abandon)

    def _abandon(self) -> None:
        self.on_end()
        self.cancel()

    def _moved(self, ahead: int) -> None:
        if ahead != self._ahead and not self.log.done:
            self._ahead = ahead
            message = f"Waiting for a free place: {ahead} {'build' if ahead == 1 else 'builds'} ahead"
            self.log.append([Entry(kind="phase", message=message)], time.time())

    async def _work(self) -> None:
        try:
            await self._place.go.wait()
            self._environment = await self._run.run()
        except asyncio.CancelledError:
            if not self._cancelled:
                raise  # the hub is stopping: the containers go on, the next hub finds them
            self.task.uncancel()
            await self._fail(
                BuildState.CANCELLED, BuildCancelled("The build was cancelled.", hint="Start it again.")
            )
        except BuildFailed as error:
            state = BuildState.INTERRUPTED if error.code == INTERRUPTED else BuildState.FAILED
            await self._fail(state, error)
        except EngineFailure as error:
            await self._fail(BuildState.FAILED, error)
        except Exception as error:  # noqa: BLE001  # the outermost edge of the task: watchers would wait for ever
            _log.exception("a build failed by a mistake of ours")
            failure = BuildFailed(
                "The build failed inside the hub.", hint="Tell an administrator.", code="hub_error"
            )
            failure.__cause__ = error
            await self._fail(BuildState.FAILED, failure)
        else:
            self.on_end()
            self.log.finish(BuildState.READY, "The image is ready.", time.time())
            await self._tidied()
        finally:
            self._line.leave(self._place)
            self.log.close()

    async def _fail(self, state: BuildState, failure: VersatileHubError) -> None:
        """Remove everything first: whoever hears of the failure may start again at once."""
        self._failure = failure
        await self._tidied()
        await self._run.discard()
        self.on_end()
        self.log.finish(state, failure.message, time.time(), dict(failure.to_json()))

    async def _tidied(self) -> None:
        try:
            await self._tidy()
        except EngineFailure as error:
            _log.warning("what a build left in Docker could not be removed yet: %s", error.message)
