"""What the world outside is told: Prometheus at ``/hub/metrics``, and JupyterHub's event log."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import requests

from tests.hubprocess import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.gitserver import GitServer
    from tests.hubprocess import HubProcess


def metrics_of(hub: HubProcess) -> list[str]:
    """Our lines of the hub's metrics."""
    answer = requests.get(
        f"{hub.url}/hub/metrics", headers={"Authorization": f"token {hub.token}"}, timeout=30
    )
    assert answer.status_code == 200, answer.text
    return re.findall(r"^versatilehub_.*$", answer.text, re.MULTILINE)


def test_builds_and_launches_are_told(make_hub: Callable[..., HubProcess], forge: GitServer) -> None:
    """A launch of a new repository, and a refused one, are in the metrics without names and in the event log with them."""
    lines = """
    import logging
    c.EventLogger.handlers = [logging.FileHandler(os.environ["VERSATILEHUB_STATE"] + "/events.log")]
    """
    hub = make_hub("\n    import os" + lines).start()
    user = hub.user("observed")
    forge.repo("observed", {"Dockerfile": "FROM versatilehub/test-server\n"})
    hub.run(user, source=forge.url("observed"))
    hub.launch(user, "other", source="https://github.com/a/b", memory="900G")

    found = wait_for(
        lambda: [line for line in metrics_of(hub) if line.startswith("versatilehub_refusals_total{")],
        "the refusal in the metrics",
    )
    every = "\n".join(metrics_of(hub))
    assert 'versatilehub_refusals_total{code="memory_out_of_range"} 1.0' in found
    assert 'versatilehub_builds_total{outcome="ready",pack="dockerfile"} 1.0' in every
    assert 'versatilehub_events_total{kind="server.started"} 1.0' in every
    assert 'versatilehub_builds_active{state="building"} 0.0' in every
    assert "observed" not in every

    rows = [json.loads(line) for line in (hub.state / "events.log").read_text().splitlines()]
    ours = [row for row in rows if "versatilehub" in row["__schema__"]]
    assert [row["action"] for row in ours if row["__schema__"].endswith("/build")] == ["begin", "end"]
    launches = [(row["owner"], row["outcome"]) for row in ours if row["__schema__"].endswith("/launch")]
    assert launches == [(user, "ok"), (user, "refused")]
    hub.halt(user)
