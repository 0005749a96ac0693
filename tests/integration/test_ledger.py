"""The ledger against a real database: in order, never in anybody's way, and what a month needs of it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from versatilehub import ledger as ledger_module
from versatilehub.accounting import Month, account
from versatilehub.events import Event, Kind
from versatilehub.ledger import Ledger
from versatilehub.store import Store
from versatilehub.store import ledger as rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOVEMBER = Month.parse("2026-11")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A new database."""
    made = Store(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    yield made
    made.close()


def everything(store: Store) -> list[Event]:
    """All events."""
    return store.run_now(rows.read)


async def test_events_are_written_in_their_order_without_waiting(store: Store) -> None:
    """A thousand events are taken in an instant and are all there, with the owner's groups of that moment."""
    ledger = Ledger(store, groups_of=lambda owner: (f"of-{owner}",))
    begun = time.perf_counter()
    for number in range(1000):
        ledger.append(Kind.LAUNCH, owner="ada", number=number)
    assert time.perf_counter() - begun < 1
    await ledger.flushed()

    found = everything(store)

    assert [event.data["number"] for event in found] == list(range(1000))
    assert found[0].groups == ("of-ada",)
    assert found[0].at.tzinfo is not None


async def test_a_task_writes_by_itself(store: Store) -> None:
    """Nobody has to ask for the writing."""
    Ledger(store).append(Kind.LAUNCH, owner="ada")
    deadline = time.monotonic() + 10
    while not await store.run(rows.read):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


def test_the_end_writes_what_waits(store: Store) -> None:
    """Closing, also without an event loop, loses nothing and writes nothing twice."""
    ledger = Ledger(store)
    for number in range(3):
        ledger.append(Kind.LAUNCH, owner="ada", number=number)
    ledger.close()
    ledger.close()
    assert [event.data["number"] for event in everything(store)] == [0, 1, 2]


async def test_a_caller_never_hears_of_a_fault(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """Values that are no JSON, groups that cannot be found, observers that fail: all are logged, none is raised."""
    seen: list[str] = []

    def failing(event: Event) -> None:
        raise RuntimeError(event.kind)

    ledger = Ledger(store)
    ledger.observers += [failing, lambda event: seen.append(event.kind)]
    ledger.append(Kind.LAUNCH, owner="ada", what=object())
    ledger.append(Kind.REFUSED, owner="ada", code="x")
    broken = Ledger(store, groups_of=lambda _: 1 / 0)  # type: ignore[return-value,arg-type]  # the fault
    broken.append(Kind.LAUNCH, owner="ada")
    await ledger.flushed()

    assert [event.kind for event in everything(store)] == ["refused"]
    assert seen == ["refused"]
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 3


async def test_a_database_that_is_away_is_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events stay while nothing can be written, in bounds, and are written once it can."""
    monkeypatch.setattr(ledger_module, "CAPACITY", 5)
    monkeypatch.setattr(ledger_module, "AGAIN", 0.1)
    store = Store(f"sqlite:///{tmp_path / 'later' / 'ledger.sqlite'}")
    ledger = Ledger(store)
    for number in range(8):
        ledger.append(Kind.LAUNCH, owner="ada", number=number)
    deadline = time.monotonic() + 20
    while "events wait" not in caplog.text:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    (tmp_path / "later").mkdir()
    while "3 events were lost" not in caplog.text:
        assert time.monotonic() < deadline, caplog.text
        await asyncio.sleep(0.05)
    assert [event.data["number"] for event in await store.run(rows.read)] == [0, 1, 2, 3, 4]
    ledger.close()
    store.close()


def put(store: Store, *events: Event) -> None:
    """Record events as they are."""
    store.run_now(lambda session: rows.add(session, events))


def event(kind: Kind, day: int, month: int = 11, **more: Any) -> Event:
    """Return an event at the beginning of a day of 2026."""
    return Event(at=datetime(2026, month, day, tzinfo=UTC), kind=kind, **more)


@pytest.mark.req("V51")
def test_a_month_needs_what_began_before_it(store: Store) -> None:
    """What is read for November gives the same sums as all events of all years, for one person and for everybody."""
    put(
        store,
        event(Kind.SERVER_STARTED, 1, 1, owner="old", data={"cpus": 1}),
        event(Kind.HUB_STARTED, 2, 1, data={"running": []}),
        event(Kind.SERVER_STARTED, 3, 9, owner="ada", data={"cpus": 1, "memory": 2**30}),
        event(Kind.SERVER_STARTED, 3, 9, owner="bob", data={"cpus": 1}),
        event(Kind.SERVER_STOPPED, 4, 9, owner="bob"),
        event(Kind.VOLUME_MEASURED, 3, 9, owner="ada", data={"volume": "v", "bytes": 2**30}),
        event(Kind.VOLUME_MEASURED, 3, 9, owner="bob", data={"volume": "w", "bytes": 2**30}),
        event(Kind.VOLUME_PURGED, 4, 9, owner="bob", data={"volume": "w"}),
        event(Kind.SERVER_STARTED, 5, 10, owner="cy", data={"cpus": 1}),
        event(Kind.HUB_STARTED, 6, 10, data={"running": [["ada", ""]]}),
        event(Kind.BUILD_STARTED, 31, 10, owner="bob", data={"build": "b"}),
        event(Kind.BUILD_ENDED, 2, 11, owner="bob", data={"build": "b"}),
        event(Kind.SERVER_STOPPED, 11, owner="ada"),
        event(Kind.REFUSED, 12, owner="ada"),
        event(Kind.REFUSED, 12, 12, owner="ada"),
    )
    now = datetime(2026, 12, 20, tzinfo=UTC)
    span = NOVEMBER.begin, NOVEMBER.end

    part = store.run_now(lambda session: rows.reaching_into(session, *span))
    whole = account(everything(store), NOVEMBER, now=now)

    assert [one for one in part if one.owner == "bob" and one.kind == Kind.SERVER_STARTED] == [], (
        "it had ended"
    )
    figures = account(part, NOVEMBER, now=now)
    assert figures == whole
    assert figures["ada"].server_hours == pytest.approx(240)
    assert figures["ada"].storage_gb_days == pytest.approx(30)
    assert figures["bob"].build_minutes == pytest.approx(24 * 60)
    alone = store.run_now(lambda session: rows.reaching_into(session, *span, owner="ada"))
    assert account(alone, NOVEMBER, now=now) == {"ada": figures["ada"]}


def test_reading_is_bounded_and_filtered(store: Store) -> None:
    """The newest so many, of a kind, of a person, since a moment."""
    put(store, *(event(Kind.LAUNCH, day, owner="ab"[day % 2]) for day in range(1, 21)))
    since = datetime(2026, 11, 10, tzinfo=UTC)

    found = store.run_now(
        lambda session: rows.read(session, kinds=[Kind.LAUNCH], owner="a", since=since, limit=3)
    )

    assert [one.at.day for one in found] == [16, 18, 20]
    assert store.run_now(lambda session: rows.read(session, kinds=[Kind.REFUSED])) == []
    assert found[0].at - found[1].at == timedelta(days=-2)
