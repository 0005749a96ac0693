"""Standard input and output of a running container, for as long as it lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .transport import NORMAL, translated

if TYPE_CHECKING:
    from aiodocker.stream import Stream

_STDOUT = 1


class Pipe:
    """Both ends of a container's standard streams; closing it ends the input of a container made with ``StdinOnce``."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    async def send(self, text: bytes) -> None:
        """Write to its standard input."""
        async with translated("attach", NORMAL):
            await self._stream.write_in(text)

    async def receive(self) -> bytes:
        """Return the next piece of its standard output, b"" once it has ended; standard error is dropped."""
        while True:
            async with translated("attach", None):
                piece = await self._stream.read_out()
            if piece is None:
                return b""
            if piece.stream == _STDOUT:
                return piece.data

    async def close(self) -> None:
        """Hang up."""
        await self._stream.close()
