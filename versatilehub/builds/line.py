"""The line builds wait in: the pure `Queue` with somebody to be told, at the moment it moves."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .queue import Asker, Queue, Ticket

if TYPE_CHECKING:
    from collections.abc import Callable

    from versatilehub.store.builds import BuildRecord

    from .attempt import Attempt
    from .estimates import Estimate
    from .forecast import Forecast


@dataclass(eq=False, slots=True, kw_only=True)
class Place:
    """One build's place: *go* is set when it may run; *moved* is told its position, the builds ahead and the wait."""

    go: asyncio.Event = field(default_factory=asyncio.Event)
    began: float = 0.0
    moved: Callable[[int, int, Estimate | None], None] = field(default=lambda *_: None)


class Line:
    """Used from one event loop."""

    def __init__(self, places: int, forecast: Forecast) -> None:
        self._queue = Queue(places=places)
        self._places: dict[str, Place] = {}
        self._forecast = forecast
        self._telling: asyncio.Handle | None = None

    def join(self, ticket: Ticket, *, began: float = 0.0) -> Place:
        """Return a new place at the end, or among those that run since *began*; `advance` lets go who may."""
        place = self._places[ticket.id] = Place(began=began)
        if began:
            self._queue = self._queue.resume(ticket)
            place.go.set()
        else:
            self._queue = self._queue.join(ticket)
        return place

    def ask(self, id: str, asker: Asker) -> None:  # noqa: A002  # the field's name
        """Let one more person wait for a build: it goes when the first of them has a turn."""
        self._queue = self._queue.ask(id, asker)
        self.advance()

    def unask(self, id: str, user: str) -> None:  # noqa: A002
        """Let a person wait no more."""
        self._queue = self._queue.unask(id, user)
        self.advance()

    def leave(self, id: str) -> None:  # noqa: A002
        """Give up a place, waiting or running."""
        self._queue = self._queue.leave(id)
        self._places.pop(id, None)
        self.advance()

    def advance(self) -> None:
        """Let go who may, and soon tell the others where they are: once, however much moved."""
        self._queue, went = self._queue.advance()
        for ticket in went:
            place = self._places[ticket.id]
            place.began = time.time()
            place.go.set()
        if self._telling is None and self._queue.waiting:
            self._telling = asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        self._telling = None
        order, now = self._queue.order(), time.time()
        running = [(one.repository, now - self._places[one.id].began) for one in self._queue.running]
        repositories = [one.repository for one in order]
        for before, ticket in enumerate(order):
            expected = self._forecast.wait(running, repositories[:before], places=self._queue.places)
            self._places[ticket.id].moved(before + 1, before + len(running), expected)


def ticket_of(record: BuildRecord, attempt: Attempt) -> Ticket:
    """Return the place in the queue a build asks for."""
    if record.lane == "prebuild":
        return Ticket(id=record.id, repository=record.source, lane="prebuild")
    owner = Asker(user=record.owner, at_once=attempt.at_once)
    return Ticket(id=record.id, repository=record.source, askers=(owner,), charged=record.owner)
