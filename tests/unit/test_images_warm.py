"""The warm list: what an entry may be, and when its time has come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from versatilehub.errors import InvalidInput
from versatilehub.images.warm import is_due, parse_time, read_entries
from versatilehub.source_types import PUBLIC

NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)  # a Thursday


def test_entries() -> None:
    """Source, ref, folder and time; the same repository at two refs is two entries."""
    rows = [
        {"source": "https://github.com/Org/Course", "ref": "main", "subdir": "week1", "at": "06:30"},
        {"source": "https://github.com/org/course", "ref": "2026"},
    ]
    first, second = read_entries(rows, PUBLIC)

    assert ("https://github.com/org/course", "main", "week1") == (
        first.source.url,
        first.source.ref,
        first.source.subdir,
    )
    assert parse_time("06:30") == first.at
    assert second.at is None
    assert first.key != second.key


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"source": ""},
        {"source": 7},
        {"source": "https://github.com/a/b", "when": "6:30"},
        {"source": "https://github.com/a/b", "at": "noon"},
        {"source": "not a link"},
        {"source": "https://github.com/a/b", "subdir": "../x"},
    ],
    ids=str,
)
def test_what_is_no_entry(row: dict[str, object]) -> None:
    """Anything else is refused."""
    with pytest.raises(InvalidInput):
        read_entries([row], PUBLIC)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("6:30", {0, 1, 2, 3, 4, 5, 6}),
        ("mon-fri 06:30", {0, 1, 2, 3, 4}),
        ("MON,wed 6:30", {0, 2}),
        ("sat-mon 6:30", {5, 6, 0}),
        ("sun 6:30", {6}),
    ],
)
def test_times(text: str, days: set[int]) -> None:
    """A time of day, on all days or some."""
    found = parse_time(text)

    assert (6, 30, frozenset(days)) == (found.hour, found.minute, found.days)


@pytest.mark.parametrize(
    "text", ["", "6", "24:00", "06:60", "6:3", "fri 6:30 7:30", "day 6:30", "mon- 6:30", "* * * * *", "٦:30"]
)
def test_what_is_no_time(text: str) -> None:
    """Anything else is refused with examples."""
    with pytest.raises(InvalidInput, match="no time of day"):
        parse_time(text)


@pytest.mark.parametrize(
    ("text", "since", "due"),
    [
        ("11:59", timedelta(minutes=2), True),
        ("12:00", timedelta(minutes=2), True),
        ("12:01", timedelta(minutes=2), False),
        ("11:59", timedelta(seconds=30), False),
        ("01:00", timedelta(days=3), True),
        ("23:00", timedelta(days=3), False),
        ("mon-wed 11:59", timedelta(minutes=2), False),
        ("thu 11:59", timedelta(minutes=2), True),
    ],
)
def test_due(text: str, since: timedelta, due: bool) -> None:
    """Once its minute has come, and once only; a hub that was down makes up for the last half day."""
    assert due == is_due(parse_time(text), NOON - since, NOON)


def test_midnight_and_zones() -> None:
    """A time before midnight is found after it; the last look may be told in another zone."""
    after = datetime(2026, 11, 27, 0, 1, tzinfo=timezone(timedelta(hours=1)))

    assert is_due(parse_time("23:59"), after.astimezone(UTC) - timedelta(minutes=5), after)
    assert is_due(parse_time("thu 23:59"), after - timedelta(minutes=5), after)
    assert not is_due(parse_time("fri 23:59"), after - timedelta(minutes=5), after)
