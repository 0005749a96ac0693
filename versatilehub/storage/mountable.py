"""What a person may mount of volumes that are not their server's: their own, those others let them in to, registered ones."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from versatilehub.errors import Refusal
from versatilehub.store import volumes as records
from versatilehub.store.volumes import State, VolumeRecord
from versatilehub.volume_grants import RESERVED, MountGrant

from .owners import ADMIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Collection

    from sqlalchemy.orm import Session

    from versatilehub.mounts import GrantedMount

    from .owners import Owner
    from .volumes import Volumes


class Mountable:
    """Finds what may be mounted, makes what is mounted for the first time, and what a person makes for themselves."""

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

    async def create(
        self,
        owner: Owner,
        title: str,
        *,
        most: int,
        taken: Collection[str] = (),
        cap: int | None = None,
        description: str = "",
    ) -> VolumeRecord:
        """Make a volume of a person's own; `Refusal` for a name that is taken and for more than *most*."""
        await self._check_new(owner, title, most=most, taken=taken)
        record = await self._volumes.ensure(owner, None, cap=cap, kind="shared", title=title)
        if description:
            await self._volumes.store.run(
                lambda session: records.change(session, record.name, description=description)
            )
        return replace(record, description=description)

    async def fill(
        self,
        owner: Owner,
        title: str,
        archive: AsyncIterable[bytes],
        *,
        most: int,
        taken: Collection[str] = (),
        cap: int | None = None,
    ) -> VolumeRecord:
        """Make a volume of a person's own with the files of a tar in it; it is there whole or not at all.

        Raises as `create`, and `InvalidInput` code ``bad_archive``.
        """
        await self._check_new(owner, title, most=most, taken=taken)
        record = await self._volumes.begin(owner, kind="shared", title=title, cap=cap)
        try:
            await self._volumes.files.restore(record.name, archive)
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(self._volumes.give_up(record)))
            raise
        return await self._volumes.finish(record)

    async def _check_new(self, owner: Owner, title: str, *, most: int, taken: Collection[str]) -> None:
        mine = {"owner_key": owner.key, "lifetime": "user", "kind": "shared"}
        found = await self._volumes.store.run(lambda session: records.find(session, **mine))
        live = [record.title for record in found if record.state in {State.MAKING, State.LIVE}]
        if title in {*RESERVED, *live, *taken}:
            raise Refusal(
                f"There is a volume named {title} already.",
                hint="Choose another name.",
                field="name",
                code="volume_name_taken",
            )
        if len(found) >= most:
            raise Refusal(
                f"You may have {most} volumes of your own, those in the trash included; this would be {len(found) + 1}.",
                hint="Delete one, or purge one from the trash.",
                field="name",
                code="too_many_volumes",
                limit=str(most),
                actual=str(len(found) + 1),
            )

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
