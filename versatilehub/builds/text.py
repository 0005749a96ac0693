"""The log of a build as plain text: all of it, some bytes of it, its last lines; read piece by piece."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .logs import text_of
from .replay import Replay, split

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_RANGE: Final = re.compile(r"bytes=(\d{0,15})-(\d{0,15})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Bytes from *start* to before *end*; *part* when they were asked for by number."""

    start: int
    end: int
    part: bool = False


def span_of(header: str, size: int) -> Span | None:
    """Return which of *size* bytes a ``Range`` header asks for, None when it asks for bytes there are not.

    One range only; what is no such header, or several ranges, asks for everything, as HTTP allows.
    """
    found = _RANGE.fullmatch(header.strip())
    if not found or not any(found.groups()):
        return Span(start=0, end=size)
    first, last = found.groups()
    if not first:
        count = int(last)
        return Span(start=max(0, size - count), end=size, part=True) if count and size else None
    start, end = int(first), min(int(last) + 1 if last else size, size)
    return Span(start=start, end=end, part=True) if start < end else None


async def read_span(path: Path, span: Span) -> AsyncIterator[bytes]:
    """Yield the bytes of *span* of the text of a log, which may still grow beyond it."""
    position = 0
    with Replay(path, None) as replay:
        while position < span.end and (lines := await replay.read()):
            text = "".join(text_of(line.event) for line in lines).encode()
            piece = text[max(0, span.start - position) : span.end - position]
            position += len(text)
            if piece:
                yield piece


def tail(path: Path, count: int) -> bytes:
    """Return the last *count* lines of the text of a log; blocking, for a thread."""
    with path.open("rb") as file:
        last = deque(file, maxlen=count)
    return "".join(text_of(line.event) for line in split(b"".join(last), 0)).encode()
