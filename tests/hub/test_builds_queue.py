"""The queue in a real hub: fair in numbers, told to those who wait, and no burden to anybody's page."""

from __future__ import annotations

import statistics
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests import queueload
from tests.hub.building import Builder
from tests.queueload import EACH, LAG_LINES, PEOPLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.gitserver import GitServer
    from tests.hubprocess import HubProcess


@pytest.mark.req("V23", "K57")
def test_twenty_builds_of_five_people(make_hub: Callable[..., HubProcess], forge: GitServer) -> None:
    """Round-robin to the place that was told; bad builds fail alone; pages and event loop stay quick meanwhile."""
    hub = make_hub(LAG_LINES).start()
    load = queueload.run(hub, forge)

    assert load.expected == tuple(row["id"] for row in load.builds)
    for turn in range(EACH):
        owners = [row["owner"] for row in load.builds[turn * PEOPLE : (turn + 1) * PEOPLE]]
        assert dict.fromkeys(owners, 1) == Counter(owners)
    order = {build: number for number, build in enumerate(load.expected, start=1)}
    asked = [load.expected[turn * PEOPLE + person] for person in range(PEOPLE) for turn in range(EACH)]
    assert [order[build] for build in asked] == [place["position"] for place in load.places]
    assert [place["position"] + 1 for place in load.places] == [place["ahead"] for place in load.places]
    assert {"ready": 10, "failed": 10} == Counter(row["state"] for row in load.builds)
    assert {"", "build_failed"} == {row["code"] for row in load.builds}
    events = [event for _, event in Builder(hub=hub).events(load.builds[-1]["id"])]
    usual = {event["state"]: event["estimate"]["of"] for event in events if "estimate" in event}
    assert {"fetching": "all", "rendering": "all"}.items() <= usual.items()
    assert statistics.median(load.pages) < 0.2, queueload.told(load)
    assert statistics.median(load.lags) < 0.05, queueload.told(load)
