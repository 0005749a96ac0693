"""The record of one start: numbered, never going back, whole for every reader."""

from __future__ import annotations

import asyncio

import pytest

from versatilehub.builds.events import BuildEvent, BuildState, Kind
from versatilehub.launch import MOST_LINES, LaunchLog, Numbered, progress_event


def event(phase: str, message: str = "", *, step: int = 0, steps: int = 0) -> BuildEvent:
    """Return an event of *phase*."""
    kind: Kind = "step" if step else "phase"
    return BuildEvent(
        seq=99,
        at=1.5,
        state=BuildState.BUILDING,
        phase=phase,
        kind=kind,
        message=message,
        step=step,
        steps=steps,
    )


def percents(*events: BuildEvent) -> list[int]:
    """Return where the progress bar stands after each event."""
    log = LaunchLog()
    for one in events:
        log.add(one)
    log.close()
    return [numbered.percent for numbered in asyncio.run(_all(log))]


async def _all(log: LaunchLog) -> list[Numbered]:
    return [numbered async for numbered in log.follow()]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([event("resolve"), event("fetch"), event("start"), event("ready")], [2, 8, 85, 98]),
        ([event("start"), event("fetch")], [85, 85]),
        ([event("build", step=1, steps=4), event("build", step=4, steps=4), event("push")], [28, 67, 80]),
        ([event("build", step=9, steps=4)], [67]),
        ([event("nowhere")], [0]),
        ([event("fetch"), event("nowhere")], [8, 8]),
    ],
    ids=["phases", "never-back", "steps", "more-steps-than-announced", "unknown-first", "unknown-later"],
)
@pytest.mark.req("K57")
def test_progress_bar(events: list[BuildEvent], expected: list[int]) -> None:
    """The bar follows phases and build steps and never goes back or reaches 100 before the server answers."""
    assert expected == percents(*events)


def test_events_are_numbered_from_one() -> None:
    """Whatever number an event had elsewhere, in a launch it is the n-th."""
    log = LaunchLog()
    for phase in ("resolve", "queue", "fetch"):
        log.add(event(phase))
    log.close()

    assert [1, 2, 3] == [numbered.event.seq for numbered in asyncio.run(_all(log))]
    assert 3 == len(log)


@pytest.mark.req("V23")
async def test_a_late_reader_gets_all() -> None:
    """A reader who comes in the middle and one who came at the start read the same, and both end with the launch."""
    log = LaunchLog()
    early = asyncio.create_task(_all(log))
    await asyncio.sleep(0)
    log.add(event("resolve"))
    await asyncio.sleep(0)
    late = asyncio.create_task(_all(log))
    log.add(event("fetch"))
    await asyncio.sleep(0)
    log.add(event("ready"))
    log.close()

    first, second = await asyncio.wait_for(asyncio.gather(early, late), 5)
    assert first == second
    assert ["resolve", "fetch", "ready"] == [numbered.event.phase for numbered in first]


async def test_a_reader_after_the_end_gets_all() -> None:
    """A page opened after the launch has ended still shows it."""
    log = LaunchLog()
    log.add(event("resolve"))
    log.close()

    assert 1 == len(await asyncio.wait_for(_all(log), 5))


def test_progress_event_is_escaped() -> None:
    """Lines of a build log reach the page as text."""
    made = progress_event(Numbered(event=event("build", "<script>&"), percent=15))

    assert ("<script>&", "&lt;script&gt;&amp;") == (made["message"], made["html_message"])


def test_progress_event_has_what_the_page_reads() -> None:
    """The hub's own keys, and ours below `vh`."""
    made = progress_event(Numbered(event=event("build", "RUN x", step=2, steps=3), percent=40))

    assert 40 == made["progress"]
    assert {
        "seq": 99,
        "at": 1.5,
        "phase": "build",
        "kind": "step",
        "step": 2,
        "steps": 3,
        "outcome": "",
    } == made["vh"]


def test_a_chatty_build_is_cut() -> None:
    """Log lines past the limit are left out with one line that says so; what else happens still comes."""
    log = LaunchLog()
    line = BuildEvent(at=0, state=BuildState.BUILDING, kind="log", message="x")
    for _ in range(2 * MOST_LINES):
        log.add(line)
    log.add(event("start"))
    log.close()

    events = [numbered.event for numbered in asyncio.run(_all(log))]
    assert MOST_LINES + 2 == len(events)
    assert ["log", "log", "phase"] == [one.kind for one in events[-3:]]
    assert "further ones are not shown" in events[-2].message
    assert list(range(1, len(events) + 1)) == [one.seq for one in events]
