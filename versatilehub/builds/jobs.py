"""`Builds`: one build per identity however many ask, a fair queue, watchers who come and go, and a life beyond the hub's.

A watcher that leaves stops nothing others wait for. When the last one leaves by cancellation the build is cancelled
after a grace period; a hub that stops leaves its builds running, and the next one finds them by their rows and labels.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from versatilehub.store import builds as rows

from .attempt import BuildSettings, Wish
from .book import record_of
from .environments import found_there
from .events import BuildEvent, BuildState
from .job import Job
from .probe import Environment
from .queue import Asker
from .wished_ends import WishedEnds
from .works import Observer, Works

if TYPE_CHECKING:
    from datetime import datetime

    from versatilehub.engine import Engine
    from versatilehub.images.registry import Registry
    from versatilehub.sources import ResolvedSource
    from versatilehub.store import Store
    from versatilehub.store.builds import BuildRecord

    from .attempt import Attempt
    from .container import Logins

__all__ = ["BuildSettings", "Builds", "Observer", "Watcher", "Wish"]

Watcher = Callable[[BuildEvent], None]

_NOBODY: Final = Wish()
_CANCELLING: Final = 30.0


class Builds:
    """All builds of one hub. Used from one event loop; a new object takes over what an earlier one left running.

    Each of `on_event` is called with every change of a build's phase and with its end, before those who wait hear of it.
    """

    def __init__(
        self,
        engine: Engine,
        settings: BuildSettings,
        store: Store,
        registry: Registry | None = None,
        *,
        logins: Logins | None = None,
    ) -> None:
        """*logins* gives the login of a *reader* for the host of a repository when a fetch needs it."""
        self._works = Works(engine, settings, store, registry, logins=logins)
        self._jobs, self._live = self._works.jobs, self._works.live
        self._environments = self._works.environments
        self._beginning = asyncio.Lock()
        self._recovery: asyncio.Task[None] | None = None
        self._ends = WishedEnds(store, self._live, self.cancel)
        self.archive = self._works.archive
        self.on_event = self._works.observers

    # -- asking ----------------------------------------------------------------------------

    async def ensure(self, resolved: ResolvedSource, watcher: Watcher, wish: Wish = _NOBODY) -> Environment:
        """Return the environment of *resolved*, building it unless its image exists.

        *watcher* is called with every event of the build from the first on, in order, whoever started it. Raises
        `BuildFailed` (also `ImageUnusable`, `BuildCancelled`), `Refusal` when *wish* asks for more builds than it may, or
        `EngineFailure`; cancelling the call leaves the build to others.
        """
        found = await self._find_or_begin(resolved, wish, watcher)
        if isinstance(found, Environment):
            watcher(found_there(found))
            return found
        return await found.watch(watcher, wish.user)

    async def begin(self, resolved: ResolvedSource, wish: Wish = _NOBODY) -> BuildRecord | Environment:
        """Return the build of *resolved*, joined or begun without waiting for it, or its environment when that exists.

        Raises as `ensure` does, but for what the build itself comes to.
        """
        found = await self._find_or_begin(resolved, wish)
        if isinstance(found, Environment):
            return found
        found.audience.hold(wish.user)
        found.stay()
        return found.record

    async def examine(self, image: str) -> Environment:
        """Return what an image that exists offers (one named directly, not built here); `ImageUnusable` if too little."""
        return await self._environments.examine(image)

    # -- builds under way ------------------------------------------------------------------

    async def cancel(self, id: str, *, by: str = "") -> bool:  # noqa: A002  # the field's name
        """Cancel a build, whoever waits for it, and return when nothing is left of it; False when it is not under way.

        *by* is who wished it, for the record.
        """
        job = self._live.get(id)
        if job is None or job.task.done():
            return False
        if self._jobs.get(job.record.identity) is job:
            del self._jobs[job.record.identity]  # whoever asks from now on gets a new one
        if by:
            self._works.book.save(id, {"cancelled_by": by})
        job.cancel(by)
        await asyncio.wait([job.task], timeout=_CANCELLING)
        return True

    def place(self, id: str) -> BuildEvent | None:  # noqa: A002
        """Return where in the queue a build is, with what is expected; None when it is not waiting."""
        job = self._live.get(id)
        return job.place if job is not None else None

    def leave(self, id: str, user: str) -> None:  # noqa: A002
        """Let one person wait for a build no more; it goes on."""
        job = self._live.get(id)
        if job is not None:
            job.leave(user)

    def waiting(self, id: str) -> frozenset[str]:  # noqa: A002
        """Return the people who wait for a build."""
        job = self._live.get(id)
        return job.audience.people if job is not None and not job.task.done() else frozenset()

    def running(self) -> dict[str, BuildState]:
        """Return the ids of the builds under way and where they are."""
        return {job.record.id: job.log.state for job in self._jobs.values()}

    # -- the hub's own beginning and end ----------------------------------------------------

    async def recover(self) -> None:
        """Adopt what a hub before this one left running and remove its leavings; done once, waited for by all."""
        if self._recovery is None:
            self._recovery = asyncio.create_task(self._works.recover())
        try:
            await asyncio.shield(self._recovery)
            self._ends.follow()
        except Exception:
            self._recovery = None  # an engine that was away: the next call tries again
            raise

    async def close(self) -> None:
        """Let go of everything without stopping a build: its containers go on, a new `Builds` finds them."""
        self._ends.close()
        await self._works.close()

    # -- parts -----------------------------------------------------------------------------

    async def _find_or_begin(
        self, resolved: ResolvedSource, wish: Wish, watcher: Watcher = lambda _: None
    ) -> Job | Environment:
        await self.recover()
        attempt = await self._environments.attempt(resolved, wish)
        if not wish.force:
            job = self._jobs.get(attempt.identity)
            # An image that is being built anew may be had as it is.
            found = await self._environments.existing(attempt) if job is None or job.record.forced else None
            if found is None and job is None:
                found = await self._environments.fetched(attempt, watcher)
            if found is not None:
                return found
        job = self._jobs.get(attempt.identity)
        if job is None:
            begun = await self._begun(attempt, wish)
            if isinstance(begun, Environment):
                return begun
            job = begun
        if wish.user not in job.record.askers and wish.user:
            await self._works.book.store.run(
                lambda session: rows.ask(session, job.record.id, wish.user, _now())
            )
        if wish.lane == "people":
            self._works.line.ask(job.record.id, Asker(user=wish.user, at_once=wish.at_once))
        return job

    async def _begun(self, attempt: Attempt, wish: Wish) -> Job | Environment:
        """Begin a build; whoever gives up meanwhile leaves one that is whole, and ends soon as nobody waits for it."""
        task = asyncio.create_task(self._begin(attempt, wish))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_forsake)
            raise

    async def _begin(self, attempt: Attempt, wish: Wish) -> Job | Environment:
        """Store the row, then take the build up; only one build begins at a time, so counts are exact."""
        record = record_of(attempt, wish)

        def add(session: Any) -> BuildRecord:
            return rows.add(session, record, per_day=wish.per_day if wish.user else None)

        async with self._beginning:
            job = self._jobs.get(attempt.identity)
            found = None if job or wish.force else await self._environments.existing(attempt)
            there = job or found
            if there is None:
                there = self._works.take_up(await self._works.book.store.run(add))
                self._ends.follow()
            return there


def _forsake(begun: asyncio.Task[Job | Environment]) -> None:
    if not begun.cancelled() and begun.exception() is None:
        job = begun.result()
        if isinstance(job, Job):
            job.forsake()


def _now() -> datetime:
    return rows.moment(time.time())
