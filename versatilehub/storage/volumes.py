"""The labelled Docker volume of each server: made once, found by label, never mistaken for another's.

A volume's name never recurs: a server deleted and made anew gets a new volume, so nothing can come back by its name.
Labels say whose it is; whether that person may use it is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from versatilehub import naming
from versatilehub.errors import EngineConflict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from versatilehub.engine import Engine, StoredVolume

KIND = "volume"


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A server's volume. *server* "" is the default server; *created* is ISO 8601 in UTC."""

    name: str
    owner: str
    server: str
    created: str
    labels: Mapping[str, str] = field(default_factory=dict)


class Volumes:
    """The server volumes of one hub."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._locks: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def ensure(self, owner: str, server: str, *, name: str = "") -> Volume:
        """Return the server's volume, made if it has none.

        *name* is one the caller chose and wrote down before; it is used, and made if need be, whatever others exist.
        Raises `EngineConflict` when a volume of that name is not this server's.
        """
        async with self._locks[owner, server]:  # two starts at once must not make two volumes
            found = None if name else await self.find(owner, server)
            if found is not None:
                return found
            fresh = name or self.new_name(owner, server)
            labels = self._engine.labels(KIND, owner=owner, server=server)
            return _volume(await self._engine.volumes.create(fresh, labels))

    def new_name(self, owner: str, server: str) -> str:
        """Return a name no volume ever had."""
        return naming.volume_name(self._engine.hub, owner, server, uuid.uuid4().hex)

    async def find(self, owner: str, server: str) -> Volume | None:
        """Return the server's volume, the newest should there be several, or None."""
        found = [one for one in await self.list(owner=owner) if one.server == server]
        return max(found, key=lambda one: (one.created, one.name), default=None)

    async def is_there(self, name: str, owner: str) -> bool:
        """Tell whether *owner*'s volume of that name exists; `EngineConflict` when it is there and not theirs.

        The label of its server is not compared: a renamed server keeps the volume made under its old name.
        """
        found = await self._engine.volumes.find(name)
        if found is None:
            return False
        ours = {"hub": self._engine.hub, "kind": KIND, "owner": owner}
        if any(found.labels.get(f"versatilehub.{key}") != value for key, value in ours.items()):
            raise EngineConflict(
                f"The volume {name} exists and is not {owner}'s.",
                hint="An administrator can look at its labels.",
            )
        return True

    async def list(self, *, owner: str = "") -> list[Volume]:
        """Return the server volumes of this hub, of one owner if given."""
        labels = {"versatilehub.hub": self._engine.hub, "versatilehub.kind": KIND}
        if owner:
            labels["versatilehub.owner"] = owner
        return [_volume(raw) for raw in await self._engine.volumes.list(labels)]

    async def remove(self, name: str) -> None:
        """Remove a volume; `EngineConflict` while a container uses it, running or not. One that is gone is fine."""
        await self._engine.volumes.remove(name)


def _volume(raw: StoredVolume) -> Volume:
    labels = raw.labels
    return Volume(
        name=raw.name,
        owner=labels.get("versatilehub.owner", ""),
        server=labels.get("versatilehub.server", ""),
        created=labels.get("versatilehub.created", ""),
        labels=labels,
    )
