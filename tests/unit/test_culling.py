"""When a server stops by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from versatilehub.culling import (
    Clock,
    ClockWatch,
    Jump,
    Limits,
    Running,
    countdown,
    duration,
    extend,
    is_busy,
    limits_of,
    moment,
    plan,
)
from versatilehub.errors import Refusal

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
HOUR = 3600


def at(hours: float) -> datetime:
    """Return a time *hours* after noon."""
    return NOON + timedelta(hours=hours)


def clock(hours: float, *jumps: Jump, settled: float = -99) -> Clock:
    """Return a clock that shows *hours* after noon."""
    return Clock(now=at(hours), settled=at(settled), jumps=jumps)


def server(name: str = "", *, started: float = 0, active: float | None = None, **more: object) -> Running:
    """Return a server of ada's with the limits of preset ska and an extension of four hours."""
    limits = more.pop("limits", Limits(idle=2 * HOUR, age=None, extension=4 * HOUR))
    return Running(
        owner="ada",
        server=name,
        started=at(started),
        last_activity=None if active is None else at(active),
        limits=limits,  # type: ignore[arg-type]
        **more,  # type: ignore[arg-type]
    )


@pytest.mark.req("P7", "K48")
def test_two_idle_hours_are_two_idle_hours() -> None:
    """The end is the last activity and the limit; not a second before, and at it."""
    one = server(active=1)
    assert countdown(one, clock(2)).at == at(3)
    assert countdown(one, clock(2)).why == "idle"
    assert not countdown(one, clock(2)).is_due(at(3) - timedelta(seconds=1))
    assert countdown(one, clock(2)).is_due(at(3))
    assert countdown(one, clock(2)).seconds_left(at(2)) == HOUR
    assert countdown(one, clock(2)).seconds_left(at(5)) == 0


def test_activity_before_the_start_is_of_a_run_before() -> None:
    """A server that was just started again is not idle since yesterday."""
    assert countdown(server(started=0, active=-20), clock(0)).at == at(2)
    assert countdown(server(started=0, active=None), clock(0)).at == at(2)


def test_activity_of_the_future_is_of_now() -> None:
    """A stamp in the future keeps a server no longer than use right now would."""
    assert countdown(server(active=50), clock(1)).at == at(3)


@pytest.mark.req("V12")
def test_the_greatest_age_ends_a_server_in_use() -> None:
    """Whichever end comes first counts, and says which it is."""
    one = server(active=9.9, limits=Limits(idle=2 * HOUR, age=10 * HOUR))
    assert (countdown(one, clock(9.9)).at, countdown(one, clock(9.9)).why) == (at(10), "age")
    none = server(limits=Limits())
    assert countdown(none, clock(1000)).at is None
    assert countdown(none, clock(1000)).seconds_left(at(1000)) is None
    assert not countdown(none, clock(1000)).is_due(at(1000))


def test_putting_off_has_a_ceiling_that_pressing_does_not_move() -> None:
    """However often its owner presses, an unused server ends at most the extension after its own end."""
    one = server(active=0)
    until = extend(one, clock(1), HOUR)
    assert until == at(3)
    for _ in range(3):
        until = extend(server(active=0, keep_until=until), clock(1), HOUR)
    assert until == at(6)
    with pytest.raises(Refusal, match="until 2026-11-26 18:00 UTC") as caught:
        extend(server(active=0, keep_until=until), clock(1), 1)
    assert (caught.value.code, caught.value.limit) == ("extension_used_up", str(4 * HOUR))
    assert countdown(server(active=0, keep_until=at(99)), clock(1)).at == at(6)
    assert countdown(server(active=3, keep_until=until), clock(3)).at == at(6)
    assert countdown(server(active=5, keep_until=until), clock(5)).at == at(7), (
        "use moves the end as without it"
    )


@pytest.mark.parametrize(
    ("one", "seconds", "code"),
    [
        pytest.param(server(limits=Limits()), HOUR, "no_deadline", id="nothing to put off"),
        pytest.param(server(limits=Limits(idle=60)), HOUR, "extension_not_offered", id="not by this policy"),
        pytest.param(server(), 4 * HOUR + 1, "extension_out_of_range", id="more than the limit"),
        pytest.param(server(), 0, "extension_out_of_range", id="nothing"),
        pytest.param(server(), -5, "extension_out_of_range", id="less than nothing"),
        pytest.param(server(keep_until=at(6)), 1, "extension_used_up", id="none left"),
    ],
)
def test_a_refusal_to_keep_a_server_says_why(one: Running, seconds: int, code: str) -> None:
    """Each no has its code and a next step."""
    with pytest.raises(Refusal) as caught:
        extend(one, clock(1), seconds)
    assert caught.value.code == code
    assert caught.value.hint


