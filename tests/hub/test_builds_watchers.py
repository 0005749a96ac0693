"""Two hundred people watch one build: each sees every line once, and the hub has no thread for any of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.hub.building import Builder, repository
from tests.hubprocess import wait_for

if TYPE_CHECKING:
    from tests.gitserver import GitServer
    from tests.hubprocess import HubProcess

WATCHERS = 200
LINES = 400
MIB = 1 << 20
GATED = (
    "FROM versatilehub/test-server\nRUN echo begun; until python3 -c \"import urllib.request as u; u.urlopen('{gate}')\" "
    "2>/dev/null; do sleep 0.2; done; seq -f 'line %g.' {lines}\n"
)


def _status(hub: HubProcess, field: str) -> int:
    """Return a figure of the hub's process: ``Threads``, or ``VmRSS`` in KiB."""
    assert hub.process is not None
    lines = Path(f"/proc/{hub.process.pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{field}:")))


async def _watch(session: aiohttp.ClientSession, url: str, opened: asyncio.Event) -> list[int]:
    """Return the numbers of all events a watcher is sent."""
    numbers = []
    async with session.get(url) as answer:
        async for line in answer.content:
            if line.startswith(b"id: "):
                numbers.append(int(line[4:]))
                opened.set()
    return numbers


@pytest.mark.req("V23", "V24")
async def test_two_hundred_watchers(hub: HubProcess, forge: GitServer, user: str) -> None:
    """Less than a thread for ten of them and 150 KiB of memory for each; none misses a line, none gets one twice."""
    ada = await asyncio.to_thread(lambda: Builder(hub=hub, name=user))
    gate = f"gate-{user}"
    dockerfile = GATED.format(gate=forge.url(f"{gate}/info/refs?service=git-upload-pack"), lines=LINES)
    build = await asyncio.to_thread(lambda: ada.begin(repository(forge, dockerfile)))
    await asyncio.to_thread(
        wait_for, lambda: "begun" in ada.ask("GET", f"/{build}/log").text, "the step runs"
    )
    threads, memory = _status(hub, "Threads"), _status(hub, "VmRSS")
    headers = {"Authorization": f"token {ada.token}"}
    url = f"{hub.url}/hub/versatilehub/api/builds/{build}/events"
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
        opened = [asyncio.Event() for _ in range(WATCHERS)]
        tasks = [asyncio.create_task(_watch(session, url, one)) for one in opened]
        async with asyncio.timeout(60):
            await asyncio.gather(*(one.wait() for one in opened))
        more = _status(hub, "Threads") - threads
        grown = (_status(hub, "VmRSS") - memory) * 1024
        forge.repo(gate, {"open": "open"})
        seen = await asyncio.gather(*tasks)

    assert more < WATCHERS / 10
    assert grown < WATCHERS * 150 * 1024, f"{grown / MIB:.1f} MiB"
    assert all(numbers == list(range(len(seen[0]))) for numbers in seen)
    assert len(seen[0]) > LINES
