"""When does a server stop by itself? One pure answer, for the culler, the pages, the API and the notice in JupyterLab alike.

A server has two ends: idle for as long as its limit, and its greatest age. Each may be put off by its owner, by at most
`Limits.extension`, counted from where that end would be: pressing twice gains nothing. Facts come from the hub's own
records, never from user options. A clock that jumps never ends a server early.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, NoReturn

from versatilehub.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Seconds by which wall clock and steady clock may differ between two looks; more is a jump (security.md §5).
JUMP = 60.0
#: So many servers may always stop in one pass, however few there are.
ALWAYS = 2

_EVER = datetime(1, 1, 1, tzinfo=UTC)

Why = Literal["", "idle", "age"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What holds for one server, in seconds. None is no limit; *extension* 0 is no putting off."""

    idle: int | None = None
    age: int | None = None
    extension: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A running server as the hub knows it: *keep_until* is what its owner asked for, None when nothing."""

    owner: str
    server: str
    started: datetime
    last_activity: datetime | None = None
    keep_until: datetime | None = None
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """The wall clock went on by *seconds* more than time did, when it should have shown *before*."""

    before: datetime
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """What is known about time: *now*; *settled*, before which nothing stops (a hub that just started hears of no activity yet)."""

    now: datetime
    settled: datetime = _EVER
    jumps: tuple[Jump, ...] = ()

    def after(self, since: datetime, seconds: float) -> datetime:
        """Return the wall time at which *seconds* have really passed since *since*.

        Time that only the clock claims, because it was put forward, does not count. One put back is never added, and makes
        stamps of before look newer than they are: an end may come late by it, never early.
        """
        lost = back = 0.0
        for jump in self.jumps:
            if jump.seconds < 0:
                back -= jump.seconds
            elif since <= _later(jump.before, back):
                lost += jump.seconds
        return _later(since, seconds + lost)


@dataclass(frozen=True, slots=True, kw_only=True)
class Countdown:
    """When a server stops if nobody does anything, and *why*; *at* None is never.

    *latest* is how far its owner may put that off, *unextended* the end without any putting off.
    """

    at: datetime | None = None
    why: Why = ""
    latest: datetime | None = None
    unextended: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Tell whether the server stops in a pass at *now*."""
        return self.at is not None and now >= self.at

    def seconds_left(self, now: datetime) -> float | None:
        """Return the seconds until the end, 0 when it is past, None without an end."""
        return None if self.at is None else max(0.0, (self.at - now).total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one pass stops, longest overdue first; *held* waits for the next pass. *skip* says why there is none."""

    stop: tuple[Running, ...] = ()
    held: tuple[Running, ...] = ()
    running: int = 0
    skip: str = ""


@dataclass(slots=True)
class ClockWatch:
    """Compares the wall clock with a steady one at each look and remembers where they parted."""

    grace: float
    settled: datetime | None = None
    jumps: list[Jump] = field(default_factory=list)
    _wall: datetime | None = None
    _steady: float = 0.0

    def look(self, wall: datetime, steady: float) -> Clock:
        """Return what is known at *wall*, *steady* being seconds of a clock nobody sets."""
        if self._wall is None:
            self.settled = _later(wall, self.grace)
        else:
            expected = self._wall + timedelta(seconds=steady - self._steady)
            apart = (wall - expected).total_seconds()
            if abs(apart) > JUMP:
                self.jumps.append(Jump(before=expected, seconds=apart))
                self.settled = _later(wall, self.grace)
        self._wall, self._steady = wall, steady
        return Clock(now=wall, settled=self.settled or wall, jumps=tuple(self.jumps))


def countdown(running: Running, clock: Clock) -> Countdown:
    """Return when *running* stops if nobody does anything. The one rule: whoever shows or does it asks here."""
    limits = running.limits
    # A stamp of the future is no later than now: a clock was put back, or somebody reported nonsense.
    active = min(max(running.last_activity or running.started, running.started), clock.now)
    ends: list[tuple[datetime, datetime, datetime, Why]] = []
    for since, seconds, why in (
        (active, limits.idle, "idle"),
        (min(running.started, clock.now), limits.age, "age"),
    ):
        if seconds is not None:
            plain = clock.after(since, seconds)
            latest = _later(plain, limits.extension)
            put_off = min(max(plain, running.keep_until or plain), latest)
            ends.append((put_off, plain, latest, why))  # type: ignore[arg-type]  # a literal of the two
    if not ends:
        return Countdown()
    at, _, _, why = min(ends)
    return Countdown(
        at=max(at, clock.settled),
        why=why,
        latest=min(latest for _, _, latest, _ in ends),
        unextended=min(plain for _, plain, _, _ in ends),
    )


def plan(servers: Iterable[Running], clock: Clock, *, share: float = 0.5) -> Plan:
    """Return what one pass stops: what is due, but no more than *share* of all that run, or `ALWAYS`.

    A fault that makes everybody look idle then costs half at most before somebody reads the log; a class that ends at
    once is gone after a few passes.
    """
    rows = [(countdown(one, clock).at, one) for one in servers]
    due = sorted(
        ((at, one) for at, one in rows if at is not None and clock.now >= at),
        key=lambda row: (row[0], row[1].owner, row[1].server),
    )
    allowed = max(ALWAYS, math.floor(len(rows) * share))
    chosen = [one for _, one in due]
    skip = "settling" if clock.now < clock.settled else ""
    return Plan(stop=tuple(chosen[:allowed]), held=tuple(chosen[allowed:]), running=len(rows), skip=skip)


def extend(running: Running, clock: Clock, seconds: int) -> datetime:
    """Return the `Running.keep_until` that puts the end off by *seconds*, or as far as is left.

    Raises `Refusal` when there is no end, no putting off, none left, or more is asked for than the policy has.
    """
    limit = running.limits.extension
    now = countdown(running, clock)
    if now.at is None or now.latest is None:
        _refuse("no_deadline", "This server has no end to put off.", "Nothing needs to be done.")
    if limit <= 0:
        _refuse(
            "extension_not_offered",
            "This hub does not let people keep a server beyond its limit.",
            "Use the server, or start it again when it has stopped: your files stay.",
            limit=0,
            actual=seconds,
        )
    if not 0 < seconds <= limit:
        _refuse(
            "extension_out_of_range",
            f"A server is kept for at most {duration(limit)} longer; this asks for {seconds} seconds.",
            f"Ask for 1 to {limit} seconds.",
            limit=limit,
            actual=seconds,
        )
    if now.at >= now.latest:
        _refuse(
            "extension_used_up",
            f"This server is already kept as long as the limit of {duration(limit)} allows, until {moment(now.latest)}.",
            "Save your work; it can be started again when it has stopped." if now.why == "age" else "Use it.",
            limit=limit,
            actual=seconds,
        )
    return min(_later(max(now.at, clock.now), seconds), now.latest)


def limits_of(
    wish: int | None, *, idle: int | None, idle_max: int | None, age: int | None, extension: int
) -> Limits:
    """Return the limits of a server whose person asked for *wish* seconds of idleness, None for the usual.

    *idle* and *idle_max* are the policy's usual and greatest; a wish beyond the greatest counts as the greatest, so a policy that
    became stricter holds for servers that run.
    """
    chosen = idle if wish is None else wish
    if idle_max is not None:
        chosen = idle_max if chosen is None else min(chosen, idle_max)
    return Limits(idle=chosen, age=age, extension=extension)


def is_busy(kernels: Sequence[object]) -> bool:
    """Tell whether the answer of a server to ``/api/kernels`` has a kernel that computes."""
    return any(isinstance(one, dict) and one.get("execution_state") == "busy" for one in kernels)


def duration(seconds: float) -> str:
    """Return seconds in words of one unit: ``2 h``, ``90 min``, ``45 s``."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size:g} {unit}"
    return f"{seconds / 60:.0f} min" if seconds >= 600 else f"{seconds:g} s"


def moment(at: datetime) -> str:
    """Return a time for people, to the minute, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _later(since: datetime, seconds: float) -> datetime:
    try:
        return since + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def _refuse(code: str, message: str, hint: str, *, limit: object = "", actual: object = "") -> NoReturn:
    raise Refusal(message, hint=hint, field="seconds", code=code, limit=str(limit), actual=str(actual))
