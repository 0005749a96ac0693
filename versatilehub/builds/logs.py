"""The log of one build: JSON lines on disk, replayed to any number of watchers.

Kept in full up to a cap, complete after a restart of the hub: a line remembers how many lines of its container
had been read, so reading a container again from its first line adds what is missing and doubles nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .events import TRANSITIONS, BuildEvent, BuildState, Kind
from .replay import Line, Replay

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from .estimates import Estimate

TAIL: Final = 200
"""Messages kept in memory for the explanation of a failure."""
RECENT: Final = 512
"""Lines kept in memory for those who follow closely; who is further behind reads the disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What an event is made of before the log gives it a number and a time."""

    kind: Kind
    message: str
    step: int = 0
    steps: int = 0
    position: int = 0
    ahead: int = 0
    estimate: Estimate | None = None


class BuildLog:
    """One attempt's log. Writing is for its one owner; any number may `replay` it.

    *cap* is in bytes of messages: past it, log lines are left out (one line says so); phases and the outcome still come.
    """

    def __init__(self, path: Path, *, cap: int) -> None:
        self.path = path
        self.state = BuildState.QUEUED
        self.outcome = ""
        self.error: dict[str, Any] = {}
        self.tail: deque[str] = deque(maxlen=TAIL)
        self._cap = cap
        self._cursors: dict[str, int] = {}
        self._entered: dict[BuildState, float] = {}
        self._seq = 0
        self._size = 0
        self._told = 0
        self._capped = False
        self._recent: deque[Line] = deque(maxlen=RECENT)
        self._file = -1
        self.text_size = 0
        self.result: dict[str, Any] = {}
        self.heard: Callable[[BuildEvent], None] = lambda _event: None
        self.changed = asyncio.Event()

    @classmethod
    def create(cls, path: Path, *, cap: int) -> BuildLog:
        """Start the log of a new build in a folder of its own."""
        path.parent.mkdir(parents=True, exist_ok=True)
        log = cls(path, cap=cap)
        log._open()
        return log

    @classmethod
    def load(cls, path: Path, *, cap: int) -> BuildLog:
        """Open the log of an attempt that a hub before this one wrote; a torn last line is taken off."""
        log = cls(path, cap=cap)
        with path.open("rb+") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    file.truncate(log._size)
                    break
                log._account(json.loads(line), line)
        log._capped = log._told > cap
        log._open()
        return log

    @property
    def done(self) -> bool:
        """Return whether the last event is written."""
        return self.outcome != ""

    @property
    def size(self) -> int:
        """Return how many bytes are written."""
        return self._size

    @property
    def closed(self) -> bool:
        """Return whether nothing more is written by this hub."""
        return self._file < 0

    @property
    def last(self) -> BuildEvent | None:
        """Return the newest event, None before the first."""
        return self._recent[-1].event if self._recent else None

    @property
    def times(self) -> Mapping[BuildState, float]:
        """Return when the build came into each state it was in, in order (seconds since the epoch)."""
        return dict(self._entered)

    def recent(self, offset: int) -> Sequence[Line]:
        """Return the lines from *offset* on if all of them are still in memory, else nothing."""
        if not self._recent or offset < self._recent[0].offset:
            return ()
        return [line for line in self._recent if line.offset >= offset]

    def wake(self) -> None:
        """Have every reader look again."""
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    def cursor(self, container: str) -> int:
        """Return how many lines of a container are in the log already."""
        return self._cursors.get(container, 0)

    def entered(self, state: BuildState) -> float | None:
        """Return when the build came into a state (seconds since the epoch), None if it has not."""
        return self._entered.get(state)

    def move(self, state: BuildState, message: str, at: float, *, estimate: Estimate | None = None) -> None:
        """Go on to *state*; the one it is in already is fine, any other step back is a bug."""
        if state is not self.state or (state is BuildState.QUEUED and self._seq == 0):
            if state is not self.state and state not in TRANSITIONS[self.state]:
                raise ValueError(f"a build does not go from {self.state} to {state}")
            self.state = state
            self._write([self._record(Entry(kind="phase", message=message, estimate=estimate), at)])

    def append(
        self, entries: Sequence[Entry], at: float, *, container: str = "", cursor: int = 0
    ) -> BuildEvent | None:
        """Add what happened in this state; *cursor* lines of *container* have been read with it. Returns the last event."""
        records = [self._record(entry, at) for entry in entries if not self._full(entry)]
        if records and container:
            records[-1]["from"] = [container, cursor]
        self._write(records)
        return self.last if records else None

    def finish(
        self,
        state: BuildState,
        message: str,
        at: float,
        error: dict[str, Any] | None = None,
        *,
        result: dict[str, Any] | None = None,
    ) -> None:
        """Write the last event; *error* is what `BuildFailed.to_json` says, *result* what was made, for whoever asks later."""
        if self.done:
            return
        if state not in TRANSITIONS[self.state]:
            raise ValueError(f"a build does not end from {self.state} in {state}")
        self.state = state
        record = self._record(Entry(kind="done", message=message), at)
        record["outcome"] = {"ready": "ok", "cancelled": "cancelled"}.get(state.value, "failed")
        record |= {"error": error} if error else {}
        record |= {"result": result} if result else {}
        self._write([record])
        self.close()

    def close(self) -> None:
        """Let go of the file; watchers keep what they read and wait for nobody."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self.wake()

    def replay(self, from_seq: int = 0) -> Replay:
        """Return a reader of every event from *from_seq* on."""
        return Replay(self.path, self, from_seq=from_seq)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._file = os.open(self.path, flags, 0o600)

    def _full(self, entry: Entry) -> bool:
        return self._capped and entry.kind == "log"

    def _record(self, entry: Entry, at: float) -> dict[str, Any]:
        event = BuildEvent(
            seq=self._seq,
            at=at,
            state=self.state,
            kind=entry.kind,
            message=entry.message,
            step=entry.step,
            steps=entry.steps,
            position=entry.position,
            ahead=entry.ahead,
            estimate=entry.estimate,
        )
        self._seq += 1
        return dict(event.to_json())

    def _write(self, records: Sequence[dict[str, Any]]) -> None:
        lines = [json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records]
        if not lines:
            return
        content = b"".join(lines)
        # One call, so that a killed hub leaves all or nothing; into the page cache: microseconds.
        written = os.write(self._file, content)
        if written != len(content):
            raise OSError(f"only {written} of {len(content)} bytes of {self.path} could be written")
        self._seq = records[0]["seq"]
        for record, line in zip(records, lines, strict=True):
            self._account(record, line)
            if record["kind"] in {"phase", "done"}:
                self.heard(self._recent[-1].event)
        self.wake()
        if self._told > self._cap and not self._capped:
            self._capped = True
            notice = f"The log is longer than {self._cap} bytes: further lines are left out."
            self._write([self._record(Entry(kind="log", message=notice), records[-1]["at"])])

    def _account(self, record: dict[str, Any], line: bytes) -> None:
        """Take one written line into account: the only place that turns lines into state, new or loaded."""
        event = BuildEvent.from_json(record)
        self._recent.append(Line(seq=event.seq, offset=self._size, content=line, known=event))
        self._seq = event.seq + 1
        self._size += len(line)
        self.text_size += len(text_of(event).encode())
        self.state, self.outcome = event.state, event.outcome
        self._entered.setdefault(event.state, event.at)
        self.error = record.get("error", self.error)
        self.result = record.get("result", self.result)
        if event.kind == "log":
            self._told += len(event.message) + 1
            self.tail.append(event.message)
        if "from" in record:
            container, cursor = record["from"]
            self._cursors[container] = cursor


def render(content: bytes) -> str:
    """Return JSON lines of a log as plain text, the state in brackets where it changes."""
    return "".join(text_of(BuildEvent.from_json(json.loads(line))) for line in content.splitlines())


def text_of(event: BuildEvent) -> str:
    """Return one event as a line of plain text."""
    shown = f"[{event.state}] {event.message}" if event.kind in {"phase", "done"} else event.message
    return f"{shown}\n"
