"""What a person may mount of volumes that are not their server's: their own, those others let them in to, registered ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from versatilehub.store import volumes as records
from versatilehub.store.volumes import State, VolumeRecord
from versatilehub.volume_grants import MountGrant

from .volumes import ADMIN

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

    from versatilehub.mounts import GrantedMount

    from .volumes import Owner, Volumes


class Mountable:
    """Finds what may be mounted, and makes what is mounted for the first time."""

    def __init__(self, volumes: Volumes) -> None:
        self._volumes = volumes

    async def granted(self, owner: Owner, groups: Collection[str]) -> tuple[MountGrant, ...]:
        """Return a person's own volumes, and those that others let them in to; own ones win over others of their name."""

        def look(session: Session) -> tuple[list[VolumeRecord], list[tuple[VolumeRecord, str]]]:
            own = records.find(
                session, owner_key=owner.key, lifetime="user", kind="shared", state=State.LIVE.value
            )
            return own, records.shared_with(session, owner.name, groups)

        own, shared = await self._volumes.store.run(look)
        found = {record.title: _grant(record, "rw") for record in own}
        twice = {
            record.title
            for record, _ in shared
            if sum(other.title == record.title for other, _ in shared) > 1
        }
        for record, mode in shared:
            if record.title not in found and record.title not in twice:
                found[record.title] = _grant(record, mode)
        return tuple(found.values())

    async def serve(self, mount: GrantedMount, owner: Owner, server: str) -> str:
        """Return the Docker volume or host folder behind a granted mount, made at its first use."""
        grant = mount.grant
        if grant.source:
            return grant.source
        place = server if grant.lifetime == "server" else None
        whose = ADMIN if grant.lifetime == "admin" else owner
        record = await self._volumes.ensure(
            whose, place, cap=grant.size or None, kind=grant.kind, title=grant.name
        )
        return record.name


def _grant(record: VolumeRecord, mode: str) -> MountGrant:
    return MountGrant(
        name=record.title,
        kind="shared",
        mode="rw" if mode == "rw" else "ro",
        source=record.name,
        lifetime="user",
        owner=record.owner,
        description=record.description,
    )
