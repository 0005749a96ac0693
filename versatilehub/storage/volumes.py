"""The volumes of one hub: made once, found by their record, never mistaken for another's.

A volume's name never recurs: a server deleted and made anew gets a new one, so nothing comes back by its name. What Docker's
labels cannot say (which server now, live or trashed) is in the database; a record that is missing is made again from the labels,
as live. Whose a volume is follows the account, not its name: somebody who gets a freed name gets nothing with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from versatilehub import naming
from versatilehub.errors import EngineConflict
from versatilehub.store import volumes as records
from versatilehub.store.volumes import State, VolumeRecord

from .labels import KIND, LIFETIME, TITLE, USE, from_labels
from .owners import ADMIN, Owner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from sqlalchemy.orm import Session

    from versatilehub.engine import Engine, StoredVolume
    from versatilehub.storage.backend import Backend
    from versatilehub.storage.files import VolumeFiles
    from versatilehub.store import Store
    from versatilehub.volume_grants import Kind, Lifetime

#: Account that the files of a volume for several servers belong to: the one our images run as.
ACCOUNT: Final = (1000, 100)
#: States in which a volume may be used.
USABLE: Final = (State.MAKING, State.LIVE)


#: A label tells the moment a volume was made to the second.
_SECOND: Final = timedelta(seconds=2)


def _unsaid(kind: str, record: VolumeRecord) -> None:
    """Tell nobody."""
    del kind, record


class Volumes:
    """The volumes of one hub. *said* is told of each event: its kind and the volume's record."""

    def __init__(
        self,
        engine: Engine,
        store: Store,
        backend: Backend,
        *,
        files: VolumeFiles,
        said: Callable[[str, VolumeRecord], None] = _unsaid,
    ) -> None:
        self.engine = engine
        self.store = store
        self.backend = backend
        self.files = files
        self.said = said
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    # -- the volume of a server, the home of a person ----------------------------------------

    def new_name(self, owner: str, server: str | None) -> str:
        """Return a name no volume ever had."""
        return naming.volume_name(self.engine.hub, owner, server or "", uuid.uuid4().hex)

    async def ensure(
        self,
        owner: Owner,
        server: str | None,
        *,
        name: str = "",
        cap: int | None = None,
        kind: Kind = "home",
        title: str = "",
    ) -> VolumeRecord:
        """Return a volume of *owner*, made when there is none: the server's, or with *server* None one of their own.

        *name* is one the caller chose and wrote down before. One that is in the trash comes back: its server is here.
        Raises `EngineConflict` when a volume of that name is not theirs, `StorageFailure` when it cannot be made.
        """
        lifetime: Lifetime = "user" if server is None else "server"
        async with self.alone(name or f"{owner.key or owner.name} {server} {kind} {title}"):
            record = await self._known(name, owner) if name else None
            if record is not None and record.state == State.REMOVING:
                record, name = None, ""
            elif record is None and not name:
                record = await self._own(owner, server, lifetime, kind, title)
            if record is None:
                name = name or self.new_name(owner.name or title, server)
                record = _fresh(owner, server, name=name, cap=cap, kind=kind, title=title)
                await self.store.run(partial(records.add, record=record))
            return await self._made(record)

    async def usable(self, name: str, owner: Owner) -> bool:
        """Tell whether *owner*'s volume of that name is there to be used; `EngineConflict` when it is another's.

        The label of its server is not compared: a renamed server keeps the volume made under its old name.
        """
        if await self.engine.volumes.find(name) is None:
            return False
        record = await self._known(name, owner)
        return record is not None and record.state == State.LIVE

    async def record(self, name: str, owner: Owner) -> VolumeRecord | None:
        """Return what is on record of *owner*'s volume, None for one that is gone; `EngineConflict` when it is another's.

        One without a record gets one from its labels. Nothing comes back from the trash by this.
        """
        return await self._known(name, owner, revive=False)

    async def move(self, owner: Owner, old: str, new: str) -> None:
        """Say that a server is called *new* now; its volumes keep their names and labels."""

        def rename(session: Session) -> None:
            for record in records.find(session, owner_key=owner.key, server=old, lifetime="server"):
                records.change(session, record.name, among=USABLE, server=new)

        await self.store.run(rename)

    async def ready(self, names: Iterable[str]) -> None:
        """Return when a container may start with these; raises what a backend says is wrong."""
        for name in names:
            await self.backend.ready(name)

    # -- parts -------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def alone(self, name: str) -> AsyncIterator[None]:
        """Let nobody else in this process work on the volume meanwhile."""
        lock = self._locks.setdefault(name, asyncio.Lock())
        async with lock:
            yield

    async def _made(self, record: VolumeRecord) -> VolumeRecord:
        """Make what the record says, or finish it; every step may be done twice."""
        if record.state == State.LIVE and await self.engine.volumes.find(record.name) is not None:
            return record
        await self._make(record)
        if record.kind != "home":  # the image's own home is copied into an empty one, with its owner
            await self.files.own(record.name, uid=ACCOUNT[0], gid=ACCOUNT[1])
        return await self.finish(record)

    async def begin(self, owner: Owner, *, kind: str, title: str, cap: int | None) -> VolumeRecord:
        """Make an empty volume that nobody may use before `finish`."""
        name = self.new_name(owner.name, None)
        record = _fresh(owner, None, name=name, cap=cap, kind=kind, title=title)
        await self.store.run(partial(records.add, record=record))
        await self._make(record)
        return record

    async def finish(self, record: VolumeRecord) -> VolumeRecord:
        """Say that the volume is whole."""
        fields = {"state": State.LIVE.value, "changed": datetime.now(UTC)}
        await self.store.run(lambda session: records.change(session, record.name, among=USABLE, **fields))
        made = replace(record, state=State.LIVE)
        self.said("volume.created", made)
        return made

    async def give_up(self, record: VolumeRecord) -> None:
        """Remove what `begin` made and nobody ever used."""
        await self.backend.remove(record.name)
        await self.store.run(lambda session: records.forget(session, record.name))

    async def _make(self, record: VolumeRecord) -> None:
        labels = self.engine.labels(
            KIND,
            owner=record.owner,
            server=record.server,
            extra={
                LIFETIME: record.lifetime,
                USE: record.kind,
                **({TITLE: record.title} if record.title else {}),
            },
        )
        await self.backend.create(record.name, labels, record.cap)

    async def _own(
        self, owner: Owner, server: str | None, lifetime: str, kind: str, title: str
    ) -> VolumeRecord | None:
        """Return the volume that is already there for this purpose, by record or, where that was lost, by labels."""
        wanted = {"owner_key": owner.key, "server": server, "kind": kind, "title": title}
        found = await self.store.run(lambda session: records.find(session, **wanted))
        known = next((record for record in found if record.state in USABLE), None)
        if known is not None or not owner.name or lifetime == "server":
            return known  # a server made anew must not find the volume of one that was deleted
        labels = {
            "versatilehub.hub": self.engine.hub,
            "versatilehub.kind": KIND,
            "versatilehub.owner": owner.name,
        }
        labels |= {LIFETIME: lifetime, USE: kind} | ({TITLE: title} if title else {})
        for volume in sorted(await self.engine.volumes.list(labels), key=lambda one: one.name):
            label = from_labels(volume, self.engine.hub)
            older = owner.since and label and label.created + _SECOND < owner.since
            if label is not None and label.server == server and not older:
                record = await self._adopt(volume, owner)
                if record.state in USABLE and record.owner_key == owner.key:
                    return record
        return None

    async def _known(self, name: str, owner: Owner, *, revive: bool = True) -> VolumeRecord | None:
        """Return the record of *owner*'s volume, made from its labels when there is none; one in the trash comes back.

        Record and labels must agree: a volume that has the name and another's labels is not the one that was recorded.
        """
        volume = await self.engine.volumes.find(name)
        record = await self.store.run(lambda session: records.get(session, name))
        if record is not None and record.state == State.REMOVING and record.owner == owner.name:
            return record  # whatever has its name now, it is on its way out
        if volume is not None:
            label = from_labels(volume, self.engine.hub)
            if label is None or label.owner != (record.owner if record else owner.name):
                raise _foreign(name, owner)
            record = record or await self._adopt(volume, owner)
        if record is None:
            return None
        if not _is_theirs(record, owner):
            raise _foreign(name, owner)
        if revive and record.state == State.TRASHED:
            fields = {"state": State.LIVE.value, "expires": None, "changed": datetime.now(UTC)}
            among = (State.TRASHED,)
            if await self.store.run(lambda session: records.change(session, name, among=among, **fields)):
                record = replace(record, state=State.LIVE, expires=None)
                self.said("volume.restored", record)
        return record

    async def _adopt(self, volume: StoredVolume, owner: Owner) -> VolumeRecord:
        """Put a volume without a record on record, live and *owner*'s; return the record there is then."""
        found = from_labels(volume, self.engine.hub)
        if found is None or found.owner != owner.name:
            raise _foreign(volume.name, owner)
        record = replace(found, owner_key=owner.key)

        def put(session: Session) -> VolumeRecord:
            known = records.get(session, volume.name)
            if known is None:
                records.add(session, record)
            return known or record

        return await self.store.run(put)


def _fresh(
    owner: Owner, server: str | None, *, name: str, cap: int | None, kind: str, title: str
) -> VolumeRecord:
    now = datetime.now(UTC)
    return VolumeRecord(
        name=name,
        owner=owner.name,
        owner_key=owner.key,
        lifetime="admin" if owner == ADMIN else "user" if server is None else "server",
        kind=kind,
        title=title,
        server=server,
        cap=cap,
        state=State.MAKING,
        created=now,
        changed=now,
    )


def _is_theirs(record: VolumeRecord, owner: Owner) -> bool:
    """Tell by the account, or by its name where one of the two does not know the account."""
    if record.owner_key and owner.key:
        return record.owner_key == owner.key
    return record.owner == owner.name


def _foreign(name: str, owner: Owner) -> EngineConflict:
    return EngineConflict(
        f"The volume {name} exists and is not {owner.name}'s.",
        hint="An administrator can look at its labels.",
    )
