"""Twenty builds of five people in a hub that builds two at a time, half of them bad; and what the hub is like meanwhile.

The test of the queue and the benchmark `queue-20` run it. The hub measures its own event loop (`LAG_LINES`).
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests

from tests.hub.building import Builder, repository
from tests.hubprocess import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.gitserver import GitServer
    from tests.hubprocess import HubProcess

PEOPLE = 5
EACH = 4
BAD = "FROM versatilehub/test-server\nRUN echo it breaks here; false\n"
HOLD = "FROM versatilehub/test-server\nRUN sleep 600\n"
#: Lines of a hub's configuration: every 10 ms the loop notes by how much it was late (seconds), in ``<state>/lags``.
LAG_LINES = """
    import asyncio as _asyncio, pathlib as _pathlib, time as _time

    async def _note_lags(path):
        with path.open("a", buffering=1) as file:
            while True:
                begun = _time.perf_counter()
                await _asyncio.sleep(0.01)
                file.write(f"{_time.time():.3f} {_time.perf_counter() - begun - 0.01:.6f}\\n")

    _noting = _asyncio.get_running_loop().create_task(_note_lags(_pathlib.Path(c.VersatileHub.state_dir) / "lags"))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What happened: the builds in the order they were begun by the queue, seconds of pages and of the loop's lateness."""

    builds: tuple[dict[str, Any], ...]
    expected: tuple[str, ...]
    places: tuple[dict[str, Any], ...]  # of each build while all waited, in the order they were asked for
    pages: tuple[float, ...]
    lags: tuple[float, ...]
    seconds: float


@dataclass(kw_only=True)
class Pages:
    """Asks for pages of a hub one after the other, and notes the seconds each took."""

    hub: HubProcess
    seconds: list[float] = field(default_factory=list)

    @contextmanager
    def asked(self) -> Iterator[None]:
        """Ask all the while."""
        over = threading.Event()
        thread = threading.Thread(target=self._ask, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _ask(self, over: threading.Event) -> None:
        session = requests.Session()
        while not over.wait(0.05):
            begun = time.perf_counter()
            assert session.get(f"{self.hub.url}/hub/login", timeout=30).ok
            self.seconds.append(time.perf_counter() - begun)


def lags(hub: HubProcess, since: float) -> tuple[float, ...]:
    """Return by how many seconds the hub's loop was late each time since a moment."""
    rows = (line.split() for line in (hub.state / "lags").read_text().splitlines()[:-1])
    return tuple(float(late) for at, late in rows if float(at) >= since)


def run(hub: HubProcess, forge: GitServer) -> Load:
    """Have all twenty wait behind two that hold the places, let go, and return when all have ended."""
    operator = Builder(hub=hub)
    holding = [operator.begin(repository(forge, HOLD)) for _ in range(2)]
    for build in holding:
        operator.wait(build, "building")
    people = [Builder(hub=hub, name=f"q{n}") for n in range(PEOPLE)]
    asked: list[tuple[str, str]] = []
    for person in people:
        for number in range(EACH):
            # Good and bad alternate, and each person has both.
            source = repository(forge) if number % 2 else repository(forge, BAD)
            asked.append((person.name, person.begin(source)))
    places = tuple(operator.show(build)["queue"] for _, build in asked)
    expected = tuple(asked[EACH * person + turn][1] for turn in range(EACH) for person in range(PEOPLE))
    pages, since = Pages(hub=hub), time.time()
    with pages.asked():
        for build in holding:
            operator.ask("POST", f"/{build}/cancel", json={"force": True})
        rows = wait_for(lambda: _ended(operator, len(asked)), "all twenty builds", seconds=240, step=0.3)
    seconds = time.time() - since
    return Load(
        builds=tuple(sorted(rows, key=lambda row: str(row["started"]))),
        expected=expected,
        places=places,
        pages=tuple(pages.seconds),
        lags=lags(hub, since),
        seconds=seconds,
    )


def _ended(operator: Builder, count: int) -> list[dict[str, Any]]:
    rows = operator.ask("GET", params={"limit": "200"}).json()["builds"]
    mine = [row for row in rows if row["owner"].startswith("q")]
    return mine if len(mine) == count and all(row["ended"] for row in mine) else []


def told(load: Load) -> str:
    """Return a load in a line, for whoever reads a benchmark's or a failed test's output."""
    return json.dumps(
        {"pages": len(load.pages), "lags": len(load.lags), "seconds": round(load.seconds, 1)}, sort_keys=True
    )
