"""Prometheus metrics of builds, launches and refusals, beside JupyterHub's own at ``/hub/metrics``.

Labels are bounded: a phase, an outcome, a build pack, one of our codes; never a repository, a user or a server, whose number grows
without end (https://prometheus.io/docs/practices/naming/#labels).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from versatilehub.builds.events import BuildState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from versatilehub.builds.events import BuildEvent
    from versatilehub.events import Event
    from versatilehub.store.builds import BuildRecord

#: Seconds; a phase takes from a tenth of one (cached) to the time limit of a build.
BUCKETS: Final = (0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600, 1800, 3600)
#: Build packs we know by name; any other is "other".
PACKS: Final = frozenset({"uv", "dockerfile", "repo2docker", "none"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric: its *kind* is counter, gauge or histogram (in seconds)."""

    name: str
    kind: str
    meaning: str
    labels: tuple[str, ...] = ()


METRICS: Final = (
    Metric(
        name="versatilehub_builds_total",
        kind="counter",
        labels=("outcome", "pack"),
        meaning="Builds that ended, by outcome (ready, failed, cancelled, interrupted) and build pack.",
    ),
    Metric(
        name="versatilehub_build_failures_total",
        kind="counter",
        labels=("code",),
        meaning="Failed builds by the code of their cause.",
    ),
    Metric(
        name="versatilehub_build_phase_seconds",
        kind="histogram",
        labels=("phase", "outcome"),
        meaning="Seconds builds spent in a phase (queued, fetching, rendering, building, probing, pushed), by how the build ended.",
    ),
    Metric(
        name="versatilehub_builds_active",
        kind="gauge",
        labels=("state",),
        meaning="Builds under way by state; queued ones wait for a place.",
    ),
    Metric(
        name="versatilehub_events_total",
        kind="counter",
        labels=("kind",),
        meaning="Events of the ledger by kind: servers started, stopped, culled, out of memory, volumes made and trashed.",
    ),
    Metric(
        name="versatilehub_refusals_total",
        kind="counter",
        labels=("code",),
        meaning="Refusals of the policy by code.",
    ),
)
_CLASSES: Final = {"counter": Counter, "gauge": Gauge}


class Metrics:
    """The metrics of one hub. Register it with a Prometheus registry: it is a collector."""

    def __init__(self) -> None:
        # A registry of its own: a second hub in one process must not meet the names of the first.
        self._registry = CollectorRegistry()
        self._metrics: dict[str, Any] = {}
        self._active: dict[str, str] = {}  # id of a build → its state
        for one in METRICS:
            options: dict[str, Any] = {"labelnames": one.labels, "registry": self._registry}
            if one.kind == "histogram":
                self._metrics[one.name] = Histogram(one.name, one.meaning, buckets=BUCKETS, **options)
            else:
                self._metrics[one.name] = _CLASSES[one.kind](one.name, one.meaning, **options)
        for state in BuildState:
            if not state.final:
                self._metrics["versatilehub_builds_active"].labels(state=state.value).set(0)

    def describe(self) -> list[Any]:
        """Name nothing beforehand: a second hub in one process would be refused for the names of the first."""
        return []

    def collect(self) -> Iterator[Any]:
        """Yield every metric with its values."""
        yield from self._registry.collect()

    def of_build(self, record: BuildRecord, event: BuildEvent) -> None:
        """Count a change of a build: an observer of `Builds.on_event`."""
        del event
        self._move(record.id, record.state)
        if not record.state.final:
            return
        outcome = record.state.value
        pack = record.pack.lower() or "none"
        self._count("versatilehub_builds_total", outcome=outcome, pack=pack if pack in PACKS else "other")
        if record.code:
            self._count("versatilehub_build_failures_total", code=_code(record.code))
        for phase, seconds in record.seconds.items():
            if phase in set(BuildState):
                self._metrics["versatilehub_build_phase_seconds"].labels(
                    phase=phase, outcome=outcome
                ).observe(seconds)

    def of_event(self, event: Event) -> None:
        """Count an event: an observer of `Ledger.observers`."""
        self._count("versatilehub_events_total", kind=event.kind)
        if event.kind == "refused":
            self._count("versatilehub_refusals_total", code=_code(str(event.data.get("code", ""))))

    def _count(self, name: str, **labels: str) -> None:
        self._metrics[name].labels(**labels).inc()

    def _move(self, build: str, state: BuildState) -> None:
        gauge = self._metrics["versatilehub_builds_active"]
        before = self._active.pop(build, "")
        if before:
            gauge.labels(state=before).dec()
        if not state.final:
            self._active[build] = state.value
            gauge.labels(state=state.value).inc()


def _code(code: str) -> str:
    """Return *code* if it is one of ours; a label must not grow with what a hostile log says."""
    known = len(code) <= 40 and code.replace("_", "").isalpha() and code.isascii() and code.islower()
    return code if known else "other"
