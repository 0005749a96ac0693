"""Keeps the hub from calling a cancelled start ready.

Between the cancel and the stop, about a second, the hub sees a server and no pending start, and tells every page that
looks that it is ready; each would follow the link into an error.
"""

from __future__ import annotations

from typing import Any, Protocol

from versatilehub.web.errors import CANCELLED_MESSAGE


class _Spawner(Protocol):
    _start_pending: bool


def honest_ready_event(spawner: _Spawner, event: dict[str, Any]) -> dict[str, Any]:
    """Return *event*, or that the start was cancelled; for ``Spawner.progress_ready_hook``."""
    # The hub takes this flag back when start() returns or raises; a cancelled start() does neither, and the future
    # that would tell is gone by now. A cancel while the hub waits for the first answer is not seen.
    if spawner._start_pending:  # noqa: SLF001
        return {"progress": 100, "failed": True, "message": CANCELLED_MESSAGE}
    return event
