"""JupyterHub's event log also has our builds and launches, by schemas of their own.

Where events go is the administrator's: ``c.EventLogger.handlers`` is JupyterHub's. Without a handler nothing is
written. https://jupyterhub.readthedocs.io/en/stable/explanation/event-logging.html
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from versatilehub.events import Kind

if TYPE_CHECKING:
    from jupyter_events import EventLogger

    from versatilehub.builds.events import BuildEvent
    from versatilehub.events import Event
    from versatilehub.store.builds import BuildRecord

SCHEMAS: Final = tuple(sorted((Path(__file__).parent / "event_schemas").glob("*.yaml")))
BUILD: Final = "https://schema.versatilehub.org/events/build"
LAUNCH: Final = "https://schema.versatilehub.org/events/launch"
_OUTCOMES: Final = {Kind.LAUNCH: "failed", Kind.SERVER_STARTED: "ok", Kind.REFUSED: "refused"}


class EventLog:
    """Emits our events into the event log of one hub."""

    def __init__(self, logger: EventLogger) -> None:
        self._logger = logger
        self._begun: set[str] = set()
        for path in SCHEMAS:
            logger.register_event_schema(path)

    def of_build(self, record: BuildRecord, event: BuildEvent) -> None:
        """Emit the beginning and the end of a build: an observer of `Builds.on_event`."""
        if record.state.final:
            self._begun.discard(record.id)
            self._emit(BUILD, _build(record, "end", event.at))
        elif record.id not in self._begun:
            self._begun.add(record.id)
            self._emit(BUILD, _build(record, "begin", event.at))

    def of_event(self, event: Event) -> None:
        """Emit a server's start, or its refusal: an observer of `Ledger.observers`."""
        outcome = _OUTCOMES.get(Kind(event.kind)) if event.kind in set(Kind) else None
        if outcome is None:
            return
        data = {
            "owner": event.owner,
            "server": event.server,
            "outcome": str(event.data.get("outcome") or outcome),
            "code": str(event.data.get("code", "")),
            "source": event.source,
            "image": str(event.data.get("image", "")),
        }
        self._emit(LAUNCH, data)

    def _emit(self, schema: str, data: dict[str, Any]) -> None:
        self._logger.emit(schema_id=schema, data=data)


def _build(record: BuildRecord, action: str, at: float) -> dict[str, Any]:
    ended = action == "end"
    return {
        "action": action,
        "build": record.id,
        "owner": record.owner,
        "source": record.source,
        "commit": record.commit,
        "pack": record.pack,
        "outcome": record.state.value if ended else "",
        "code": record.code,
        "seconds": round(max(0.0, at - record.created.timestamp()), 3) if ended else 0.0,
    }
