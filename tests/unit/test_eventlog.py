"""Builds and launches in JupyterHub's event log: valid by their schemas, and complete."""

from __future__ import annotations

import io
import json
import logging
from datetime import UTC, datetime, timedelta

from jupyter_events import EventLogger

from versatilehub.builds.events import BuildEvent, BuildState
from versatilehub.eventlog import SCHEMAS, EventLog
from versatilehub.events import Event, Kind
from versatilehub.store.builds import BuildRecord

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def test_builds_and_launches_are_emitted() -> None:
    """A build is said to begin once and to end once, a start and a refusal with their code; each line fits its schema."""
    stream = io.StringIO()
    log = EventLog(EventLogger(handlers=[logging.StreamHandler(stream)]))

    def build(state: BuildState, after: float) -> None:
        record = BuildRecord(
            id="b1", identity="i", owner="ada", source="https://github.com/a/b", provider="github", commit="c",
            created=NOW, state=state, pack="uv", code="pip_conflict" if state is BuildState.FAILED else "",
        )  # fmt: skip
        at = (NOW + timedelta(seconds=after)).timestamp()
        log.of_build(record, BuildEvent(at=at, state=state, kind="phase", message=""))

    build(BuildState.QUEUED, 0)
    build(BuildState.FETCHING, 1)
    build(BuildState.FAILED, 90)
    log.of_event(Event(at=NOW, kind=Kind.SERVER_STARTED, owner="ada", server="lab", data={"image": "i:1"}))
    log.of_event(
        Event(at=NOW, kind=Kind.REFUSED, owner="ada", server="lab", data={"code": "too_many_servers"})
    )
    log.of_event(Event(at=NOW, kind=Kind.VOLUME_CREATED, owner="ada"))

    rows = [json.loads(line) for line in stream.getvalue().splitlines()]
    begin, end, started, refused = rows
    assert (begin["action"], begin["outcome"], begin["seconds"]) == ("begin", "", 0.0)
    assert (end["action"], end["outcome"], end["code"], end["seconds"]) == (
        "end",
        "failed",
        "pip_conflict",
        90.0,
    )
    assert (started["outcome"], started["image"]) == ("ok", "i:1")
    assert (refused["outcome"], refused["code"]) == ("refused", "too_many_servers")
    assert len(SCHEMAS) == 2
