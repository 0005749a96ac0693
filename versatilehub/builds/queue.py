"""Who builds next: round-robin between people, first come first served within one, prebuilds behind all of them.

Pure: every call returns a new `Queue`. Nobody starves: a person waits for at most one build of each other person before
each of their own, and a prebuild for `PATIENCE` builds of people. No repository takes every place while there are two.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

Lane = Literal["people", "prebuild"]

PATIENCE: Final = 8
"""Builds of people that may pass a prebuild which waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """A person who waits for a build, and how many of theirs may run at once (None: as many as there are places)."""

    user: str
    at_once: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One build in the queue. *askers* are all who wait for it: it goes when the first of them has a turn.

    *charged* is who that was, "" while it waits and for prebuilds.
    """

    id: str
    repository: str
    askers: tuple[Asker, ...] = ()
    lane: Lane = "people"
    charged: str = ""

    def asker(self, user: str) -> Asker | None:
        """Return the asker of that name."""
        return next((one for one in self.askers if one.user == user), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """*places* at once; *waiting* as they came; *ring* are the people who wait, who is next first.

    *passed* counts the builds of people that went while a prebuild waited.
    """

    places: int
    waiting: tuple[Ticket, ...] = ()
    running: tuple[Ticket, ...] = ()
    ring: tuple[str, ...] = ()
    passed: int = 0

    @property
    def share(self) -> int:
        """Return how many places one repository, or all prebuilds together, may take: one is left for others."""
        return max(1, self.places - 1)

    # -- coming and going ------------------------------------------------------------------

    def join(self, ticket: Ticket) -> Queue:
        """Put a build at the end."""
        return self._with(waiting=(*self.waiting, ticket))

    def resume(self, ticket: Ticket) -> Queue:
        """Count a build that runs already, whatever room there is."""
        return replace(self, running=(*self.running, ticket))

    def leave(self, id: str) -> Queue:  # noqa: A002  # the field's name
        """Take a build out, waiting or running."""
        return self._with(
            waiting=tuple(one for one in self.waiting if one.id != id),
            running=tuple(one for one in self.running if one.id != id),
        )

    def ask(self, id: str, asker: Asker) -> Queue:  # noqa: A002
        """Let one more person wait for a build; a prebuild that a person waits for is a person's build."""

        def add(one: Ticket) -> Ticket:
            if one.id != id or one.asker(asker.user):
                return one
            return replace(one, askers=(*one.askers, asker), lane="people")

        return self._with(waiting=tuple(map(add, self.waiting)), running=self.running)

    def unask(self, id: str, user: str) -> Queue:  # noqa: A002
        """Let a person wait no more; the last who asked keeps the build's place until it is taken out."""

        def drop(one: Ticket) -> Ticket:
            left = tuple(asker for asker in one.askers if asker.user != user)
            return replace(one, askers=left) if one.id == id and left else one

        return self._with(waiting=tuple(map(drop, self.waiting)), running=self.running)

    # -- whose turn it is ------------------------------------------------------------------

    def advance(self) -> tuple[Queue, tuple[Ticket, ...]]:
        """Return the queue with every free place taken, and the builds that took them."""
        queue, went = self, list[Ticket]()
        while (ticket := queue.next()) is not None:
            queue = queue.went(ticket)
            went.append(ticket)
        return queue, tuple(went)

    def next(self) -> Ticket | None:
        """Return the build that goes now, charged to the person whose turn it is; None when none may."""
        if len(self.running) >= self.places:
            return None
        prebuild = self._next_prebuild()
        if prebuild is not None and self.passed >= PATIENCE:
            return prebuild
        for user in self.ring:
            for ticket in self.waiting:
                asker = ticket.asker(user) if ticket.lane == "people" else None
                if asker is not None and self._has_room(ticket, asker):
                    return replace(ticket, charged=user)
        return prebuild

    def order(self) -> tuple[Ticket, ...]:
        """Return who waits in the order they will go, if those that run end in the order they began."""
        queue, went = self, list[Ticket]()
        while queue.waiting:
            ticket = queue.next()
            if ticket is not None:
                queue = queue.went(ticket)
                went.append(ticket)
            elif queue.running:
                queue = replace(queue, running=queue.running[1:])
            else:  # nothing may go: a limit of zero
                return (*went, *queue.waiting)
        return tuple(went)

    def _has_room(self, ticket: Ticket, asker: Asker) -> bool:
        theirs = sum(one.charged == asker.user for one in self.running)
        return self._repository_has_room(ticket) and (asker.at_once is None or theirs < asker.at_once)

    def _repository_has_room(self, ticket: Ticket) -> bool:
        return sum(one.repository == ticket.repository for one in self.running) < self.share

    def _next_prebuild(self) -> Ticket | None:
        if sum(one.lane == "prebuild" for one in self.running) >= self.share:
            return None
        prebuilds = (one for one in self.waiting if one.lane == "prebuild")
        return next(filter(self._repository_has_room, prebuilds), None)

    def went(self, ticket: Ticket) -> Queue:
        """Return the queue with a ticket among those that run; who had the turn goes to the end of the ring."""
        waiting = tuple(one for one in self.waiting if one.id != ticket.id)
        held_up = any(one.lane == "prebuild" for one in waiting)
        people = ticket.lane == "people"
        ring = tuple(user for user in self.ring if not people or user != ticket.charged)
        return self._with(
            waiting=waiting,
            running=(*self.running, ticket),
            ring=(*ring, ticket.charged) if people else ring,
            passed=self.passed + 1 if held_up and people else 0,
        )

    def _with(
        self,
        *,
        waiting: tuple[Ticket, ...],
        running: tuple[Ticket, ...] | None = None,
        ring: tuple[str, ...] | None = None,
        passed: int | None = None,
    ) -> Queue:
        """Return the queue with these tickets: in the ring is who waits, newcomers at its end."""
        people = dict.fromkeys(asker.user for one in waiting if one.lane == "people" for asker in one.askers)
        known = tuple(user for user in (self.ring if ring is None else ring) if user in people)
        newcomers = tuple(user for user in people if user not in known)
        return replace(
            self,
            waiting=waiting,
            running=self.running if running is None else running,
            ring=known + newcomers,
            passed=self.passed if passed is None else passed,
        )
