"""What was used in a month: events in, figures out. `account` says the rules."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, get_args

from versatilehub.errors import InvalidInput
from versatilehub.events import Event, Kind
from versatilehub.text import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

#: GB and G are the policy's: 2**30 bytes.
GB = 2**30
HOUR = 3600.0
DAY = 86400.0

By = Literal["user", "group", "workspace"]
BYS: tuple[By, ...] = get_args(By)


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A calendar month in UTC: [begin, end)."""

    begin: datetime
    end: datetime

    @classmethod
    def parse(cls, text: str) -> Month:
        """Return the month ``2026-11`` means; raises `InvalidInput`."""
        if not re.fullmatch(r"[0-9]{4}-(?:0[1-9]|1[0-2])", text) or not 2000 <= int(text[:4]) <= 9998:
            raise InvalidInput(
                f"{quoted(text)} is no month.",
                hint="Write it as 2026-11.",
                field="month",
                code="invalid_month",
            )
        return cls.of(datetime(int(text[:4]), int(text[5:]), 1, tzinfo=UTC))

    @classmethod
    def of(cls, at: datetime) -> Month:
        """Return the month *at* is in."""
        begin = at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        years, month = divmod(begin.month, 12)
        return cls(begin=begin, end=begin.replace(year=begin.year + years, month=month + 1))

    def __str__(self) -> str:
        return f"{self.begin:%Y-%m}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Something that lasted: from the event that began it to *end*. *per_second* figures are added for as long."""

    event: Event
    end: datetime

    def seconds(self, month: Month) -> float:
        """Return how much of it lies within *month*."""
        cut = min(self.end, month.end) - max(self.event.at, month.begin)
        return max(0.0, cut.total_seconds())


@dataclass(slots=True)
class Figures:
    """What somebody used in a month."""

    server_hours: float = 0.0
    cpu_hours: float = 0.0
    gb_hours: float = 0.0
    build_minutes: float = 0.0
    storage_gb_days: float = 0.0
    refusals: int = 0

    def add(self, other: Figures) -> None:
        """Add *other* to these."""
        for figure in FIGURES:
            setattr(self, figure, getattr(self, figure) + getattr(other, figure))

    def rounded(self) -> dict[str, float | int]:
        """Return the figures by name, to a millionth: what differs beyond is noise of the sums."""
        return {figure: round(getattr(self, figure), 6) for figure in FIGURES}


FIGURES = tuple(one.name for one in fields(Figures))


def account(events: Iterable[Event], month: Month, *, now: datetime, by: By = "user") -> dict[str, Figures]:
    """Return the figures of *month* for each user, group or workspace ("" is none) that has any, what still runs counted until *now*.

    *events* are all those that reach into the month (`store.ledger.reaching_into`), in the order of recording. Rules:

    - A run begins with `server.started` and ends with the first of: its stop or delete, the next start of the same server, a
      start of the hub that did not find it running, *now*. A crash that recorded no stop thus counts until somebody
      noticed, never longer.
    - A build ends with its end, the next start of the same build, the next start of the hub, or *now*.
    - A volume holds what was last measured until it is measured again or purged; trash counts, for it takes up the disk.
    - Spans are cut at the month's ends, in UTC. Groups and workspace are those of the moment a span began. A person in two
      groups counts in both, so that groups may add up to more than everything.
    """
    ordered = list(events)
    table: defaultdict[str, Figures] = defaultdict(Figures)
    for event, figures in _figures(ordered, month, now):
        for key in _keys(event, by):
            table[key].add(figures)
    return {key: table[key] for key in sorted(table) if table[key] != Figures()}


def total(table: Iterable[Figures]) -> Figures:
    """Return the sum of figures."""
    summed = Figures()
    for figures in table:
        summed.add(figures)
    return summed


def runs(events: Sequence[Event], now: datetime) -> list[Span]:
    """Return when servers ran."""

    def ended_by(event: Event, opened: Event) -> bool:
        if event.kind == Kind.HUB_STARTED:
            return [opened.owner, opened.server] not in [list(pair) for pair in event.data.get("running", ())]
        return event.kind in {Kind.SERVER_STOPPED, Kind.SERVER_DELETED}

    return _spans(events, now, Kind.SERVER_STARTED, lambda e: (e.owner, e.server), ended_by)


def builds(events: Sequence[Event], now: datetime) -> list[Span]:
    """Return when builds ran."""

    def ended_by(event: Event, _: Event) -> bool:
        return event.kind in {Kind.BUILD_ENDED, Kind.HUB_STARTED}

    return _spans(events, now, Kind.BUILD_STARTED, lambda e: (e.subject,), ended_by)


def stored(events: Sequence[Event], now: datetime) -> list[Span]:
    """Return how long volumes held what was measured."""

    def ended_by(event: Event, _: Event) -> bool:
        return event.kind == Kind.VOLUME_PURGED

    return _spans(events, now, Kind.VOLUME_MEASURED, lambda e: (e.subject,), ended_by)


def _spans(
    events: Sequence[Event],
    now: datetime,
    begins: Kind,
    key_of: Callable[[Event], tuple[str, ...]],
    ended_by: Callable[[Event, Event], bool],
) -> list[Span]:
    """Pair beginnings with ends; a beginning ends the one of the same key before it."""
    opened: dict[tuple[str, ...], Event] = {}
    done: list[Span] = []

    def close(key: tuple[str, ...], at: datetime) -> None:
        began = opened.pop(key)
        done.append(Span(event=began, end=max(at, began.at)))

    for event in events:
        keys = list(opened) if event.kind == Kind.HUB_STARTED else [key_of(event)]
        for key in keys:
            if key in opened and (event.kind == begins or ended_by(event, opened[key])):
                close(key, event.at)
        if event.kind == begins:
            opened[key_of(event)] = event
    for key in list(opened):
        close(key, now)
    return done


def _figures(events: Sequence[Event], month: Month, now: datetime) -> Iterator[tuple[Event, Figures]]:
    for run in runs(events, now):
        hours = run.seconds(month) / HOUR
        cpus, memory = (_number(run.event.data.get(key)) for key in ("cpus", "memory"))
        yield (
            run.event,
            Figures(server_hours=hours, cpu_hours=hours * cpus, gb_hours=hours * memory / GB),
        )
    for build in builds(events, now):
        yield build.event, Figures(build_minutes=build.seconds(month) / 60)
    for volume in stored(events, now):
        held = _number(volume.event.data.get("bytes")) / GB
        yield volume.event, Figures(storage_gb_days=held * volume.seconds(month) / DAY)
    for event in events:
        if event.kind == Kind.REFUSED and month.begin <= event.at < month.end:
            yield event, Figures(refusals=1)


def _keys(event: Event, by: By) -> tuple[str, ...]:
    if by == "user":
        return (event.owner,)
    return (event.workspace,) if by == "workspace" else event.groups or ("",)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
