"""The three containers of a build: started, found again, and removed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from versatilehub.errors import EngineConflict
from versatilehub.logins import Login

from .specs import RENDER_ONLINE, ROLES, Specs

if TYPE_CHECKING:
    from versatilehub.engine import Container, Engine

    from .attempt import Attempt, BuildSettings

Logins = Callable[[str, str], Awaitable[Login | None]]
"""Gives the login of a person (name) for the host of a repository (URL), None when there is none."""
HELPERS: Final = frozenset({"probe", "seed", "place"})
"""Containers of moments: none outlives the hub that made it."""
_PATIENCE: Final = 100
_PAUSE: Final = 0.1


class BuildContainers:
    """Makes, finds and removes what one attempt has in Docker. All calls may be repeated."""

    def __init__(self, engine: Engine, settings: BuildSettings, logins: Logins | None = None) -> None:
        self._engine = engine
        self._logins = logins
        self._specs = Specs(engine, settings)
        self._starting: dict[str, asyncio.Task[None]] = {}

    async def begin(self, attempt: Attempt, *roles: str) -> None:
        """Make the work volume, and begin to start what is not there yet of *roles*; `started` waits for each."""
        await self._engine.volumes.create(attempt.volume, self._specs.labels(attempt, "work"))
        for role in roles:
            name = attempt.container(role)
            begun = self._starting.get(name)
            if begun is None or (begun.done() and begun.exception() is not None):
                self._starting[name] = asyncio.create_task(self._start(attempt, role), name=name)

    async def started(self, attempt: Attempt, role: str) -> None:
        """Return when a container that was begun has started, at once for any other; raises why it could not be."""
        task = self._starting.get(attempt.container(role))
        if task is not None:
            # A call to Docker that is cut off may still be carried out: it is waited for, by `remove` at the latest.
            await asyncio.shield(task)

    async def hand_login_over(self, attempt: Attempt) -> None:
        """Write the login of the attempt's reader to its fetch, which waits for it; nothing for an attempt without a reader.

        A hub that comes back does so again: a fetch that has read one does not read another.
        """
        if not attempt.reader:
            return
        url = attempt.source.url
        login = await self._logins(attempt.reader, url) if self._logins else None
        found = {"origin": login.origin, "username": login.username, "secret": login.secret} if login else {}
        await self._engine.containers.feed(attempt.container("fetch"), json.dumps(found).encode() + b"\n")

    async def _start(self, attempt: Attempt, role: str) -> None:
        """Create and start one container unless it has been; what has ended is not started again."""
        name = attempt.container(role)
        spec = await self._specs.spec(attempt, role)
        try:
            await self._engine.containers.create(name, spec)
        except EngineConflict:
            if (await self._engine.containers.inspect(name)).state != "created":
                return
        await self._engine.containers.start(name)

    async def close(self) -> None:
        """Wait for what is being started; nothing is stopped."""
        await asyncio.gather(*self._starting.values(), return_exceptions=True)
        self._starting.clear()

    async def find(self, attempt: Attempt) -> list[Container]:
        """Return the containers of this attempt, whatever their state."""
        return await self._engine.containers.list(
            {
                "versatilehub.kind": "build",
                "versatilehub.hub": self._engine.hub,
                "versatilehub.attempt": attempt.id,
            }
        )

    async def remove(self, attempt: Attempt) -> None:
        """Remove the containers and the work volume."""
        containers = [attempt.container(role) for role in (*ROLES, RENDER_ONLINE)]
        starting = [task for name in containers if (task := self._starting.pop(name, None))]
        await asyncio.gather(*starting, return_exceptions=True)
        results = await asyncio.gather(
            *(self._engine.containers.remove(name) for name in containers), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result
        await self._remove_volume(attempt.volume)

    async def _remove_volume(self, name: str) -> None:
        """Remove a volume whose last container may still be going: Docker answers before it has gone."""
        for _ in range(_PATIENCE):
            try:
                return await self._engine.volumes.remove(name)
            except EngineConflict:
                await asyncio.sleep(_PAUSE)
        return await self._engine.volumes.remove(name)

    async def remove_strays(self, keep: frozenset[str]) -> None:
        """Remove what an earlier hub left: whatever belongs to no attempt of *keep*, and all probes and placements.

        A placement that still runs is ended: the start it belongs to is gone, and the next one does it again.
        """
        ours = {"versatilehub.hub": self._engine.hub}
        builds = await self._engine.containers.list({**ours, "versatilehub.kind": "build"})
        helpers = await self._engine.containers.list({**ours, "versatilehub.kind": "helper"})
        strays = [one for one in builds if one.labels.get("versatilehub.attempt") not in keep]
        strays += [one for one in helpers if one.labels.get("versatilehub.role") in HELPERS]
        await asyncio.gather(*(self._engine.containers.remove(one.id) for one in strays))
        for volume in await self._engine.volumes.list({**ours, "versatilehub.kind": "build"}):
            if volume.labels.get("versatilehub.attempt") not in keep:
                await self._remove_volume(volume.name)
