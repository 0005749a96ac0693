"""Makes the images of the warm list: at their time, when a forge says so, or when asked; behind people in the queue.

Every wish and its end is in the database, so a command or a webhook only leaves a wish there, and the hub that runs takes it up.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import TYPE_CHECKING, Final

from versatilehub.errors import VersatileHubError
from versatilehub.images.warm import is_due
from versatilehub.store import warmings as table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from versatilehub.images.warm import WarmEntry
    from versatilehub.store import Store
    from versatilehub.store.warmings import Warming

_log: Final = logging.getLogger(__name__)
_LOOK: Final = 3.0
"""Seconds between two looks at the clock and the wishes."""


def local_now() -> datetime:
    """Return the moment by the machine's clock, with its zone."""
    return datetime.now().astimezone()


class Warmer:
    """Looks after the entries of the warm list. *make* makes one and returns its outcome, "ok" or "cached"."""

    def __init__(
        self,
        store: Store,
        entries: Sequence[WarmEntry],
        make: Callable[[WarmEntry], Awaitable[str]],
        *,
        now: Callable[[], datetime] = local_now,
    ) -> None:
        self.entries = tuple(entries)
        self._store = store
        self._make = make
        self._now = now
        self._begun = now()
        self._making: dict[str, asyncio.Task[None]] = {}
        self._watching: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """Begin to look, unless there is nothing to look after."""
        if self.entries and self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name="versatilehub-warm")

    async def close(self) -> None:
        """Look no more; builds under way go on."""
        tasks = [task for task in (self._watching, *self._making.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def request(self, entry: WarmEntry) -> Warming:
        """Leave the wish to have an entry made now, and return how it stood before."""
        before = await self.state(entry)
        now = self._now()
        await self._store.run(lambda session: table.request(session, entry.key, now))
        return before

    async def state(self, entry: WarmEntry) -> Warming:
        """Return how an entry stands."""
        return await self._store.run(lambda session: table.find(session, entry.key))

    async def take(self, delivery: str) -> bool:
        """Write down a forge's message; False when it was taken before."""
        now = self._now()
        return await self._store.run(lambda session: table.take_delivery(session, delivery, now))

    async def look(self) -> list[WarmEntry]:
        """Begin with every entry whose time has come or that was wished for; return them."""
        begun = []
        for entry in self.entries:
            if entry.key not in self._making and self._is_wanted(entry, await self.state(entry)):
                now = self._now()
                await self._store.run(lambda session, key=entry.key, now=now: table.start(session, key, now))  # type: ignore[misc]  # bound at once
                task = self._making[entry.key] = asyncio.create_task(self._work(entry))
                task.add_done_callback(lambda _, key=entry.key: self._making.pop(key, None))  # type: ignore[misc]  # as above
                begun.append(entry)
        return begun

    def _is_wanted(self, entry: WarmEntry, state: Warming) -> bool:
        asked = state.requested_at
        if asked is not None and (state.started_at is None or asked > state.started_at):
            return True
        return entry.at is not None and is_due(entry.at, state.started_at or self._begun, self._now())

    async def _work(self, entry: WarmEntry) -> None:
        try:
            outcome, message = await self._make(entry), ""
        except VersatileHubError as error:
            outcome, message = "failed", error.message
            _log.warning("the image of %s could not be made ahead: %s", entry, error.message)
        except Exception:  # noqa: BLE001  # the edge of the task: its wish would wait for ever
            outcome, message = "failed", "The hub made a mistake; its log says which."
            _log.exception("the image of %s could not be made ahead", entry)
        else:
            _log.info("the image of %s is ready (%s)", entry, outcome)
        now = self._now()
        await self._store.run(lambda session: table.finish(session, entry.key, outcome, message, now))

    async def _watch(self) -> None:
        while True:
            try:
                await self.look()
            except VersatileHubError as error:
                _log.warning("the warm list was not looked at: %s", error.message)
            await asyncio.sleep(_LOOK)
