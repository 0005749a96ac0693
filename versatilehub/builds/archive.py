"""Every build there is or was: its row as it is now, and its log to read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from versatilehub.store import builds as rows

from .replay import Replay

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from versatilehub.store import Store
    from versatilehub.store.builds import BuildRecord, Wanted

    from .job import Job

_LOG: Final = "log.jsonl"


class Archive:
    """Reads only. A build under way is told by its job, which is ahead of its row."""

    def __init__(self, store: Store, folder: Path, live: Mapping[str, Job]) -> None:
        self._store = store
        self._folder = folder
        self._live = live

    def log_path(self, id: str) -> Path:  # noqa: A002  # the field's name
        """Return where the log of a build is."""
        return self._folder / id / _LOG

    async def get(self, id: str) -> BuildRecord | None:  # noqa: A002
        """Return one build, None when there is none of that id."""
        job = self._live.get(id)
        return job.record if job is not None else await self._store.run(lambda s: rows.get(s, id))

    async def find(self, wanted: Wanted, *, offset: int, limit: int) -> tuple[list[BuildRecord], int]:
        """Return one page of builds, the newest first, and how many there are."""
        found, total = await self._store.run(lambda s: rows.find(s, wanted, offset=offset, limit=limit))
        return [self._live[one.id].record if one.id in self._live else one for one in found], total

    def replay(self, id: str, from_seq: int = 0) -> Replay:  # noqa: A002
        """Return a reader of a build's events from a number on; of a build under way it goes on until the end."""
        job = self._live.get(id)
        return (
            job.log.replay(from_seq)
            if job is not None
            else Replay(self.log_path(id), None, from_seq=from_seq)
        )

    async def has_log(self, id: str) -> bool:  # noqa: A002
        """Return whether the log of a build is still kept."""
        return await asyncio.to_thread(self.log_path(id).exists)
