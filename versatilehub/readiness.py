"""Waits for a started server to answer, in short even steps, and says why when it does not.

The hub itself would look with growing, random pauses of up to 5 s: measured, a server that answers after 2.2 s is then called
ready after 2.2 to 6.3 s.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp

from versatilehub.builds.events import clean
from versatilehub.errors import ServerFailed
from versatilehub.policy_keys import format_memory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

#: Seconds between two looks. A look at a closed port costs well under a millisecond.
STEP = 0.03
#: Seconds between two looks at whether the container still runs.
LOOK_AGAIN = 1.0
SERVER_ERROR = 500
#: Characters shown of the last line a server printed: it may be megabytes long.
LAST_WORDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a container ended: its exit code, whether for lack of memory (of which it had *memory* bytes), and the last lines it printed."""

    exit_code: int
    out_of_memory: bool
    lines: tuple[str, ...]
    memory: int = 0


async def wait_until_answers(
    http: aiohttp.ClientSession, url: str, *, seconds: float, ended: Callable[[], Awaitable[Ended | None]]
) -> None:
    """Return when *url* answers; raise `ServerFailed` after *seconds*, or as soon as *ended* tells that it cannot."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    look_again = loop.time() + LOOK_AGAIN
    while not await _answers(http, url):
        if loop.time() > look_again:
            end = await ended()
            if end is not None:
                raise failure(end)
            look_again = loop.time() + LOOK_AGAIN
        if loop.time() > deadline:
            raise ServerFailed(
                f"The server did not answer within {seconds:g} s.",
                hint="Start it again; if it happens again, its start script may be waiting for something.",
                code="server_silent",
            )
        await asyncio.sleep(STEP)


async def _answers(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(url, allow_redirects=False) as answer:
            return answer.status < SERVER_ERROR
    except (aiohttp.ClientError, OSError, TimeoutError):
        return False


def failure(end: Ended) -> ServerFailed:
    """Return the error for a server whose container ended while it started."""
    if end.out_of_memory:
        had = f"; it had {format_memory(end.memory)}" if end.memory else ""
        return ServerFailed(
            f"The server ran out of memory while it started{had}.",
            hint="Choose a larger size.",
            code="out_of_memory",
        )
    last = f" Its last words: {clean(end.lines[-1])[:LAST_WORDS]}" if end.lines else ""
    return ServerFailed(
        f"The server ended while it started, with exit code {end.exit_code}.{last}",
        hint="The log has its last lines. Often a package the server needs is missing, or the start script failed.",
        code="server_ended",
    )
