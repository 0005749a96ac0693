"""Memory and CPU time of running containers, one look at a time.

Docker's stream of stats keeps a connection and a second's work for each container; a single look ("one-shot") costs a few
milliseconds, and CPU use is the difference between two of ours. Rejected for that reason: a stream for each running server.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from versatilehub.errors import EngineConflict, EngineNotFound

from .transport import NORMAL, Transport

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look: when, CPU seconds since the start, memory in bytes without what the kernel can drop, and its limit."""

    at: datetime
    cpu_seconds: float
    memory: int
    memory_limit: int


class Stats:
    """Looks at containers."""

    def __init__(self, docker: Transport) -> None:
        self._docker = docker

    async def look(self, container: str) -> Sample | None:
        """Return what a running container uses; None when it does not run any more."""
        try:
            raw = await self._docker.json(
                "GET",
                f"containers/{container}/stats",
                limit=NORMAL,
                params={"stream": "false", "one-shot": "true"},
            )
        except (EngineNotFound, EngineConflict):
            return None
        return sample(raw)


def sample(raw: Mapping[str, Any]) -> Sample | None:
    """Read Docker's answer: that of a container that has ended has no memory in it."""
    memory = raw.get("memory_stats") or {}
    if "usage" not in memory:
        return None
    details = memory.get("stats") or {}
    # The page cache that is not in use (cgroup v1, v2) goes when somebody needs memory; `docker stats` leaves it out as well.
    cache = int(details.get("total_inactive_file", details.get("inactive_file", 0)))
    return Sample(
        at=datetime.fromisoformat(_microseconds(str(raw["read"]))),
        cpu_seconds=int(raw["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9,
        memory=max(0, int(memory["usage"]) - cache),
        memory_limit=int(memory.get("limit", 0)),
    )


def _microseconds(text: str) -> str:
    """Return Docker's time (nanoseconds, "Z") as Python 3.11 reads it."""
    whole, _, rest = text.removesuffix("Z").partition(".")
    return f"{whole}.{rest[:6].ljust(6, '0')}+00:00"
