"""Builds an administrator ends from the command line, which reaches the database and not the hub."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from versatilehub.errors import StoreFailure
from versatilehub.store import builds as rows

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from versatilehub.store import Store

_LOOK: Final = 0.5
"""Seconds between two looks: a cancel takes effect within 2 s. Nobody looks while nothing is built."""


class WishedEnds:
    """Looks for wishes while builds are *live*; used from one event loop."""

    def __init__(self, store: Store, live: Mapping[str, Any], cancel: Callable[..., Awaitable[bool]]) -> None:
        self._store = store
        self._live = live
        self._cancel = cancel
        self._task: asyncio.Task[None] | None = None

    def follow(self) -> None:
        """Look until no build is left."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look(), name="versatilehub-wished-ends")

    def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()

    async def _look(self) -> None:
        while self._live:
            await asyncio.sleep(_LOOK)
            try:
                wished = await self._store.run(rows.to_cancel)
            except StoreFailure:
                continue  # the next look may find it again
            for id, by in wished.items():  # noqa: A001  # the field's name
                await self._cancel(id, by=by)
