"""One process of git, from start to nothing left: bounded output, its whole group killed however it ends.

What git needs to know and nobody may see is handed over in a nameless file in memory (`handed`): it is no argument, no variable
and no file on a disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING, Final

from versatilehub.errors import SourceFailure

if TYPE_CHECKING:
    from asyncio import StreamReader
    from asyncio.subprocess import Process
    from collections.abc import Iterator, Mapping, Sequence

_CHUNK: Final = 65536
_STDERR_KEPT: Final = 65536


@contextlib.contextmanager
def handed(content: str) -> Iterator[int]:
    """Yield the number of a descriptor at which a child may read *content*, from its start, as often as it likes."""
    number = os.memfd_create("handed")
    try:
        os.write(number, content.encode())
        yield number
    finally:
        os.close(number)


async def run(
    command: Sequence[str], environment: Mapping[str, str], most: int, *, descriptors: Sequence[int] = ()
) -> tuple[int, bytes, bytes]:
    """Run *command* in a process group of its own; return exit code, output, and errors.

    However this ends, nothing of the group is left. Raises SourceFailure when the output exceeds *most* bytes.
    """
    # "/" has no .git whose configuration would count, wherever the hub was started.
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *command,
            env=dict(environment),
            cwd="/",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            pass_fds=tuple(descriptors),
        )
    )
    try:
        process = await asyncio.shield(starting)
    except asyncio.CancelledError:
        await _kill(await starting)
        raise
    assert process.stdout is not None  # noqa: S101 - asked for above; tells the type checker
    assert process.stderr is not None  # noqa: S101
    reading_errors = asyncio.ensure_future(_read_kept(process.stderr, _STDERR_KEPT))
    try:
        output = await _read_all(process.stdout, most)
        return await process.wait(), output, await reading_errors
    finally:
        reading_errors.cancel()
        await _kill(process)


async def _kill(process: Process) -> None:
    """End the process and what it started, and collect it and what its pipes still hold."""
    if process.returncode is None:
        # It may have ended by itself, and been collected, in this moment.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await process.communicate()


async def _read_all(stream: StreamReader, most: int) -> bytes:
    read = bytearray()
    while chunk := await stream.read(_CHUNK):
        read += chunk
        if len(read) > most:
            raise SourceFailure(
                f"The repository lists more branches and tags than fit into {most / 2**20:g} MiB.",
                hint="Use a copy of the repository with fewer of them.",
                field="source",
                code="source_too_large",
            )
    return bytes(read)


async def _read_kept(stream: StreamReader, most: int) -> bytes:
    """Read to the end, so that the writer never waits, and return the last *most* bytes."""
    read = b""
    while chunk := await stream.read(_CHUNK):
        read = (read + chunk)[-most:]
    return read
