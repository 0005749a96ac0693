"""What the ledger records: one event is one fact, never changed. Accounting, popularity and "recent" are queries over them.

No token, no password and no path goes into an event; who, what and how much does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class Kind(StrEnum):
    """What happened. The figures named here are keys of `Event.data`."""

    HUB_STARTED = "hub.started"  # running: [[owner, server], …] as found at the start
    SERVER_STARTED = "server.started"  # memory (bytes), cpus, image, commit
    SERVER_STOPPED = "server.stopped"
    SERVER_DELETED = "server.deleted"
    SERVER_EXTENDED = "server.extended"  # until
    SERVER_CULLED = "server.culled"  # why: idle, age
    SERVER_OOM = "server.oom"
    BUILD_STARTED = "build.started"  # build
    BUILD_ENDED = "build.ended"  # build, outcome
    REFUSED = "refused"  # code
    VOLUME_CREATED = "volume.created"  # volume
    VOLUME_TRASHED = "volume.trashed"  # volume
    VOLUME_RESTORED = "volume.restored"  # volume
    VOLUME_PURGED = "volume.purged"  # volume
    VOLUME_MEASURED = "volume.measured"  # volume, bytes
    VOLUME_WARNED = "volume.warned"  # volume, bytes, limit, level (percent: 80, 95)
    LAUNCH = "launch"


#: Kinds that say something about whether a server runs.
RUN_KINDS = (Kind.SERVER_STARTED, Kind.SERVER_STOPPED, Kind.SERVER_DELETED)
#: Kinds that say how much a volume holds, or that it is gone.
VOLUME_KINDS = (Kind.VOLUME_MEASURED, Kind.VOLUME_PURGED)
BUILD_KINDS = (Kind.BUILD_STARTED, Kind.BUILD_ENDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One fact. *at* is UTC; *groups* are the owner's when it happened; *server* "" is the default server, or none.

    *id* counts up in the order of recording, 0 before it is recorded.
    """

    at: datetime
    kind: str
    owner: str = ""
    groups: tuple[str, ...] = ()
    server: str = ""
    workspace: str = ""
    source: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    id: int = 0

    @property
    def subject(self) -> str:
        """Return what else the event is about: the volume's or the build's name, "" for neither."""
        return str(self.data.get("volume") or self.data.get("build") or "")
