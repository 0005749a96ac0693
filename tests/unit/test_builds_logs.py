"""Tests of the log of one build on disk."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from versatilehub.builds.events import BuildEvent, BuildState
from versatilehub.builds.logs import BuildLog, Entry, render

if TYPE_CHECKING:
    from pathlib import Path

CAP = 10_000


def _entries(*messages: str) -> list[Entry]:
    return [Entry(kind="log", message=message) for message in messages]


def _begun(path: Path, *, cap: int = CAP) -> BuildLog:
    log = BuildLog.create(path, cap=cap)
    log.move(BuildState.QUEUED, "queued", 1.0)
    log.move(BuildState.FETCHING, "fetching", 2.0)
    return log


async def _all(log: BuildLog, from_seq: int = 0) -> list[BuildEvent]:
    events = list[BuildEvent]()
    with log.replay(from_seq) as replay:
        while lines := await replay.read():
            events += [line.event for line in lines]
    return events


async def test_watchers_see_everything_from_the_beginning(tmp_path: Path) -> None:
    """Watchers who come early, in the middle and after the end all get the same events."""
    log = _begun(tmp_path / "log.jsonl")
    early = [asyncio.create_task(_all(log)) for _ in range(50)]
    log.append(_entries("a", "b"), 3.0)
    await asyncio.sleep(0)
    middle = asyncio.create_task(_all(log))
    log.append(_entries("c"), 4.0)
    log.finish(BuildState.FAILED, "no", 5.0)
    late = await _all(log)

    assert ["queued", "fetching", "a", "b", "c", "no"] == [event.message for event in late]
    assert [late] * 51 == await asyncio.gather(*early, middle)
    assert list(range(6)) == [event.seq for event in late]


async def test_a_watcher_may_start_anywhere(tmp_path: Path) -> None:
    """Following from number 2 leaves out the first two events."""
    log = _begun(tmp_path / "log.jsonl")
    log.append(_entries("a"), 3.0)
    log.finish(BuildState.CANCELLED, "stop", 4.0)

    assert ["a", "stop"] == [event.message for event in await _all(log, 2)]


async def test_a_loaded_log_goes_on_where_it_was(tmp_path: Path) -> None:
    """State, numbers, times and container positions are those of the hub before; a torn last line is taken off."""
    path = tmp_path / "log.jsonl"
    log = _begun(path)
    log.append(_entries("a", "b"), 3.0, container="fetch", cursor=7)
    log.close()
    with path.open("ab") as file:
        file.write(b'{"seq": 4, "torn')

    again = BuildLog.load(path, cap=CAP)
    again.append(_entries("c"), 4.0, container="fetch", cursor=8)
    again.finish(BuildState.FAILED, "no", 5.0, {"code": "x"})

    assert ["queued", "fetching", "a", "b", "c", "no"] == [event.message for event in await _all(again)]
    assert (8, 2.0, {"code": "x"}) == (again.cursor("fetch"), again.entered(BuildState.FETCHING), again.error)


async def test_a_noisy_build_is_cut_but_its_end_is_kept(tmp_path: Path) -> None:
    """Past the cap, log lines are left out with one notice; phases and the outcome still come."""
    log = _begun(tmp_path / "log.jsonl", cap=1000)
    for number in range(100):
        log.append(_entries(f"{number:050d}"), 3.0)
    log.move(BuildState.RENDERING, "rendering", 4.0)
    log.finish(BuildState.FAILED, "no", 5.0)

    events = await _all(log)
    assert sum("left out" in event.message for event in events) == 1
    assert ["rendering", "no"] == [event.message for event in events[-2:]]
    assert len(events) < 30


@pytest.mark.parametrize(
    "state", [pytest.param(BuildState.PROBING, id="leaps"), pytest.param(BuildState.QUEUED, id="goes-back")]
)
def test_a_step_outside_the_table_is_a_bug(tmp_path: Path, state: BuildState) -> None:
    """A state that may not follow is refused."""
    log = _begun(tmp_path / "log.jsonl")

    with pytest.raises(ValueError, match="does not go"):
        log.move(state, "", 3.0)


def test_the_plain_text_has_one_line_a_message(tmp_path: Path) -> None:
    """A person reads messages, with states where they change."""
    log = _begun(tmp_path / "log.jsonl")
    log.append(_entries("hello"), 3.0)

    assert "[queued] queued\n[fetching] fetching\nhello\n" == render(log.path.read_bytes())


def test_rendering_reads_what_was_written(tmp_path: Path) -> None:
    """The lines on disk are JSON events of their own."""
    log = _begun(tmp_path / "log.jsonl")
    log.close()
    lines = log.path.read_text().splitlines()

    assert ["queued", "fetching"] == [json.loads(line)["state"] for line in lines]
    assert 2 == len(render(log.path.read_bytes()).splitlines())
