"""The rule of what stops, over any servers, clocks and limits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from versatilehub.culling import ALWAYS, Clock, ClockWatch, Jump, Limits, Running, countdown, extend, plan
from versatilehub.errors import Refusal

BASE = datetime(2026, 11, 26, tzinfo=UTC)
MOMENTS = st.integers(-(10**7), 10**7).map(lambda s: BASE + timedelta(seconds=s))
SECONDS = st.integers(1, 10**6)
LIMITS = st.builds(Limits, idle=st.none() | SECONDS, age=st.none() | SECONDS, extension=st.integers(0, 10**6))
RUNNING = st.builds(
    Running,
    owner=st.sampled_from("abcdef"),
    server=st.sampled_from(["", "x", "y"]),
    started=MOMENTS,
    last_activity=st.none() | MOMENTS,
    keep_until=st.none() | MOMENTS,
    limits=LIMITS,
)
JUMPS = st.lists(
    st.builds(Jump, before=MOMENTS, seconds=st.floats(-(10**6), 10**6, allow_nan=False)), max_size=3
)
CLOCKS = st.builds(Clock, now=MOMENTS, settled=MOMENTS, jumps=JUMPS.map(tuple))


@pytest.mark.req("P7", "K48", "V12")
@given(RUNNING, CLOCKS)
def test_a_pass_stops_exactly_what_the_countdown_says(one: Running, clock: Clock) -> None:
    """What is shown and what is done are the same: in the plan if and only if the countdown is at its end."""
    shown = countdown(one, clock)
    assert (plan([one], clock).stop == (one,)) == shown.is_due(clock.now)
    assert (shown.seconds_left(clock.now) == 0) == shown.is_due(clock.now)


@given(RUNNING, CLOCKS)
def test_nothing_ends_early(one: Running, clock: Clock) -> None:
    """No server stops within its idle limit of its last use, nor before its greatest age, whatever the clock did."""
    end = countdown(one, clock)
    if end.at is None:
        assert one.limits.idle is None
        assert one.limits.age is None
        return
    assert end.at >= clock.settled
    if end.why == "idle":
        assert one.limits.idle is not None
        seen = min(max(one.last_activity or one.started, one.started), clock.now)
        assert end.at >= seen + timedelta(seconds=one.limits.idle)
    else:
        assert one.limits.age is not None
        assert end.at >= min(one.started, clock.now) + timedelta(seconds=one.limits.age)


@given(RUNNING, CLOCKS, st.integers(-10, 2 * 10**6))
def test_an_extension_stays_below_its_ceiling(one: Running, clock: Clock, seconds: int) -> None:
    """It is refused or moves the end by what was asked or what was left, never back and never beyond the ceiling."""
    before = countdown(one, clock)
    try:
        until = extend(one, clock, seconds)
    except Refusal:
        return
    fields: dict[str, Any] = {name: getattr(one, name) for name in ("owner", "server", "started", "limits")}
    after = countdown(Running(**fields, last_activity=one.last_activity, keep_until=until), clock)
    assert before.at is not None
    assert after.at is not None
    assert after.latest is not None
    assert before.at <= after.at <= max(after.latest, clock.settled)
    assert after.latest == before.latest


@given(st.lists(RUNNING, max_size=30), CLOCKS, st.floats(0, 1))
def test_a_pass_never_takes_more_than_its_share(servers: list[Running], clock: Clock, share: float) -> None:
    """At most the share, or two; what is due and not taken is held; nothing that is not due is touched."""
    chosen = plan(servers, clock, share=share)
    assert len(chosen.stop) <= max(ALWAYS, len(servers) * share)
    assert len(chosen.stop) + len(chosen.held) == sum(
        countdown(one, clock).is_due(clock.now) for one in servers
    )
    if chosen.held:
        ends = [countdown(one, clock).at for one in (*chosen.stop, *chosen.held)]
        assert ends == sorted(ends, key=lambda end: end or BASE)


@given(RUNNING, MOMENTS, st.integers(0, 10**6), st.integers(0, 10**6))
def test_what_is_due_stays_due(one: Running, now: datetime, later: int, more: int) -> None:
    """Time alone never takes a server off the list."""
    first = countdown(one, Clock(now=now + timedelta(seconds=later)))
    second = countdown(one, Clock(now=now + timedelta(seconds=later + more)))
    if first.is_due(now + timedelta(seconds=later)):
        assert second.is_due(now + timedelta(seconds=later + more))


@given(st.lists(st.tuples(st.integers(1, 1000), st.integers(-(10**6), 10**6)), max_size=8))
def test_no_jump_of_the_clock_ends_a_server_before_its_real_time(steps: list[tuple[int, int]]) -> None:
    """Whatever is done to the wall clock, a server unused for less real time than its limit is never due."""
    watch = ClockWatch(grace=0)
    wall, steady = BASE, 0.0
    watch.look(wall, steady)
    one = Running(owner="a", server="", started=BASE, limits=Limits(idle=5000, age=6000))
    for real, jump in steps:
        steady += real
        wall += timedelta(seconds=real + (jump if abs(jump) > 60 else 0))
        clock = watch.look(wall, steady)
        if steady < 5000:
            assert not countdown(one, clock).is_due(wall)
