"""One running build: the task that drives it, and those who wait for it."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from versatilehub.errors import BuildCancelled, BuildFailed, EngineFailure, VersatileHubError

from .book import up_to_date
from .events import BuildState
from .logs import BuildLog, Entry
from .run import INTERRUPTED, Run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from versatilehub.store.builds import BuildRecord

    from .audience import Audience
    from .estimates import Estimate
    from .events import BuildEvent
    from .line import Line, Place
    from .probe import Environment

_log: Final = logging.getLogger(__name__)


class Job:
    """Drives one `Run` to its end in a task of its own, which outlives every watcher but not the event loop."""

    def __init__(  # its collaborators, each needed
        self,
        *,
        record: BuildRecord,
        run: Run,
        log: BuildLog,
        line: Line,
        place: Place,
        audience: Audience,
        grace: float | None,
        tidy: Callable[[], Awaitable[None]],
    ) -> None:
        self.log = log
        self.audience = audience
        self._record = record
        self._run = run
        self._line = line
        self._place = place
        self._grace = grace
        self._tidy = tidy
        self._cancelled = False
        self._leaving: asyncio.TimerHandle | None = None
        self._environment: Environment | None = None
        self._failure: VersatileHubError | None = None
        self.on_end: Callable[[], None] = lambda: None
        self.task: asyncio.Task[None]
        self._where: BuildEvent | None = None
        place.moved = self._moved

    @property
    def place(self) -> BuildEvent | None:
        """Return where in the queue it is, None once it runs."""
        return self._where if self.log.state is BuildState.QUEUED else None

    @property
    def record(self) -> BuildRecord:
        """Return the build as it is now."""
        return up_to_date(self._record, self.log, self.audience.people)

    def start(self) -> asyncio.Task[None]:
        """Begin; the line decides when."""
        self.task = asyncio.create_task(self._work(), name="versatilehub-build")
        self._line.advance()
        return self.task

    def cancel(self, by: str = "") -> None:
        """End the build and remove what it has in Docker; those who wait get `BuildCancelled`. *by* is for the record."""
        if not self.task.done() and not self._cancelled:
            self._record = replace(self._record, cancelled_by=by)
            self._cancelled = True
            self.task.cancel()

    def leave(self, user: str) -> None:
        """Let one person wait no more; the build goes on, unless nobody else waits."""
        self.audience.leave(user)
        self._line.unask(self._record.id, user)

    async def watch(self, watcher: Callable[[BuildEvent], None], user: str = "") -> Environment:
        """Tell *watcher* every event from the first on, and return or raise what the build ends with."""
        replay = self.log.replay()
        self.audience.come(user, replay)
        self.stay()
        try:
            with replay:
                while lines := await replay.read():
                    for line in lines:
                        watcher(line.event)
        except asyncio.CancelledError:
            self.audience.go(user, replay)
            self._left_by_cancellation(user)
            raise
        finally:
            self.audience.go(user, replay)
        if self._environment is not None:
            return self._environment
        if replay.stopped:
            raise BuildCancelled(
                "You wait for this build no more; it goes on for the others.", hint="Start it again."
            )
        raise self._failure or BuildFailed(
            "The hub is stopping; the build goes on without it.",
            hint="Start again in a minute.",
            code="hub_stopping",
        )

    def stay(self) -> None:
        """Keep the build: somebody waits again."""
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None

    def _left_by_cancellation(self, user: str) -> None:
        if user not in self.audience.people:
            self._line.unask(self._record.id, user)
        self.forsake()

    def forsake(self) -> None:
        """End the build after a grace period unless somebody waits for it."""
        if not self.audience.people and self._grace is not None and not self.task.done():
            # By timer, not by task: a loop that closes cancels every task and runs no timer, and the build survives.
            self._leaving = asyncio.get_running_loop().call_later(self._grace, self._abandon)

    def _abandon(self) -> None:
        self.on_end()
        self.cancel()

    def _moved(self, position: int, ahead: int, estimate: Estimate | None) -> None:
        here = self._where
        if self.log.done or (here is not None and (here.position, here.ahead) == (position, ahead)):
            return
        builds = "1 build" if ahead == 1 else f"{ahead} builds"
        message = f"Place {position} in the queue, {builds} ahead"
        if estimate is not None:
            message += f"; starts in about {_span(estimate.median)}, at most {_span(estimate.p95)}"
        entry = Entry(kind="phase", message=message, position=position, ahead=ahead, estimate=estimate)
        self._where = self.log.append([entry], time.time())

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
            made = self._environment
            self.on_end()
            result = {"image": made.image, "image_id": made.image_id, "pack": made.pack}
            self.log.finish(BuildState.READY, "The image is ready.", time.time(), result=result)
            self._line.leave(self._record.id)
            await self._tidy()
        finally:
            self._line.leave(self._record.id)
            self.log.close()

    async def _fail(self, state: BuildState, failure: VersatileHubError) -> None:
        """Remove everything first: whoever hears of the failure may start again at once."""
        self._failure = failure
        await self._tidy()
        try:
            await self._run.discard()
        except EngineFailure as error:
            _log.warning("the image of a failed build could not be removed: %s", error.message)
        self.on_end()
        self.log.finish(state, failure.message, time.time(), as_error(failure))


def as_error(failure: VersatileHubError) -> dict[str, str]:
    """Return a failure as the log keeps it."""
    file = failure.cause_file if isinstance(failure, BuildFailed) else ""
    return {**failure.to_json(), "file": file}


def _span(seconds: float) -> str:
    """Return seconds as a person says them."""
    if seconds < 90:  # "1 min" would be less exact than is known
        return f"{round(seconds)} s"
    return f"{round(seconds / 60)} min"
