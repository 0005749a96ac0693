"""Volumes of Docker's local driver, never mistaken for somebody else's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from versatilehub.errors import EngineConflict, EngineNotFound

from .transport import LONG, NORMAL, QUICK, Transport, label_filter

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVolume:
    """A Docker volume, its labels and the options it was really made with."""

    name: str
    labels: Mapping[str, str]
    options: Mapping[str, str] = field(default_factory=dict)


class Volumes:
    """Docker volumes of the local driver."""

    def __init__(self, docker: Transport) -> None:
        self._docker = docker

    async def create(
        self, name: str, labels: Mapping[str, str], options: Mapping[str, str] | None = None
    ) -> StoredVolume:
        """Make a volume, or return the one of that name if it is the same.

        Docker ignores labels and options for a name that exists, so the volume is looked at: one of other
        labels (but for the time of creation) or options may be somebody else's: `EngineConflict`.
        """
        body = {"Name": name, "Driver": "local", "Labels": dict(labels), "DriverOpts": dict(options or {})}
        await self._docker.call("POST", "volumes/create", limit=NORMAL, body=body)
        made = await self.inspect(name)
        if _lasting(made.labels) != _lasting(labels) or dict(made.options) != dict(options or {}):
            raise EngineConflict(
                f"A volume {name} exists and is not ours.", hint="An administrator can look at its labels."
            )
        return made

    async def inspect(self, name: str) -> StoredVolume:
        """Return the volume; `EngineNotFound` when there is none."""
        return _stored(await self._docker.json("GET", f"volumes/{name}", limit=QUICK))

    async def find(self, name: str) -> StoredVolume | None:
        """Return the volume, or None when there is none."""
        try:
            return await self.inspect(name)
        except EngineNotFound:
            return None

    async def list(self, labels: Mapping[str, str]) -> list[StoredVolume]:
        """Return every volume that carries all of *labels*."""
        answer = await self._docker.json("GET", "volumes", limit=NORMAL, params=label_filter(labels))
        return [_stored(raw) for raw in answer["Volumes"] or ()]

    async def remove(self, name: str) -> None:
        """Remove it; one that is gone is fine, one in use is `EngineConflict`."""
        try:
            await self._docker.call("DELETE", f"volumes/{name}", limit=LONG)
        except EngineNotFound:
            return


def _stored(raw: Mapping[str, Any]) -> StoredVolume:
    return StoredVolume(name=raw["Name"], labels=raw["Labels"] or {}, options=raw["Options"] or {})


def _lasting(labels: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in labels.items() if key != "versatilehub.created"}
