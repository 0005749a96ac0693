"""The record of one start of one server: every event from the first, for any number of readers.

JupyterHub calls ``Spawner.progress()`` anew for each browser that looks; each gets the whole record again from the
beginning and then what comes, so a reload, a second tab or a reconnect loses nothing.
"""

from __future__ import annotations

import asyncio
import html
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from versatilehub.builds.events import BuildEvent

#: Where the progress bar stands when a phase begins, per cent. The build takes most of the time when there is one.
PHASE_START = {"resolve": 2, "queue": 5, "fetch": 8, "build": 15, "push": 80, "start": 85, "ready": 98}

#: Log lines of one launch: measured, 1.3 million (a log of 16 MiB) take 370 MB and 15 s of the hub.
MOST_LINES = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """An event as the n-th of this launch, *percent* of the bar."""

    event: BuildEvent
    percent: int


class LaunchLog:
    """Append-only list of events with waiting readers.

    It lives as long as its server, in the hub's memory: log lines past `MOST_LINES` are left out, and one line says so.
    """

    def __init__(self) -> None:
        self._lines = 0
        self._events: list[Numbered] = []
        self._changed = asyncio.Event()
        self.closed = False

    def __len__(self) -> int:
        return len(self._events)

    def add(self, event: BuildEvent) -> None:
        """Append *event*, numbered in this launch, and wake every reader."""
        if event.kind == "log":
            self._lines += 1
            if self._lines > MOST_LINES + 1:
                return
            if self._lines > MOST_LINES:
                event = replace(
                    event, message=f"More than {MOST_LINES} lines: further ones are not shown here."
                )
        event = replace(event, seq=len(self._events) + 1)
        self._events.append(Numbered(event=event, percent=self._percent(event)))
        self._wake()

    def close(self) -> None:
        """Say that nothing more comes: readers end after the last event."""
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _percent(self, event: BuildEvent) -> int:
        last = self._events[-1].percent if self._events else 0
        start = PHASE_START.get(event.phase, last)
        if event.phase == "build" and event.steps:
            span = PHASE_START["push"] - start
            start += span * min(event.step, event.steps) // (event.steps + 1)
        return max(last, start)

    async def follow(self) -> AsyncIterator[Numbered]:
        """Yield every event from the first, and end when the launch does."""
        seen = 0
        while True:
            while seen < len(self._events):
                yield self._events[seen]
                seen += 1
            if self.closed:
                return
            await self._changed.wait()


def progress_event(numbered: Numbered) -> dict[str, Any]:
    """Return *numbered* in the form JupyterHub sends to browsers; ``vh`` carries what our own page needs."""
    event = numbered.event
    return {
        "progress": numbered.percent,
        "message": event.message,
        "html_message": html.escape(event.message),
        "vh": {
            "seq": event.seq,
            "at": event.at,
            "phase": event.phase,
            "kind": event.kind,
            "step": event.step,
            "steps": event.steps,
            "outcome": event.outcome,
            **({"position": event.position, "ahead": event.ahead} if event.position else {}),
            **({"estimate": event.estimate.to_json()} if event.estimate else {}),
        },
    }
