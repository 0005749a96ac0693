"""The warm list: repositories whose images are made ahead of need, at a time of day or when their forge says so. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from versatilehub.errors import InvalidInput
from versatilehub.sources import check_subdir, parse_source
from versatilehub.text import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from versatilehub.sources import Source, SourceRules

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME: Final = re.compile(r"(?:(?P<days>[a-z,\-]+)\s+)?(?P<hour>\d{1,2}):(?P<minute>\d{2})", re.ASCII)
_KEYS: Final = frozenset({"source", "ref", "subdir", "at"})
CATCH_UP: Final = timedelta(hours=12)
"""A time that passed while the hub was down is made up for within this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeOfDay:
    """When, by the machine's clock: *days* are 0 for Monday to 6."""

    hour: int
    minute: int
    days: frozenset[int] = frozenset(range(7))


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmEntry:
    """One repository to make ahead; *at* None: only when it is asked for."""

    source: Source
    at: TimeOfDay | None = None

    @property
    def key(self) -> str:
        """Return what tells this entry from others, 64 hex digits."""
        text = f"{self.source.url}\n{self.source.ref}\n{self.source.subdir}"
        return hashlib.sha256(text.encode()).hexdigest()

    def __str__(self) -> str:
        ref = f" at {self.source.ref}" if self.source.ref else ""
        return f"{self.source.url}{ref}{f', {self.source.subdir}' if self.source.subdir else ''}"


def read_entries(rows: Iterable[Mapping[str, Any]], rules: SourceRules) -> tuple[WarmEntry, ...]:
    """Return the entries of the `warm` setting, or raise `InvalidInput` that names the one at fault."""
    return tuple(_entry(number, row, rules) for number, row in enumerate(rows, start=1))


def _entry(number: int, row: Mapping[str, Any], rules: SourceRules) -> WarmEntry:
    unknown = sorted(set(row) - _KEYS)
    if unknown or not all(isinstance(value, str) for value in row.values()) or not row.get("source"):
        wrong = f"has the unknown key {quoted(unknown[0], 60)}" if unknown else "needs texts, and a source"
        hint = (
            'For example {"source": "https://github.com/org/course", "ref": "main", "at": "mon-fri 06:30"}.'
        )
        raise InvalidInput(f"Entry {number} of the warm list {wrong}.", hint=hint, field="warm")
    source = parse_source(row["source"], row.get("ref") or None, rules=rules)
    if row.get("subdir"):
        source = replace(source, subdir=check_subdir(row["subdir"]))
    return WarmEntry(source=source, at=parse_time(row["at"]) if row.get("at") else None)


def parse_time(text: str) -> TimeOfDay:
    """Return the time of ``06:30``, ``mon-fri 06:30`` or ``mon,wed,sat 23:00``; raise `InvalidInput` for anything else."""
    found = _TIME.fullmatch(text.strip().lower())
    hour, minute = (int(found["hour"]), int(found["minute"])) if found else (99, 99)
    days = _days(found["days"]) if found and found["days"] else frozenset(range(7))
    if hour > 23 or minute > 59 or not days:
        hint = "For example 06:30, mon-fri 06:30 or mon,wed 23:00."
        raise InvalidInput(f"{quoted(text, 60)} is no time of day.", hint=hint, field="warm")
    return TimeOfDay(hour=hour, minute=minute, days=days)


def _days(text: str) -> frozenset[int]:
    """Return the days that are named, none when one is no day."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        last = last if dash else first
        if first not in DAYS or last not in DAYS:
            return frozenset()
        begin, end = DAYS.index(first), DAYS.index(last)
        found |= {day % 7 for day in range(begin, end + 1 if end >= begin else end + 8)}
    return frozenset(found)


def is_due(at: TimeOfDay, since: datetime, now: datetime) -> bool:
    """Tell whether a time came after *since* and until *now*; both with their zone, *now* in the machine's own.

    What passed more than `CATCH_UP` ago is not made up for.
    """
    since = max(since, now - CATCH_UP)
    for back in (0, 1):
        day = now - timedelta(days=back)
        moment = day.replace(hour=at.hour, minute=at.minute, second=0, microsecond=0)
        if moment.weekday() in at.days and since < moment <= now:
            return True
    return False
