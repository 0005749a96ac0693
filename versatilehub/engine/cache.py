"""What BuildKit keeps of steps, for builds that begin alike. It has no owners: it is that of every build on this engine."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from versatilehub.errors import EngineFailure

from .transport import LONG, NORMAL

if TYPE_CHECKING:
    from .transport import Transport


_TRIES: Final = 120
_PAUSE: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one step left: *size* in bytes, *text* in BuildKit's words; *free*: no build uses it, no image or second build shares it."""

    id: str
    made: datetime
    size: int
    text: str
    free: bool


class StepCache:
    """Kept steps of the engine."""

    def __init__(self, docker: Transport) -> None:
        self._docker = docker

    async def steps(self) -> list[Step]:
        """Return every kept step, the last made first.

        Docker measures everything it has for this answer: not for the way of a person who waits.
        """
        answer = await self._usage()
        found = [
            Step(
                id=row["ID"],
                made=_moment(row["CreatedAt"]),
                size=row["Size"],
                text=row["Description"],
                free=not row["InUse"] and not row["Shared"] and row["UsageCount"] <= 1,
            )
            for row in answer.get("BuildCache") or ()
        ]
        return sorted(found, key=lambda one: one.made, reverse=True)

    async def _usage(self) -> Any:
        for _ in range(_TRIES):
            try:
                return await self._docker.json("GET", "system/df", limit=LONG)
            except EngineFailure as error:
                if "already running" not in error.message:  # Docker measures for one at a time
                    raise
                await asyncio.sleep(_PAUSE)
        raise EngineFailure("Docker measures its disk for somebody else all the time.")

    async def drop(self, id: str) -> int:  # noqa: A002  # the field's name
        """Drop one kept step unless it is in use, and return how many bytes that freed."""
        params = {"all": 1, "filters": json.dumps({"id": [id]})}
        answer = await self._docker.json("POST", "build/prune", limit=NORMAL, params=params)
        return int((answer or {}).get("SpaceReclaimed") or 0)


def _moment(text: str) -> datetime:
    """Read Docker's time, whose fraction has more digits than Python reads."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}+00:00")
