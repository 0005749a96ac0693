"""The warm list by an injected clock, on a real database."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.buildsite import until
from versatilehub.errors import SourceUnreachable
from versatilehub.images.warm import WarmEntry, read_entries
from versatilehub.images.warming import Warmer
from versatilehub.source_types import PUBLIC
from versatilehub.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ROWS = [
    {"source": "https://github.com/org/course", "at": "06:30"},
    {"source": "https://github.com/org/other"},
]


class Site:
    """A clock to set, what was made, and warmers on one database: the second is a restarted hub."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(f"sqlite:///{folder}/store.sqlite")
        self.now = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)
        self.made: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.course, self.other = read_entries(ROWS, PUBLIC)

    def warmer(self) -> Warmer:
        """Return a new one."""
        return Warmer(self.store, (self.course, self.other), self._make, now=lambda: self.now)

    async def _make(self, entry: WarmEntry) -> str:
        self.made.append(entry.source.url.rpartition("/")[2])
        await self.gate.wait()
        if entry == self.other:
            raise SourceUnreachable("The git host is away.")
        return "ok"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A site at six o'clock."""
    made = Site(tmp_path)
    yield made
    made.store.close()


async def _ended(warmer: Warmer, entry: WarmEntry) -> str:
    state = await warmer.state(entry)
    return state.outcome if state.finished_at else ""


async def test_at_its_time_and_once(site: Site) -> None:
    """Nothing before its time; then once, also where the hub restarts; a hub that was down for it makes up; again the next day."""
    warmer = site.warmer()
    assert [] == await warmer.look()
    site.now += timedelta(minutes=31)
    assert [site.course] == await warmer.look()
    await until(lambda: _ended(warmer, site.course), "the image")
    assert [] == await warmer.look()
    assert [] == await site.warmer().look()
    site.now += timedelta(days=1, hours=2)
    assert [site.course] == await site.warmer().look()
    await until(lambda: len(site.made) == 2, "the second")


async def test_a_wish_is_taken_up_once(site: Site) -> None:
    """Many wishes while it is being made are one more; a failure is on record with its reason and waits for the next wish."""
    site.gate.clear()
    warmer = site.warmer()
    await warmer.request(site.other)
    site.now += timedelta(seconds=5)
    assert [site.other] == await warmer.look()
    assert [] == await warmer.look()
    site.gate.set()
    await until(lambda: _ended(warmer, site.other), "the end")
    state = await warmer.state(site.other)

    assert ("failed", "The git host is away.") == (state.outcome, state.message)
    assert [] == await warmer.look()
    for _ in range(3):
        site.now += timedelta(seconds=5)
        await warmer.request(site.other)
    assert [site.other] == await warmer.look()
    await until(lambda: site.made.count("other") == 2, "the second")
    await warmer.close()


async def test_a_delivery_counts_once(site: Site) -> None:
    """The same message is taken once, also at the same time and by a restarted hub."""
    taken = await asyncio.gather(*(site.warmer().take("a" * 64) for _ in range(5)))

    assert 1 == sum(taken)
    assert await site.warmer().take("b" * 64)
