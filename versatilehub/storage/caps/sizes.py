"""Sizes of volumes by walking through them in one helper container: for backends whose file system tells nothing cheaper.

A walk reads every inode, so what was measured is kept, and a new walk waits ten times as long as the last one took.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from versatilehub.builds.events import LineReader
from versatilehub.errors import EngineFailure, StorageFailure

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from versatilehub.engine import Engine

_LIMIT: Final = 600.0
"""Seconds one walk may take."""
_AGE: Final = 60.0
"""Seconds a size is good for at least."""
_SHARE: Final = 10
_ROLE: Final = {"versatilehub.role": "sizes"}
_BATCH: Final = 100
"""Volumes of one container."""


class Sizes:
    """Measured sizes of one hub's volumes."""

    def __init__(self, engine: Engine, *, image: str) -> None:
        self._engine = engine
        self._image = image
        self._known: dict[str, int] = {}
        self._next = 0.0
        self._walking = asyncio.Lock()

    async def of(self, names: Collection[str]) -> Mapping[str, int]:
        """Return the bytes of each volume, as of the last walk; a new one begins when it is old enough."""
        async with self._walking:
            unknown = set(names) - self._known.keys()
            if unknown or time.monotonic() >= self._next:
                await self._walk(sorted(unknown if time.monotonic() < self._next else names))
        return {name: self._known[name] for name in names if name in self._known}

    def last(self, name: str) -> int | None:
        """Return what was measured last, None before the first time."""
        return self._known.get(name)

    async def now(self, name: str) -> int:
        """Measure one volume at once."""
        async with self._walking:
            self._known[name] = (await self._measure([name]))[0]
        return self._known[name]

    def forget(self, name: str) -> None:
        """Drop what is known of a volume that is gone."""
        self._known.pop(name, None)

    async def _walk(self, names: Sequence[str]) -> None:
        began = time.monotonic()
        for batch in _batches(names):
            self._known.update(zip(batch, await self._measure(batch), strict=True))
        now = time.monotonic()
        self._next = now + max(_AGE, _SHARE * (now - began))

    async def _measure(self, names: Sequence[str]) -> list[int]:
        container = f"vh-sizes-{uuid.uuid4().hex[:20]}"
        try:
            await self._engine.containers.create(container, self._spec(names))
            await self._engine.containers.start(container)
            return await self._result(container)
        finally:
            await asyncio.shield(asyncio.ensure_future(self._leave(container)))

    async def _leave(self, container: str) -> None:
        """Remove the helper, and the empty volumes Docker has made for it in the place of ones removed meanwhile."""
        await self._engine.containers.remove(container)
        ours = {"versatilehub.hub": self._engine.hub, "versatilehub.kind": "helper", **_ROLE}
        for volume in await self._engine.volumes.list(ours):
            await self._engine.volumes.remove(volume.name)

    async def _result(self, container: str) -> list[int]:
        reader = LineReader()
        try:
            async with asyncio.timeout(_LIMIT), aclosing(self._engine.containers.logs(container)) as batches:
                async for batch in batches:
                    for line in (read for text in batch for read in reader.read(text)):
                        if line.kind == "result":
                            return [int(size) for size in line.result["used"]]
        except TimeoutError as error:
            raise StorageFailure(f"Measuring volumes took longer than {_LIMIT:g} s.") from error
        raise EngineFailure("The helper that measures volumes ended without an answer.")

    def _spec(self, names: Sequence[str]) -> Mapping[str, Any]:
        labels = dict(self._engine.labels("helper", extra=_ROLE))
        mounts = [
            {
                "Type": "volume",
                "Source": name,
                "Target": f"/v/{index}",
                "ReadOnly": True,
                # the labels are those of a volume that Docker makes because it is missing
                "VolumeOptions": {"NoCopy": True, "Labels": labels},
            }
            for index, name in enumerate(names)
        ]
        return {
            "Image": self._image,
            "Entrypoint": ["python", "-m", "versatilehub_builder.sizes"],
            "Cmd": [],
            "User": "0:0",
            "Env": ["HOME=/tmp", f"VERSATILEHUB_JOB={json.dumps({'names': list(names)})}"],
            "Labels": labels,
            "Healthcheck": {"Test": ["NONE"]},
            "NetworkDisabled": True,
            "HostConfig": {**_HOST, "Mounts": mounts},
        }


def _batches(names: Sequence[str]) -> list[Sequence[str]]:
    return [names[at : at + _BATCH] for at in range(0, len(names), _BATCH)]


_HOST: Final[Mapping[str, Any]] = {
    "NetworkMode": "none",
    "CapDrop": ["ALL"],
    "CapAdd": ["DAC_READ_SEARCH"],
    "SecurityOpt": ["no-new-privileges:true"],
    "ReadonlyRootfs": True,
    "Memory": 512 << 20,
    "MemorySwap": 512 << 20,
    "PidsLimit": 32,
    "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "1"}},
}
