"""The log of a build over HTTP: ``GET builds/<id>/events`` as it happens, ``GET builds/<id>/log`` as text.

A stream costs a place in memory and no thread, so hundreds may watch one build; one that was cut off goes on where it was.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from jupyterhub.scopes import needs_scope
from tornado.iostream import StreamClosedError

from versatilehub.builds.events import ACTIVE
from versatilehub.builds.text import Span, read_span, span_of, tail
from versatilehub.errors import BuildNotFound, InvalidInput
from versatilehub.web.api_builds import ID, BuildsApi

if TYPE_CHECKING:
    from collections.abc import Sequence

    from versatilehub.builds.replay import Line, Replay

KEEP_ALIVE: Final = 15.0
"""Seconds without news after which a comment is sent, so that no proxy takes the stream for dead."""
_TAIL: Final = 10_000


class EventsHandler(BuildsApi):
    """Server-sent events, numbered: a browser that comes back says which it saw last."""

    _replay: Replay | None = None

    def get_content_type(self) -> str:
        """Return the type of the stream."""
        return "text/event-stream"

    def on_connection_close(self) -> None:
        """Let go at once of what nobody reads any more."""
        if self._replay is not None:
            self._replay.stop()
        super().on_connection_close()

    @needs_scope("read:servers", post_filter=True)
    async def get(self, id: str) -> None:  # noqa: A002  # the field's name
        """Send every event after ``Last-Event-ID``, from the first without it, until the build ends.

        204 when the build has ended and nothing is left to send: a browser stops asking then.
        """
        record = await self.seen(id)
        with self.builds.archive.replay(id, _after(self.request.headers.get("Last-Event-ID", ""))) as replay:
            self._replay = replay
            lines: Sequence[Line] = ()
            if record.state not in ACTIVE:
                lines = await replay.read() if await self.builds.archive.has_log(id) else ()
                if not lines:
                    self.set_status(204)
                    self.clear_header("Content-Type")
                    return
            for name, value in (("Cache-Control", "no-cache"), ("X-Accel-Buffering", "no")):
                self.set_header(name, value)
            try:
                await self._send(replay, lines)
            except StreamClosedError:
                return

    async def _send(self, replay: Replay, lines: Sequence[Line]) -> None:
        self.write(b"retry: 2000\n\n")
        while True:
            if lines:
                self.write(b"".join(map(_frame, lines)))
            await self.flush()
            try:
                async with asyncio.timeout(KEEP_ALIVE):
                    lines = await replay.read()
            except TimeoutError:
                lines = ()
                self.write(b": keep-alive\n\n")
                continue
            if not lines:
                return


class LogHandler(BuildsApi):
    """The log as plain text, whole, in part (``Range``) or its last lines (``tail``)."""

    @needs_scope("read:servers", post_filter=True)
    async def get(self, id: str) -> None:  # noqa: A002
        """Send it."""
        record = await self.seen(id)
        if not await self.builds.archive.has_log(id):
            raise BuildNotFound(f"The log of build {id} is kept no more.", code="log_not_found")
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-cache")
        path = self.builds.archive.log_path(id)
        last = self.get_query_argument("tail", "")
        if last:
            if not last.isascii() or not last.isdigit() or not 0 < int(last[:9]) <= _TAIL:
                raise InvalidInput(f"tail is {last[:20]!r}, not a number from 1 to {_TAIL}.", field="tail")
            self.finish(await asyncio.to_thread(tail, path, int(last)))
            return
        span = self._span(record.log_bytes)
        if span is None:
            return
        try:
            async for piece in read_span(path, span):
                self.write(piece)
                await self.flush()
        except StreamClosedError:
            return

    def _span(self, size: int) -> Span | None:
        """Return which bytes were asked for and set the status; None when there are none of them."""
        self.set_header("Accept-Ranges", "bytes")
        asked = span_of(self.request.headers.get("Range", ""), size)
        if asked is None:
            self.set_status(416)
            self.set_header("Content-Range", f"bytes */{size}")
            return None
        if asked.part:
            self.set_status(206)
            self.set_header("Content-Range", f"bytes {asked.start}-{asked.end - 1}/{size}")
        self.set_header("Content-Length", str(asked.end - asked.start))
        return asked


def _after(last: str) -> int:
    """Return the number of the event after the one a browser saw last."""
    return int(last) + 1 if last.isascii() and last.isdigit() and len(last) <= 12 else 0


def _frame(line: Line) -> bytes:
    return b"id: %d\ndata: %s\n" % (line.seq, line.content)


HANDLERS: list[tuple[Any, ...]] = [
    (rf"/versatilehub/api/builds/{ID}/events", EventsHandler),
    (rf"/versatilehub/api/builds/{ID}/log", LogHandler),
]
