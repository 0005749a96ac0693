"""The rows of builds, kept up with their logs.

A build's row is stored before anything of it exists. After that its log is written first and its row follows, in order
and in the background: a hub that comes back reads from the log what a row lacks, so the two never disagree for long.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from versatilehub.errors import StoreFailure
from versatilehub.store import builds as rows
from versatilehub.store.builds import BuildRecord

from .events import BuildState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from versatilehub.store import Store

    from .attempt import Attempt, Wish
    from .logs import BuildLog

_log: Final = logging.getLogger(__name__)
_RETRY: Final = 1.0


class Book:
    """Writes rows; used from one event loop."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._pending: dict[str, dict[str, Any]] = {}
        self._writing: asyncio.Task[None] | None = None

    def save(self, id: str, changes: Mapping[str, Any]) -> asyncio.Task[None]:  # noqa: A002  # the field's name
        """Store changes of a build soon; the task ends when all that was to be stored is."""
        self._pending.setdefault(id, {}).update(changes)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="versatilehub-book")
        return self._writing

    async def close(self) -> None:
        """Wait until everything is stored, unless the database does not answer."""
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=_RETRY)
            self._writing.cancel()

    async def _write(self) -> None:
        while self._pending:
            batch, self._pending = self._pending, {}
            try:
                await self.store.run(_changing(batch))
            except StoreFailure as error:
                _log.warning("builds are not up to date in the database yet: %s", error.message)
                for id, changes in batch.items():  # noqa: A001
                    self._pending[id] = {**changes, **self._pending.get(id, {})}
                await asyncio.sleep(_RETRY)


def _changing(batch: Mapping[str, Mapping[str, Any]]) -> Callable[[Any], None]:
    def work(session: Any) -> None:
        for id, changes in batch.items():  # noqa: A001
            rows.change(session, id, changes)

    return work


def record_of(attempt: Attempt, wish: Wish) -> BuildRecord:
    """Return the row of a new build."""
    source = attempt.source
    return BuildRecord(
        id=attempt.id,
        identity=attempt.identity,
        owner=wish.user,
        source=source.url,
        provider=source.provider,
        commit=source.commit,
        ref=source.ref,
        subdir=source.subdir,
        created=rows.moment(attempt.created),
        lane=wish.lane,
        forced=wish.force,
        askers=(wish.user,) if wish.user else (),
        plan=attempt.to_json(),
    )


def as_written(log: BuildLog) -> dict[str, Any]:
    """Return what a build's log says of its row."""
    times = log.times
    started, ended = log.entered(BuildState.FETCHING), log.entered(log.state) if log.done else None
    return {
        "state": log.state,
        "started": rows.moment(started) if started is not None else None,
        "ended": rows.moment(ended) if ended is not None else None,
        "seconds": {state.value: round(after - at, 3) for (state, at), (_, after) in pairwise(times.items())},
        "log_bytes": log.text_size,
        **{key: log.error[key] for key in ("code", "message", "hint", "file") if log.error.get(key)},
        **{key: log.result[key] for key in ("image", "image_id", "pack") if log.result.get(key)},
    }


def up_to_date(record: BuildRecord, log: BuildLog, people: frozenset[str]) -> BuildRecord:
    """Return a build's row as its log and those who wait have it now."""
    askers = dict.fromkeys([*record.askers, *sorted(people)])
    return replace(record, **as_written(log), askers=tuple(askers))
