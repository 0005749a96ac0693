"""What the hub tells pages about a start that was cancelled."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from versatilehub.web.ready import honest_ready_event

READY = {"progress": 100, "ready": True, "url": "/user/a/"}


@dataclass
class Spawner:
    """The one flag of JupyterHub's spawner that is looked at."""

    _start_pending: bool


@pytest.mark.parametrize(
    ("start_pending", "ready"), [(False, True), (True, False)], ids=["over", "cancelled"]
)
def test_ready_only_when_the_start_is_over(start_pending: bool, ready: bool) -> None:
    """A start that never came to its end is not announced as ready."""
    event = honest_ready_event(Spawner(_start_pending=start_pending), dict(READY))

    assert ready == bool(event.get("ready"))
    assert ready != bool(event.get("failed"))
