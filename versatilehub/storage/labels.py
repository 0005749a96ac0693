"""What the labels of a volume say: the record that survives our database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from versatilehub.store.volumes import State, VolumeRecord

if TYPE_CHECKING:
    from versatilehub.engine import StoredVolume

#: `versatilehub.kind` of every volume that holds somebody's files.
KIND: Final = "volume"
LIFETIME: Final = "versatilehub.lifetime"
USE: Final = "versatilehub.use"
TITLE: Final = "versatilehub.title"


def from_labels(volume: StoredVolume, hub: str) -> VolumeRecord | None:
    """Return what a volume's labels say of it, None when it is not one of this hub's."""
    labels = {key.removeprefix("versatilehub."): value for key, value in volume.labels.items()}
    if labels.get("hub") != hub or labels.get("kind") != KIND:
        return None
    try:
        created = datetime.fromisoformat(labels.get("created", ""))
    except ValueError:
        created = datetime.now(UTC)
    return VolumeRecord(
        name=volume.name,
        owner=labels.get("owner", ""),
        owner_key="" if labels.get("owner") else "admin",
        lifetime=labels.get("lifetime", "server"),
        kind=labels.get("use", "home"),
        title=labels.get("title", ""),
        server=labels.get("server"),
        state=State.LIVE,
        created=created,
        changed=datetime.now(UTC),
    )
