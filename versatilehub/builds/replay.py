"""Reading the log of a build: from any event on, old ones from the disk, new ones from memory, without a thread of one's own.

What a reader holds is a number and, while it catches up, a file; so hundreds of them are cheap, and a slow one holds up nobody.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol, Self

from .events import BuildEvent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CHUNK: Final = 1 << 16
"""Bytes read from the disk at once."""
BATCH: Final = 256
"""Lines handed over at once, so that one reader never keeps the loop for long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One event as it lies on the disk: its number, the offset of its first byte, and its JSON with the line end."""

    seq: int
    offset: int
    content: bytes
    known: BuildEvent | None = field(
        default=None, compare=False, repr=False
    )  # spares each reader the reading

    @property
    def event(self) -> BuildEvent:
        """Return the event."""
        return self.known or BuildEvent.from_json(json.loads(self.content))

    @property
    def end(self) -> int:
        """Return the offset after its last byte."""
        return self.offset + len(self.content)


class Live(Protocol):
    """A log that is being written, as a reader needs it."""

    @property
    def size(self) -> int:
        """Return how many bytes are written."""

    @property
    def closed(self) -> bool:
        """Return whether nothing more comes."""

    @property
    def changed(self) -> asyncio.Event:
        """Return what is set when something comes; each time a new one."""

    def wake(self) -> None:
        """Have every reader look again."""

    def recent(self, offset: int) -> Sequence[Line]:
        """Return the lines from *offset* on if they are in memory, else nothing."""


class Replay:
    """One reader of one log; *live* is None for a build that ended. Close it, or use it as a context manager."""

    def __init__(self, path: Path, live: Live | None, *, from_seq: int = 0) -> None:
        self._path = path
        self._live = live
        self._from = from_seq
        self._offset = 0
        self._file: BinaryIO | None = None
        self.stopped = False

    def stop(self) -> None:
        """End it: what waits in `read` returns nothing."""
        self.stopped = True
        if self._live is not None:
            self._live.wake()

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    async def read(self) -> Sequence[Line]:
        """Return the next lines, as soon as there are any; nothing at the end. May be cancelled and called again."""
        while not self.stopped:
            changed = self._live.changed if self._live is not None else None
            lines = await self._lines()
            if lines:
                self._offset = lines[-1].end
                wanted = [line for line in lines if line.seq >= self._from]
                if wanted:
                    return wanted
            elif (
                self._live is None
                or changed is None
                or (self._live.closed and self._offset >= self._live.size)
            ):
                return ()
            else:
                await changed.wait()
        return ()

    async def _lines(self) -> Sequence[Line]:
        if self._live is None:
            return await self._stored(None)
        if self._offset >= self._live.size:
            return ()
        recent = self._live.recent(self._offset)
        if recent:
            self.close()
            return recent[:BATCH]
        return await self._stored(self._live.size)

    async def _stored(self, size: int | None) -> Sequence[Line]:
        """Return whole lines from the disk, none at its end; what is being written beyond *size* is not looked at."""
        room = CHUNK
        while True:
            if size is not None:
                room = min(room, size - self._offset)
            content = await asyncio.to_thread(self._read, room)
            lines = split(content, self._offset)
            if lines or len(content) < room or (size is not None and self._offset + room >= size):
                return lines
            room *= 2  # one line longer than that

    def _read(self, room: int) -> bytes:
        if self._file is None:
            self._file = self._path.open("rb")
        # By offset, for a read that was given up may still be under way in its thread.
        return os.pread(self._file.fileno(), room, self._offset)


def split(content: bytes, offset: int) -> list[Line]:
    """Return the whole lines in *content*, which lies at *offset*; a torn one at its end is left out."""
    lines = []
    for part in content.splitlines(keepends=True):
        if part.endswith(b"\n"):
            lines.append(Line(seq=number(part), offset=offset, content=part))
            offset += len(part)
    return lines


_BEGIN: Final = b'{"seq": '


def number(line: bytes) -> int:
    """Return the number of an event from the first key of its line, without reading the rest."""
    if not line.startswith(_BEGIN):
        raise ValueError(f"not a line of a log: {line[:40]!r}")
    return int(line[len(_BEGIN) : line.index(b",")])
