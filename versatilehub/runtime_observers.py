"""The part of `VersatileHub` that tells the world outside what happens: Prometheus, and JupyterHub's event log."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from prometheus_client import REGISTRY
from traitlets import HasTraits

from versatilehub.eventlog import EventLog
from versatilehub.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from versatilehub.builds.events import BuildEvent
    from versatilehub.events import Event
    from versatilehub.store.builds import BuildRecord


class Observer(Protocol):
    """Is told what happens, and makes nothing happen."""

    def of_build(self, record: BuildRecord, event: BuildEvent) -> None:
        """Take notice of a change of a build."""

    def of_event(self, event: Event) -> None:
        """Take notice of an event of the ledger."""


class ObserverPart(HasTraits):
    """Who is told of builds and events."""

    if TYPE_CHECKING:  # of `VersatileHub` itself
        hub_settings: MutableMapping[str, Any]

    @cached_property
    def observers(self) -> tuple[Observer, ...]:
        """Metrics, and where there is a hub its event log."""
        metrics = Metrics()
        REGISTRY.register(metrics)  # what the hub's own /metrics shows
        logger = self.hub_settings.get("eventlog")
        return (metrics, EventLog(logger)) if logger is not None else (metrics,)
