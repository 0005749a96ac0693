"""How long a volume with a cap takes to be made, beside one without: on disk images, with the helper warm as in a running hub."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, figure
from versatilehub.engine import Engine
from versatilehub.storage.caps.storage import Storage

if TYPE_CHECKING:
    from pathlib import Path

CAP = 2 << 30


def volume_create(folder: Path, *, quick: bool) -> list[Figure]:
    """2 GiB with a cap and Docker's own volume without, in turns."""
    return asyncio.run(_measure(folder, 5 if quick else 30))


async def _measure(folder: Path, runs: int) -> list[Figure]:
    engine = Engine(hub=f"bench{secrets.token_hex(3)}", labels={"versatilehub.test": "bench"})
    storage = Storage(
        engine, image="versatilehub/builder:latest", store=str(folder / "store"), free=0, wanted="loop"
    )
    labels = engine.labels("volume", owner="bench", server="")
    ours: list[float] = []
    ready: list[float] = []
    plain: list[float] = []
    try:
        await storage.chosen()
        for _ in range(runs):
            name = f"vh-{engine.hub}-{secrets.token_hex(4)}"
            began = time.perf_counter()
            await storage.create(name, labels, CAP)
            ours.append(time.perf_counter() - began)
            began = time.perf_counter()
            await storage.ready(name)
            ready.append(time.perf_counter() - began)
            began = time.perf_counter()
            await engine.volumes.create(f"{name}-plain", labels)
            plain.append(time.perf_counter() - began)
            await storage.remove(name)
            await storage.remove(f"{name}-plain")
    finally:
        await storage.close()
        for volume in await engine.volumes.list({"versatilehub.hub": engine.hub}):
            await engine.volumes.remove(volume.name)
        await engine.close()
    return [
        figure("volume-create", ours, plain, peer="docker volume create, no cap", note="2 GiB, disk image"),
        figure(
            "volume-ready", ready, plain, peer="docker volume create, no cap", note="check before a start"
        ),
    ]