def test_an_overdue_server_is_put_off_from_now() -> None:
    """Between its end and the pass that ends it, an hour more is an hour from now."""
    assert extend(server(active=0), clock(2.5), HOUR) == at(3.5)


@pytest.mark.req("K46", "K48")
@pytest.mark.parametrize(
    ("wish", "idle", "greatest", "expected"),
    [
        pytest.param(None, 7200, 14400, 7200, id="the usual"),
        pytest.param(600, 7200, 14400, 600, id="shorter"),
        pytest.param(14400, 7200, 14400, 14400, id="the greatest"),
        pytest.param(99999, 7200, 14400, 14400, id="beyond it, after the policy became stricter"),
        pytest.param(None, None, 14400, 14400, id="no usual one"),
        pytest.param(99999, None, None, 99999, id="no limit"),
        pytest.param(None, None, None, None, id="nothing at all"),
        pytest.param(None, 7200, 3600, 3600, id="a usual one beyond the greatest"),
    ],
)
def test_a_wish_stays_within_the_policy(
    wish: int | None, idle: int | None, greatest: int | None, expected: int | None
) -> None:
    """What a person asked for is bounded by the policy that holds now."""
    assert limits_of(wish, idle=idle, idle_max=greatest, age=None, extension=0).idle == expected


@pytest.mark.req("P7")
def test_a_pass_stops_half_at_most_and_the_longest_idle_first() -> None:
    """Five of ten overdue servers go, the others wait for the next pass; the operator may say otherwise."""
    servers = [server(f"s{n}", active=-n) for n in range(10)]
    ours = [
        Running(owner="ada", server=f"s{n}", started=at(-50), last_activity=at(-n), limits=Limits(idle=60))
        for n in range(10)
    ]
    assert servers
    chosen = plan(ours, clock(1))
    assert [one.server for one in chosen.stop] == ["s9", "s8", "s7", "s6", "s5"]
    assert len(chosen.held) == 5
    assert len(plan(ours, clock(1), share=1.0).stop) == 10
    assert len(plan(ours[:2], clock(1)).stop) == 2, "two may always stop"
    assert len(plan(ours[:3], clock(1)).stop) == 2
    assert plan([], clock(1)).stop == ()


def test_time_that_only_the_clock_claims_does_not_count() -> None:
    """The clock is put a day forward: everybody has as long as before. Put back: nobody ends early."""
    forward = clock(25, Jump(before=at(1), seconds=24 * HOUR))
    assert countdown(server(active=0.5), forward).at == at(26.5)
    assert countdown(server(active=25), forward).at == at(27), "use after the jump counts as it is"
    back = clock(0, Jump(before=at(1), seconds=-HOUR))
    assert countdown(server(started=-1, active=0.5), back).at == at(2)


def test_the_watch_sees_a_clock_that_jumps_and_waits_for_reports() -> None:
    """A minute's difference between the two clocks is a jump; then nothing stops until servers could report."""
    watch = ClockWatch(grace=600)
    assert watch.look(at(0), 0).settled == at(0) + timedelta(seconds=600), "a hub that just started waits too"
    assert watch.look(at(1), 3590).jumps == ()
    jumped = watch.look(at(26), 3590 + HOUR)
    assert [round(jump.seconds) for jump in jumped.jumps] == [24 * HOUR]
    assert jumped.settled == at(26) + timedelta(seconds=600)
    overdue = server(active=-5, started=-5)
    assert plan([overdue], jumped) == plan([overdue], jumped)
    assert plan([overdue], jumped).skip == "settling"
    assert plan([overdue], jumped).stop == ()
    back = watch.look(at(20), 3590 + 2 * HOUR)
    assert back.jumps[-1].seconds < -6 * HOUR
    assert back.settled > back.now


def test_a_computing_kernel_is_seen() -> None:
    """Only a kernel that computes counts, and odd answers do not."""
    assert is_busy([{"execution_state": "idle"}, {"execution_state": "busy"}])
    assert not is_busy([{"execution_state": "idle"}, "busy", None])


def test_times_are_written_for_people() -> None:
    """One unit, and UTC to the minute."""
    assert [duration(s) for s in (45, 90, 3600, 5400, 7200, 86400, 4321)] == [
        "45 s",
        "90 s",
        "1 h",
        "90 min",
        "2 h",
        "1 d",
        "72 min",
    ]
    assert moment(at(0)) == "2026-11-26 12:00 UTC"
