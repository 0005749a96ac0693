"""Metrics count what happened, and no label grows with what people or logs say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from versatilehub.builds.events import BuildEvent, BuildState
from versatilehub.events import Event
from versatilehub.metrics import METRICS, Metrics
from versatilehub.store.builds import BuildRecord

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def record(**values: Any) -> BuildRecord:
    """A build of ada's."""
    usual = {
        "id": "b1",
        "identity": "i",
        "owner": "ada",
        "source": "https://github.com/a/b",
        "provider": "github",
    }
    return BuildRecord(**{**usual, "commit": "c", "created": NOW, **values})


def text(metrics: Metrics) -> str:
    """What Prometheus reads."""
    registry = CollectorRegistry(auto_describe=True)
    registry.register(metrics)
    return generate_latest(registry).decode()


def walk(metrics: Metrics, *states: BuildState, **values: Any) -> None:
    """Take a build through *states*."""
    for state in states:
        metrics.of_build(
            record(state=state, **values),
            BuildEvent(at=NOW.timestamp(), state=state, kind="phase", message=""),
        )


def test_a_build_is_counted_once() -> None:
    """Its end counts by outcome and pack, its phases by seconds; while it runs it is active in one state."""
    metrics = Metrics()
    walk(metrics, BuildState.QUEUED, BuildState.FETCHING)
    assert 'versatilehub_builds_active{state="fetching"} 1.0' in text(metrics)
    assert 'versatilehub_builds_active{state="queued"} 0.0' in text(metrics)

    walk(metrics, BuildState.READY, pack="uv", seconds={"queued": 0.05, "building": 12.0})

    found = text(metrics)
    assert 'versatilehub_builds_total{outcome="ready",pack="uv"} 1.0' in found
    assert 'versatilehub_build_phase_seconds_sum{outcome="ready",phase="building"} 12.0' in found
    assert 'versatilehub_builds_active{state="fetching"} 0.0' in found


def test_labels_are_bounded() -> None:
    """A pack or a code nobody knows is "other", whatever a hostile build calls itself; no name of anybody is a label."""
    metrics = Metrics()
    for number in range(50):
        walk(
            metrics,
            BuildState.FAILED,
            id=f"b{number}",
            pack=f"evil-{number}",
            code=f"x{number}\n{{}}",
            owner=f"u{number}",
        )
        metrics.of_event(Event(at=NOW, kind="refused", owner=f"u{number}", data={"code": f"no-{number}"}))

    found = text(metrics)
    assert 'versatilehub_builds_total{outcome="failed",pack="other"} 50.0' in found
    assert 'versatilehub_refusals_total{code="other"} 50.0' in found
    assert "evil" not in found
    assert "u49" not in found


def test_two_hubs_in_one_process() -> None:
    """A second hub's metrics stand beside the first's, without an error."""
    registry = CollectorRegistry(auto_describe=True)
    registry.register(Metrics())
    registry.register(Metrics())

    assert {one.name for one in METRICS} >= {"versatilehub_builds_total", "versatilehub_refusals_total"}
