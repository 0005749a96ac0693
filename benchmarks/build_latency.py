"""How long a new Dockerfile repository takes to an image beyond its own steps, and how long placement takes.

Run: python -m benchmarks.build_latency [runs]. Needs the engine and the images of `make images`. The floor is what the
repository's one long step takes by BuildKit's own clock; targets: 1.6 s over it, first line 0.5 s, placement 0.35 s.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.buildsite import BASE, site
from versatilehub.storage.placement import Placement

if TYPE_CHECKING:
    from versatilehub.builds.events import BuildEvent
    from versatilehub.engine import Engine

BUILDER = "versatilehub/builder:latest"
FILES = {"Dockerfile": f"FROM {BASE}\nCOPY . /srv/repo/\nRUN sleep 2\n"}
ASKING = "Asking the git host for the commit"
_DONE = re.compile(r"#\d+ DONE (?P<seconds>[\d.]+)s")


async def _volume(engine: Engine, server: str) -> str:
    name = f"vh-{secrets.token_hex(8)}"
    await engine.volumes.create(name, engine.labels("volume", owner="bench", server=server))
    return name


async def measure(runs: int, builder: str) -> dict[str, list[float]]:
    """Return seconds by name, one figure a run."""
    figures: dict[str, list[float]] = {
        name: [] for name in ("first line", "git host asked", "over own steps", "relaunch", "placement")
    }
    with tempfile.TemporaryDirectory() as folder:
        async with site(Path(folder), {"versatilehub.test": "benchmark"}, builder=builder) as opened:
            builds, placement = opened.builds(), Placement(opened.engine, builder=builder)
            volume = await _volume(opened.engine, "bench")
            for number in range(runs):
                source = opened.source(FILES, f"r{number}")
                seen: list[tuple[float, BuildEvent]] = []
                begun = time.monotonic()
                found = await builds.ensure(source, lambda event: seen.append((time.monotonic(), event)))  # noqa: B023  # called before the next turn
                took = time.monotonic() - begun
                figures["first line"].append(next(at for at, event in seen if event.kind == "log") - begun)
                figures["git host asked"].append(
                    next(at for at, event in seen if event.message == ASKING) - begun
                )
                figures["over own steps"].append(took - own_steps([event.message for _, event in seen]))
                begun = time.monotonic()
                await builds.ensure(source, lambda _: None)
                figures["relaunch"].append(time.monotonic() - begun)
                home = await _volume(opened.engine, f"s{number}")
                await placement.place(found, volume, name=f"r{number}")  # fills the content
                begun = time.monotonic()
                await placement.place(found, home, name=f"r{number}")
                figures["placement"].append(time.monotonic() - begun)
            await placement.close()
    return figures


def own_steps(messages: list[str]) -> float:
    """Return the seconds of the longest step by BuildKit's clock: the sleep and what Docker needs to run it."""
    return max(float(found["seconds"]) for text in messages if (found := _DONE.fullmatch(text.strip())))


def main() -> None:
    """Measure and print one line a figure."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    builder = sys.argv[2] if len(sys.argv) > 2 else BUILDER
    for name, values in asyncio.run(measure(runs, builder)).items():
        print(
            f"{name:16} median {statistics.median(values):.2f} s  min {min(values):.2f}  max {max(values):.2f}  n {len(values)}"
        )


if __name__ == "__main__":
    main()
