"""Events in, figures out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from versatilehub.accounting import GB, Month, account, total
from versatilehub.errors import InvalidInput
from versatilehub.events import Event, Kind

NOVEMBER = Month.parse("2026-11")
END = datetime(2026, 12, 5, tzinfo=UTC)


def on(day: int, hour: float = 0, *, month: int = 11) -> datetime:
    """Return a time in 2026."""
    return datetime(2026, month, day, int(hour), round(hour % 1 * 60), tzinfo=UTC)


def event(kind: Kind, at: datetime, owner: str = "ada", server: str = "", **data: Any) -> Event:
    """Return an event; *groups* and *workspace* may be among *data*."""
    groups = tuple(data.pop("groups", ()))
    return Event(
        kind=kind,
        at=at,
        owner=owner,
        server=server,
        groups=groups,
        workspace=data.pop("workspace", ""),
        data=data,
    )


def started(at: datetime, owner: str = "ada", server: str = "", **more: Any) -> Event:
    """Return the start of a server of 2 GB and half a CPU."""
    return event(Kind.SERVER_STARTED, at, owner, server, memory=2 * GB, cpus=0.5, **more)


@pytest.mark.req("V51")
def test_a_run_counts_its_hours_times_what_was_granted() -> None:
    """Four hours with half a CPU and 2 GB are 4 server-hours, 2 CPU-hours and 8 GB-hours."""
    table = account([started(on(3, 8)), event(Kind.SERVER_STOPPED, on(3, 12))], NOVEMBER, now=END)
    assert table["ada"].rounded() == {
        "server_hours": 4,
        "cpu_hours": 2,
        "gb_hours": 8,
        "build_minutes": 0,
        "storage_gb_days": 0,
        "refusals": 0,
    }


@pytest.mark.req("V51")
@pytest.mark.parametrize(
    ("events", "hours"),
    [
        pytest.param([started(on(30, 22, month=10)), event(Kind.SERVER_STOPPED, on(1, 3))], 3, id="from October"),
        pytest.param([started(on(30, 22)), event(Kind.SERVER_STOPPED, on(1, 5, month=12))], 2, id="to December"),
        pytest.param([started(on(1, 0, month=10))], 30 * 24, id="through the whole month, still running"),
        pytest.param([started(on(1)), started(on(1, 6)), event(Kind.SERVER_STOPPED, on(1, 7))], 7, id="crash, next start"),
        pytest.param([started(on(1)), event(Kind.HUB_STARTED, on(1, 5), "", running=[])], 5, id="crash, hub's start"),
        pytest.param(
            [
                started(on(1)),
                event(Kind.HUB_STARTED, on(1, 5), "", running=[["ada", ""]]),
                event(Kind.SERVER_STOPPED, on(1, 6)),
            ],
            6,
            id="the hub's start found it running",
        ),
        pytest.param([started(on(1)), event(Kind.SERVER_DELETED, on(1, 2))], 2, id="deleted while running"),
        pytest.param([event(Kind.SERVER_STOPPED, on(1, 6))], None, id="a stop without a start"),
        pytest.param([started(on(1)), event(Kind.SERVER_STOPPED, on(1, 1)), event(Kind.SERVER_STOPPED, on(1, 9))], 1, id="stopped twice"),
        pytest.param([started(on(2)), event(Kind.SERVER_STOPPED, on(1))], None, id="a clock put back"),
        pytest.param([started(on(1)), event(Kind.SERVER_STOPPED, on(1, 5), server="x"), event(Kind.SERVER_STOPPED, on(1, 6))], 6, id="another server's stop"),
        pytest.param([started(on(1)), event(Kind.SERVER_CULLED, on(1, 5)), event(Kind.SERVER_STOPPED, on(1, 6))], 6, id="a cull says why, the stop when"),
    ],
)  # fmt: skip
def test_when_a_run_ends(events: list[Event], hours: float | None) -> None:
    """The rule of the module, case by case."""
    table = account(events, NOVEMBER, now=END)
    assert (table["ada"].server_hours if hours is not None else table) == pytest.approx(
        hours if hours is not None else {}
    )


@pytest.mark.req("V51")
def test_builds_storage_and_refusals() -> None:
    """A build counts until its end or the hub's next start; a volume what it held; a refusal in its month."""
    events = [
        event(Kind.VOLUME_MEASURED, on(30, month=10), volume="v", bytes=GB),
        event(Kind.BUILD_STARTED, on(1), build="a"),
        event(Kind.BUILD_ENDED, on(1, 0.5), build="a", outcome="ok"),
        event(Kind.BUILD_STARTED, on(2), build="b"),
        event(Kind.HUB_STARTED, on(2, 0.25), "", running=[]),
        event(Kind.REFUSED, on(3), code="too_many_servers"),
        event(Kind.VOLUME_MEASURED, on(11), volume="v", bytes=3 * GB),
        event(Kind.VOLUME_TRASHED, on(20), volume="v"),
        event(Kind.VOLUME_PURGED, on(21), volume="v"),
        event(Kind.REFUSED, on(3, month=12), code="too_many_servers"),
    ]
    figures = account(events, NOVEMBER, now=END)["ada"]
    assert figures.build_minutes == pytest.approx(45)
    assert figures.storage_gb_days == pytest.approx(10 + 30)
    assert figures.refusals == 1


@pytest.mark.req("V51")
def test_by_group_and_workspace() -> None:
    """A person of two groups counts in both; what belongs to none is under an empty name."""
    events = [
        started(on(1), groups=["physics", "staff"], workspace="telescope"),
        event(Kind.SERVER_STOPPED, on(1, 1)),
        started(on(1), "bob"),
        event(Kind.SERVER_STOPPED, on(1, 3), "bob"),
    ]
    groups = account(events, NOVEMBER, now=END, by="group")
    assert {key: row.server_hours for key, row in groups.items()} == {"": 3, "physics": 1, "staff": 1}
    spaces = account(events, NOVEMBER, now=END, by="workspace")
    assert {key: row.server_hours for key, row in spaces.items()} == {"": 3, "telescope": 1}
    assert total(spaces.values()).server_hours == 4


def test_what_runs_counts_until_now() -> None:
    """A month that is not over is counted as far as it went."""
    assert account([started(on(1))], NOVEMBER, now=on(1, 7))["ada"].server_hours == 7


def test_figures_that_are_no_numbers_count_nothing() -> None:
    """An event of another version does not break the sum."""
    odd = event(Kind.SERVER_STARTED, on(1), memory="2G", cpus=None)
    assert account([odd], NOVEMBER, now=on(1, 1))["ada"].cpu_hours == 0


def test_months() -> None:
    """A month is written as its year and number."""
    assert str(Month.parse("2026-12")) == "2026-12"
    assert Month.parse("2026-12").end == datetime(2027, 1, 1, tzinfo=UTC)
    assert Month.of(on(30, 23)) == NOVEMBER
    for text in (
        "2026-13",
        "2026-1",
        "26-01",
        "2026-11 ",
        "",
        "november",
        "0000-01",
        "9999-12",
        "２０２６-11",
    ):
        with pytest.raises(InvalidInput, match="no month"):
            Month.parse(text)
