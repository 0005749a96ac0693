"""What a container reads and writes while it runs, as streams: nothing of it is kept by Docker's log."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from .transport import Transport, translated

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from aiodocker.stream import Stream

_OUT: Final = 1
_KEPT_ERRORS: Final = 4096
"""Bytes of standard error that are kept, the last ones."""


class Pipe:
    """Both ends of one attached container; `errors` is the end of what it said on standard error."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.errors = b""

    async def write(self, piece: bytes) -> None:
        """Give it *piece* to read, and wait while it is behind."""
        async with translated("attach", None):
            await self._stream.write_in(piece)

    def end(self) -> None:
        """Say that nothing more comes; what it writes is still read."""
        answer = self._stream._resp  # noqa: SLF001  # the library only closes both directions at once
        connection = answer.connection if answer is not None else None
        if connection is not None and connection.transport is not None:
            connection.transport.write_eof()

    async def read(self) -> AsyncGenerator[bytes]:
        """Yield what it writes until it ends."""
        async with translated("attach", None):
            while (message := await self._stream.read_out()) is not None:
                if message.stream == _OUT:
                    yield message.data
                else:
                    self.errors = (self.errors + message.data)[-_KEPT_ERRORS:]


class Pipes:
    """Attaches to containers that were created with open standard streams."""

    def __init__(self, docker: Transport) -> None:
        self._docker = docker

    @asynccontextmanager
    async def open(self, container: str) -> AsyncIterator[Pipe]:
        """Attach to a container that has not started yet: what it writes from its first moment on is read."""
        async with translated("attach", None):
            stream = await self._docker.attach(container)
        try:
            yield Pipe(stream)
        finally:
            await stream.close()
