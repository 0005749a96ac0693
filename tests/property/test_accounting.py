"""The sums of a synthetic month with crashes in it equal what happened."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from versatilehub.accounting import BYS, GB, Figures, Month, account, total
from versatilehub.events import Event, Kind

NOVEMBER = Month.parse("2026-11")
SERVERS = [("ada", ""), ("ada", "lab"), ("bob", ""), ("cy", "x")]
GROUPS = {"ada": ("physics",), "bob": ("chemistry",), "cy": ()}
STEP = timedelta(minutes=20)


class World:
    """Servers, builds and volumes from mid-October to mid-December, minute by minute, and the events they leave."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311  # a synthetic month, no secret
        self.now = datetime(2026, 10, 20, tzinfo=UTC)
        self.events: list[Event] = []
        self.truth: Counter[tuple[str, str]] = Counter()
        self.up: dict[tuple[str, str], tuple[float, int]] = {}
        self.builds: dict[str, str] = {}
        self.held: dict[str, int] = {}
        self.serial = 0
        while self.now < datetime(2026, 12, 10, tzinfo=UTC):
            self.happen()
            self.pass_time()

    def record(self, kind: Kind, owner: str = "", server: str = "", **data: Any) -> None:
        """Add an event."""
        self.events.append(
            Event(
                kind=kind,
                at=self.now,
                owner=owner,
                server=server,
                groups=GROUPS.get(owner, ()),
                workspace=f"of-{owner}",
                data=data,
            )
        )

    def happen(self) -> None:  # noqa: C901  # a list of cases
        """Let something happen, or nothing; a crash records nothing until somebody notices at the same moment."""
        key = owner, server = self.random.choice(SERVERS)
        match self.random.randrange(14):
            case 0 | 1:  # starts; when it ran, it had crashed and nobody had noticed until now
                self.up[key] = cpus, memory = self.random.choice([(0.5, GB), (2.0, 4 * GB)])
                self.record(Kind.SERVER_STARTED, owner, server, cpus=cpus, memory=memory)
            case 2:
                self.up.pop(key, None)
                self.record(Kind.SERVER_STOPPED, owner, server)
            case 3 if key in self.up:
                del self.up[key]
                self.record(Kind.SERVER_DELETED, owner, server)
            case 4:  # the hub was killed: some servers are found running, builds are not
                lost = self.random.sample(sorted(self.up), len(self.up) // 2)
                for one in lost:
                    del self.up[one]
                self.builds.clear()
                self.record(Kind.HUB_STARTED, running=[list(one) for one in self.up])
            case 5:
                self.serial += 1
                self.builds[f"b{self.serial}"] = owner
                self.record(Kind.BUILD_STARTED, owner, build=f"b{self.serial}")
            case 6 if self.builds:
                build, builder = self.builds.popitem()
                self.record(Kind.BUILD_ENDED, builder, build=build)
            case 7 | 8:
                self.held[owner] = self.random.randrange(3 * GB)
                self.record(Kind.VOLUME_MEASURED, owner, volume=f"v-{owner}", bytes=self.held[owner])
            case 9 if owner in self.held:
                del self.held[owner]
                self.record(Kind.VOLUME_PURGED, owner, volume=f"v-{owner}")
            case 10:
                self.record(Kind.REFUSED, owner, code="x")
                self.truth[owner, "refusals"] += NOVEMBER.begin <= self.now < NOVEMBER.end
            case _:
                self.record(Kind.LAUNCH, owner, server)

    def pass_time(self) -> None:
        """Let up to some days pass; what is within November counts."""
        after = self.now + STEP * self.random.choice([0, 1, 3, 9, 40])
        inside = (min(after, NOVEMBER.end) - max(self.now, NOVEMBER.begin)).total_seconds()
        self.now = after
        if inside <= 0:
            return
        seconds = int(inside)
        for (owner, _), (cpus, memory) in self.up.items():
            self.truth[owner, "server"] += seconds
            self.truth[owner, "cpu"] += seconds * round(cpus * 10)
            self.truth[owner, "gb"] += seconds * (memory // GB)
        for owner in self.builds.values():
            self.truth[owner, "build"] += seconds
        for owner, held in self.held.items():
            self.truth[owner, "storage"] += seconds * held


@pytest.mark.req("V51")
@given(st.integers(0, 2**32))
def test_sums_equal_what_happened(seed: int) -> None:
    """For each person, every figure is what a clock beside the servers counted, crashes and month ends included."""
    world = World(seed)
    table = account(world.events, NOVEMBER, now=world.now)
    for owner in GROUPS:
        row, truth = table.get(owner, Figures()), world.truth
        assert row.server_hours == pytest.approx(truth[owner, "server"] / 3600)
        assert row.cpu_hours == pytest.approx(truth[owner, "cpu"] / 36000)
        assert row.gb_hours == pytest.approx(truth[owner, "gb"] / 3600)
        assert row.build_minutes == pytest.approx(truth[owner, "build"] / 60)
        assert row.storage_gb_days == pytest.approx(truth[owner, "storage"] / GB / 86400)
        assert row.refusals == truth[owner, "refusals"]


@pytest.mark.req("V51")
@given(st.integers(0, 2**32))
def test_every_view_adds_up_to_the_same(seed: int) -> None:
    """By user, by group (each person here is in one or none) and by workspace, all is counted once."""
    events = World(seed).events
    sums = [total(account(events, NOVEMBER, now=events[-1].at, by=by).values()).rounded() for by in BYS]
    assert sums[0] == pytest.approx(sums[1])
    assert sums[0] == pytest.approx(sums[2])
