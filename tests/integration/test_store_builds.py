"""Rows of builds: stored once, changed by field, counted by day, found by who asked."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from versatilehub.builds.events import BuildState
from versatilehub.errors import Refusal
from versatilehub.store import Store, builds
from versatilehub.store.builds import BuildRecord, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A new database."""
    made = Store(f"sqlite:///{tmp_path / 'builds.sqlite'}")
    yield made
    made.close()


def record(id: str, owner: str = "ada", **more: object) -> BuildRecord:  # noqa: A002  # the field's name
    """Return the row of a new build."""
    plain = BuildRecord(
        id=id,
        identity="i" * 64,
        owner=owner,
        source="https://example.org/r",
        provider="git",
        commit="c" * 40,
        created=NOW,
        askers=(owner,) if owner else (),
        plan={"id": id},
    )
    return replace(plain, **more)  # type: ignore[arg-type]  # fields of BuildRecord


def test_a_row_comes_back_as_it_was(store: Store) -> None:
    """Every field survives; a second build of the same identity is the second."""
    first = store.run_now(
        lambda s: builds.add(s, record("a", seconds={"queued": 1.5}, ref="main", forced=True))
    )
    second = store.run_now(lambda s: builds.add(s, record("b")))

    assert (1, 2) == (first.number, second.number)
    assert first == store.run_now(lambda s: builds.get(s, "a"))
    assert None is store.run_now(lambda s: builds.get(s, "none"))


def test_a_row_follows_its_build(store: Store) -> None:
    """Changed fields are stored, others stay; what has ended is under way no more and counts for estimates."""
    for row in (record("a"), record("b")):
        store.run_now(partial(builds.add, record=row))
    end = {"state": BuildState.READY, "ended": NOW, "seconds": {"building": 2.0}}
    store.run_now(lambda s: builds.change(s, "a", end))
    store.run_now(lambda s: builds.change(s, "gone", end))

    assert ["b"] == [one.id for one in store.run_now(builds.active)]
    assert [("a", {"building": 2.0})] == [
        (one.id, one.seconds) for one in store.run_now(lambda s: builds.went_well(s, 10))
    ]


def test_builds_are_found_by_who_asked(store: Store) -> None:
    """Whoever asked finds a build, once; pages and filters count what they leave out."""
    for number, owner in enumerate(["ada", "bob", "ada"]):
        row = record(str(number), owner, created=NOW + timedelta(seconds=number))
        store.run_now(partial(builds.add, record=row))
    for _ in range(2):
        store.run_now(lambda s: builds.ask(s, "1", "ada", NOW))

    def found(wanted: Wanted, offset: int = 0, limit: int = 10) -> tuple[list[str], int]:
        rows, total = store.run_now(lambda s: builds.find(s, wanted, offset=offset, limit=limit))
        return [one.id for one in rows], total

    assert (["2", "1", "0"], 3) == found(Wanted(asker="ada"))
    assert (["1"], 1) == found(Wanted(asker="bob"))
    assert (["1"], 3) == found(Wanted(), offset=1, limit=1)
    assert ([], 0) == found(Wanted(state="ready"))
    assert ([], 0) == found(Wanted(source="%"))
    one = store.run_now(lambda s: builds.get(s, "1"))
    assert one is not None
    assert {"ada", "bob"} == set(one.askers)


async def test_builds_of_a_day_are_counted_where_they_are_stored(store: Store) -> None:
    """Twenty requests at once stay within the limit; what began a day ago counts no more; others' builds never do."""
    store.run_now(lambda s: builds.add(s, record("old", created=NOW - timedelta(hours=25))))
    store.run_now(lambda s: builds.add(s, record("other", "bob")))

    async def ask(number: int) -> str:
        try:
            return (await store.run(lambda s: builds.add(s, record(f"n{number}"), per_day=3))).owner
        except Refusal as refusal:
            return f"{refusal.code} {refusal.actual} of {refusal.limit}"

    begun = await asyncio.gather(*map(ask, range(20)))
    assert {"ada": 3, "too_many_builds 3 of 3": 17} == Counter(begun)


def test_wished_ends(store: Store) -> None:
    """A wish is found until its build has ended."""
    store.run_now(lambda s: builds.add(s, record("a")))
    store.run_now(lambda s: builds.change(s, "a", {"cancelled_by": "root"}))
    assert {"a": "root"} == store.run_now(builds.to_cancel)
    store.run_now(lambda s: builds.change(s, "a", {"state": BuildState.CANCELLED}))
    assert {} == store.run_now(builds.to_cancel)
