"""Waiting for a server: as soon as it answers, with the reason when it cannot."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import web

from versatilehub.errors import ServerFailed
from versatilehub.readiness import Ended, failure, wait_until_answers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CRASHED = Ended(exit_code=1, out_of_memory=False, lines=("Traceback", "No module named jupyterhub"))
CLOSED = "http://127.0.0.1:9/"


async def still_runs() -> Ended | None:
    """Say that the container runs."""
    return None


@asynccontextmanager
async def server(*statuses: int) -> AsyncIterator[str]:
    """Serve one status after the other, then the last for ever."""
    left = list(statuses)

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=left.pop(0) if len(left) > 1 else left[0], headers={"Location": "/login"})

    application = web.Application()
    application.router.add_get("/api", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/api"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    "statuses",
    [(200,), (302,), (403,), (404,), (503, 500, 200)],
    ids=["ok", "login", "forbidden", "no-such-page", "not-yet"],
)
async def test_an_answer_is_readiness(statuses: tuple[int, ...]) -> None:
    """Any answer below 500 means that the server is there; 5xx is looked at again."""
    async with server(*statuses) as url, aiohttp.ClientSession() as http:
        await asyncio.wait_for(wait_until_answers(http, url, seconds=10, ended=still_runs), 15)


async def test_silence_ends() -> None:
    """A server that never answers is given up after the time limit, which the message names."""
    async with aiohttp.ClientSession() as http:
        with pytest.raises(ServerFailed, match=r"did not answer within 0\.2 s") as raised:
            await wait_until_answers(http, CLOSED, seconds=0.2, ended=still_runs)

    assert "server_silent" == raised.value.code


async def test_an_ended_container_is_not_waited_for() -> None:
    """A container that has ended is reported long before the time limit."""

    async def ended() -> Ended | None:
        return CRASHED

    began = time.monotonic()
    async with aiohttp.ClientSession() as http:
        with pytest.raises(ServerFailed, match="exit code 1"):
            await wait_until_answers(http, CLOSED, seconds=60, ended=ended)

    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("end", "code", "words"),
    [
        (CRASHED, "server_ended", ["exit code 1", "No module named jupyterhub"]),
        (Ended(exit_code=3, out_of_memory=False, lines=()), "server_ended", ["exit code 3."]),
        (
            Ended(exit_code=3, out_of_memory=False, lines=("x" * 10**7,)),
            "server_ended",
            ["exit code 3", "xxx"],
        ),
        (Ended(exit_code=137, out_of_memory=True, lines=("x",)), "out_of_memory", ["out of memory"]),
        (
            Ended(exit_code=137, out_of_memory=True, lines=(), memory=2 << 30),
            "out_of_memory",
            ["ran out of memory while it started; it had 2G."],
        ),
    ],
    ids=["last-words", "no-words", "endless-words", "memory", "how-much"],
)
@pytest.mark.req("P17", "K10")
def test_failure_says_why(end: Ended, code: str, words: list[str]) -> None:
    """Exit code and last line, or lack of memory; and always what to do."""
    error = failure(end)

    assert code == error.code
    assert [] == [word for word in words if word not in error.message]
    assert len(error.message) < 500
    assert error.hint
