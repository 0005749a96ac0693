"""What servers and volumes use now: measured by the hub at its own pace, the same figures for every page, API call and metric.

However many ask, servers are looked at once in `every` seconds and volumes once in `volumes_every`. Nothing is measured for
nobody but the volumes, whose owners are warned when they fill up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from versatilehub import quotas
from versatilehub.errors import EngineFailure, VersatileHubError
from versatilehub.store import usage as rows
from versatilehub.store.usage import Size

from .backend import BACKEND

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from versatilehub.engine import Container, Engine, StoredVolume
    from versatilehub.engine.stats import Sample
    from versatilehub.storage.caps.storage import Storage
    from versatilehub.store import Store

log = logging.getLogger("versatilehub")

_AT_ONCE: Final = 8
"""Containers looked at at the same time."""
_TOLD_EVERY: Final = timedelta(hours=1)
_TOLD_CHANGE: Final = 0.01
"""The ledger is told of a volume's size when it changed by this share, at most once in `_TOLD_EVERY`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerUse:
    """A running server: bytes of memory, CPUs in use (None before the second look), and their limits (0: none)."""

    owner: str
    server: str
    memory: int
    memory_limit: int
    cpus: float | None
    cpu_limit: float
    volumes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeUse:
    """A measured volume: bytes in use of *limit* (0: no cap), who keeps the cap, and the warning level (0, 80, 95)."""

    name: str
    owner: str
    server: str
    used: int
    limit: int
    backend: str
    level: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Everything at one time; *at* is None before the first look."""

    at: datetime | None = None
    servers: tuple[ServerUse, ...] = ()
    volumes: tuple[VolumeUse, ...] = ()


@dataclass(slots=True)
class _Known:
    """What one running container was like before."""

    cpu_limit: float
    volumes: tuple[str, ...]
    sample: Sample | None = None


@dataclass(slots=True, kw_only=True)
class Due:
    """A job that is done at most once in *every* seconds, by whoever comes first; the others wait for the same."""

    every: float
    last: float = float("-inf")
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class UsageMeter:
    """The figures of one hub. *warn* is called at each crossing of a level, *measured* with what the ledger should know."""

    def __init__(
        self,
        engine: Engine,
        storage: Storage,
        store: Store,
        *,
        every: float = 10.0,
        volumes_every: float = 60.0,
        warn: Callable[[VolumeUse], None] = lambda _: None,
        measured: Callable[[VolumeUse], None] = lambda _: None,
    ) -> None:
        self._engine = engine
        self._storage = storage
        self._store = store
        self._servers = Due(every=every)
        self._volumes = Due(every=volumes_every)
        self._warn = warn
        self._measured = measured
        self._known: dict[str, _Known] = {}
        self.latest = Use()

    async def use(self) -> Use:
        """Return the figures, as old as they may be; raises `EngineFailure` when there are none and Docker does not answer."""
        await asyncio.gather(
            self._if_due(self._servers, self._look_at_servers),
            self._if_due(self._volumes, self._look_at_volumes),
        )
        return self.latest

    async def watch(self) -> None:
        """Measure volumes for ever, so that owners are warned and a full one is known before its next start."""
        while True:
            try:
                await self._if_due(self._volumes, self._look_at_volumes)
            except VersatileHubError as error:
                log.warning("Volumes could not be measured: %s", error)
            await asyncio.sleep(self._volumes.every)

    async def _if_due(self, due: Due, look: Callable[[], object]) -> None:
        async with due.lock:
            if time.monotonic() - due.last < due.every:
                return
            result = look()
            if asyncio.iscoroutine(result):
                await result
            due.last = time.monotonic()

    # -- servers -----------------------------------------------------------------------------

    async def _look_at_servers(self) -> None:
        found = await self._engine.containers.list(
            {"versatilehub.hub": self._engine.hub, "versatilehub.kind": "server"}
        )
        running = [one for one in found if one.state == "running"]
        self._known = {key: known for key, known in self._known.items() if key in {one.id for one in running}}
        few = asyncio.Semaphore(_AT_ONCE)

        async def look(container: Container) -> ServerUse | None:
            async with few:
                return await self._look(container)

        uses = await asyncio.gather(*(look(container) for container in running))
        self.latest = replace(
            self.latest,
            at=datetime.now(UTC),
            servers=tuple(sorted((one for one in uses if one), key=lambda one: (one.owner, one.server))),
        )

    async def _look(self, container: Container) -> ServerUse | None:
        with contextlib.suppress(
            EngineFailure
        ):  # of a server that stops just now, the others' figures are shown
            known = self._known.get(container.id)
            if known is None:
                known = self._known[container.id] = _of(await self._engine.containers.inspect(container.id))
            now = await self._engine.stats.look(container.id)
            if now is None:
                return None
            before, known.sample = known.sample, now
            return ServerUse(
                owner=container.labels.get("versatilehub.owner", ""),
                server=container.labels.get("versatilehub.server", ""),
                memory=now.memory,
                memory_limit=now.memory_limit,
                cpus=_cpus(before, now),
                cpu_limit=known.cpu_limit,
                volumes=known.volumes,
            )
        return None

    # -- volumes -----------------------------------------------------------------------------

    async def _look_at_volumes(self) -> None:
        ours = {"versatilehub.hub": self._engine.hub, "versatilehub.kind": "volume"}
        stored = {one.name: one for one in await self._engine.volumes.list(ours)}
        measured = await self._storage.measure(stored)
        before = await self._store.run(rows.sizes)
        now = datetime.now(UTC)
        uses: list[VolumeUse] = []
        sizes: list[Size] = []
        for name, found in sorted(measured.items()):
            last = before.get(name)
            level = quotas.level(last.level if last else 0, found.used, found.limit)
            use = _volume(stored[name], found.used, found.limit, level)
            uses.append(use)
            size = Size(volume=name, used=found.used, cap=found.limit, level=level, told=0, told_at=now)
            sizes.append(self._tell(use, last, size))
        await self._store.run(lambda session: rows.keep(session, sizes, gone=before.keys() - stored.keys()))
        self.latest = replace(self.latest, at=now, volumes=tuple(uses))

    def _tell(self, use: VolumeUse, last: Size | None, size: Size) -> Size:
        """Warn, and tell the ledger, where that is due; return what to write down."""
        if quotas.crossed(last.level if last else 0, use.level):
            self._warn(use)
        if last is not None and not _worth_telling(last, size):
            return replace(size, told=last.told, told_at=last.told_at)
        self._measured(use)
        return replace(size, told=size.used)


def _worth_telling(last: Size, size: Size) -> bool:
    changed = abs(size.used - last.told) > _TOLD_CHANGE * max(last.told, 1)
    return changed and size.told_at - last.told_at >= _TOLD_EVERY


def _of(container: Container) -> _Known:
    host: Mapping[str, object] = container.raw["HostConfig"]
    quota, period = _number(host.get("CpuQuota")), _number(host.get("CpuPeriod")) or 100_000
    mounts: Sequence[Mapping[str, str]] = container.raw.get("Mounts") or ()
    return _Known(
        cpu_limit=_number(host.get("NanoCpus")) / 1e9 or max(0.0, quota / period),
        volumes=tuple(sorted(one["Name"] for one in mounts if one.get("Type") == "volume")),
    )


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _cpus(before: Sample | None, now: Sample) -> float | None:
    seconds = (now.at - before.at).total_seconds() if before else 0.0
    return (
        round(max(0.0, now.cpu_seconds - before.cpu_seconds) / seconds, 3) if before and seconds > 0 else None
    )


def _volume(stored: StoredVolume, used: int, limit: int, level: int) -> VolumeUse:
    return VolumeUse(
        name=stored.name,
        owner=stored.labels.get("versatilehub.owner", ""),
        server=stored.labels.get("versatilehub.server", ""),
        used=used,
        limit=limit,
        backend=stored.labels.get(BACKEND, ""),
        level=level,
    )
