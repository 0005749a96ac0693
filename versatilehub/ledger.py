"""Appends events to the ledger without anybody waiting: what happens never depends on whether it could be written down.

Events wait in memory for up to a second and are written together, in their order, in a thread. A hub that ends by itself writes
what waits; one that is killed loses the last second. A database that is away is tried again; beyond `CAPACITY` waiting
events new ones are dropped, and the log says how many.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections import deque
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from versatilehub.errors import StoreFailure
from versatilehub.events import Event
from versatilehub.store import ledger as rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from versatilehub.store import Store

log = logging.getLogger(__name__)

#: Events that may wait for a database that is away: at 1 kB each some 20 MB.
CAPACITY = 20_000
#: Events in one transaction.
BATCH = 500
#: Seconds events wait for company, and seconds until a failed write is tried again.
TOGETHER = 0.5
AGAIN = 5.0


class Ledger:
    """The events of one hub. *observers* are called with each event as it happens; what they raise is logged."""

    def __init__(
        self,
        store: Store,
        *,
        groups_of: Callable[[str], Sequence[str]] = lambda _: (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._groups_of = groups_of
        self._clock = clock
        self._waiting: deque[Event] = deque()
        self._writing = threading.Lock()
        self._writer: asyncio.Task[None] | None = None
        self._dropped = 0
        self.observers: list[Callable[[Event], None]] = []

    def append(
        self, kind: str, *, owner: str, server: str = "", workspace: str = "", source: str = "", **data: Any
    ) -> None:
        """Record that *kind* happened now. Never waits, never raises.

        *data* are JSON values: figures and names, no token and no path. The owner's groups of this moment are kept with it.
        """
        try:
            event = Event(
                at=self._clock(),
                kind=str(kind),
                owner=owner,
                groups=tuple(self._groups_of(owner)) if owner else (),
                server=server,
                workspace=workspace,
                source=source,
                data=json.loads(json.dumps(data)),
            )
            self._take(event)
        except Exception:  # the caller starts servers, which matters more than the record of it
            log.exception("An event of kind %s was not recorded", kind)

    def _take(self, event: Event) -> None:
        if len(self._waiting) >= CAPACITY:
            self._dropped += 1
            if self._dropped == 1:
                log.error("%d events wait for the database; from here on they are lost", CAPACITY)
            return
        self._waiting.append(event)
        for observer in self.observers:
            try:
                observer(event)
            except Exception:  # one that fails must not cost the others their event
                log.exception("An observer of the ledger failed")
        self._wake()

    def _wake(self) -> None:
        """Have a task write; without a loop (a command line) events wait for `flush`."""
        if self._writer is not None and not self._writer.done():
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        self._writer = loop.create_task(self._write())

    async def _write(self) -> None:
        wait = TOGETHER
        while self._waiting:
            await asyncio.sleep(wait)
            try:
                await asyncio.to_thread(self.flush)
                wait = TOGETHER
            except StoreFailure as error:
                log.warning("%d events wait: %s", len(self._waiting), error)
                wait = AGAIN

    def flush(self) -> None:
        """Write what waits, in this thread; raises `StoreFailure`, and what was not written still waits then."""
        with self._writing:  # the end of the hub may meet the writer's thread
            while self._waiting:
                batch = list(islice(self._waiting, BATCH))
                self._store.run_now(lambda session, batch=batch: rows.add(session, batch))  # type: ignore[misc]  # bound now
                for _ in batch:
                    self._waiting.popleft()
            if self._dropped:
                log.error("%d events were lost while the database was away", self._dropped)
                self._dropped = 0

    async def flushed(self) -> None:
        """Return when everything recorded so far is in the database; raises `StoreFailure`."""
        await asyncio.to_thread(self.flush)

    def close(self) -> None:
        """Write what waits, for the last time."""
        if self._writer is not None and not self._writer.get_loop().is_closed():
            self._writer.cancel()
        try:
            self.flush()
        except StoreFailure as error:
            log.error("%d events are lost: %s", len(self._waiting), error)  # noqa: TRY400  # the reason is the database's
