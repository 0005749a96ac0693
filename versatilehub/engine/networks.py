"""Bridge networks of the engine, always used by id: a name may be ambiguous in Docker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from versatilehub.errors import EngineConflict, EngineNotFound

from .transport import NORMAL, QUICK, Transport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Networks:
    """Our bridge networks."""

    def __init__(self, docker: Transport) -> None:
        self._docker = docker

    async def ensure(
        self, name: str, labels: Mapping[str, str], options: Mapping[str, str] | None = None
    ) -> str:
        """Return the id of our bridge network of that name, made if need be; one not ours is refused."""
        for _ in range(2):
            for raw in await self._named(name):
                if (raw["Labels"] or {}).get("versatilehub.hub") != labels.get("versatilehub.hub"):
                    raise EngineConflict(
                        f"A network {name} exists and is not ours.", hint="An administrator can rename it."
                    )
                return str(raw["Id"])
            body = {
                "Name": name,
                "CheckDuplicate": True,
                "Labels": dict(labels),
                "Options": dict(options or {}),
            }
            try:
                return str(
                    (await self._docker.json("POST", "networks/create", limit=NORMAL, body=body))["Id"]
                )
            except EngineConflict:
                continue  # made by another call since we looked
        raise EngineConflict(f"The network {name} can neither be found nor made.")

    async def gateway(self, network: str) -> str:
        """Return this machine's own IPv4 address in the network, by name or id."""
        raw: Mapping[str, Any] = await self._docker.json("GET", f"networks/{network}", limit=QUICK)
        return str(raw["IPAM"]["Config"][0]["Gateway"])

    async def remove(self, network: str) -> None:
        """Remove it; one that is gone is fine."""
        try:
            await self._docker.call("DELETE", f"networks/{network}", limit=NORMAL)
        except EngineNotFound:
            return

    async def _named(self, name: str) -> Sequence[Mapping[str, Any]]:
        params = {"filters": json.dumps({"name": [name]})}
        rows: Sequence[Mapping[str, Any]] = await self._docker.json(
            "GET", "networks", limit=QUICK, params=params
        )
        return [row for row in rows if row["Name"] == name]  # Docker's filter matches parts of names
