"""The end of a volume's life: into the trash, out of it again, and gone.

Each step is one change of the record that only one of several who try can make, and a step of Docker's that may be repeated. So
whoever is killed in between leaves a record that says how to go on. Nothing is removed but what the record says is trashed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NoReturn

from versatilehub.errors import EngineConflict, EngineFailure, Refusal, StorageFailure
from versatilehub.store import volumes as records
from versatilehub.store.volumes import State, VolumeRecord

from .labels import from_labels

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from .owners import Owner
    from .volumes import Volumes

#: Days for which what came back is left alone when no server takes it up, and what lost its server for no known reason is kept.
LEAST_DAYS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What became of a removal: "" problem when it is gone; else it is tried again."""

    name: str
    problem: str = ""


class Trash:
    """Trashes, restores and purges the volumes of one hub."""

    def __init__(self, volumes: Volumes) -> None:
        self._volumes = volumes
        self._store = volumes.store

    async def trash(self, name: str, *, days: int) -> VolumeRecord | None:
        """Put a volume into the trash for *days*; 0 removes it at once. None: it is there already, or no such volume.

        The record is all that changes, so the engine may be away; a removal it does not carry out is tried again later.
        """
        now = datetime.now(UTC)
        expires = now + timedelta(days=days)

        def mark(session: Session) -> VolumeRecord | None:
            fields = {"state": State.TRASHED.value, "changed": now, "expires": expires, "kept": None}
            if not records.change(session, name, among=(State.MAKING, State.LIVE), **fields):
                return None
            return records.get(session, name)

        record = await self._store.run(mark)
        if record is not None:
            self._volumes.said("volume.trashed", record)
            if days == 0:
                await self.purge(name)
        return record

    async def restore(self, name: str, *, server: str | None = None, days: int = LEAST_DAYS) -> VolumeRecord:
        """Take a volume out of the trash; one of a server is for *server* then, default: the one it had.

        The next start of that server takes it up if the server has no other. Until *days* have passed nothing
        trashes it for want of a server. Raises `Refusal` for one that is not in the trash or whose server has a volume.
        """
        now = datetime.now(UTC)

        def back(session: Session) -> VolumeRecord:
            record = records.get(session, name)
            if record is None or record.state != State.TRASHED:
                _refuse(
                    "not_in_trash",
                    f"The volume {name} is not in the trash.",
                    "List it: versatilehub volumes ls.",
                )
            place = record.server if server is None else server
            _check_room(session, record, place)
            kept = now + timedelta(days=max(days, LEAST_DAYS))
            fields = {
                "state": State.LIVE.value,
                "changed": now,
                "expires": None,
                "problem": "",
                "server": place,
            }
            records.change(session, name, among=(State.TRASHED,), **{**fields, "kept": kept})
            return replace(record, state=State.LIVE, server=place, expires=None)

        record = await self._store.run(back)
        self._volumes.said("volume.restored", record)
        return record

    async def purge(self, name: str) -> Removed:
        """Remove a trashed volume for good; a failure is noted in its record and in what is returned, and tried again later.

        Raises `Refusal` for one that is not in the trash.
        """
        async with self._volumes.alone(name):

            def claim(session: Session) -> VolumeRecord | None:
                now = datetime.now(UTC)
                among = (State.TRASHED, State.REMOVING)
                done = records.change(session, name, among=among, state=State.REMOVING.value, changed=now)
                return records.get(session, name) if done else None

            record = await self._store.run(claim)
            if record is None:
                _refuse(
                    "not_in_trash",
                    f"The volume {name} is not in the trash.",
                    "Delete it first; then purge it.",
                )
            try:
                await self._remove(record)
            except (EngineFailure, StorageFailure) as error:
                problem = error.message
                await self._store.run(lambda session: records.change(session, name, problem=problem))
                return Removed(name=name, problem=problem)
            await self._store.run(lambda session: records.forget(session, name))
        self._volumes.said("volume.purged", record)
        return Removed(name=name)

    async def _remove(self, record: VolumeRecord) -> None:
        found = await self._volumes.engine.volumes.find(record.name)
        if found is not None:
            label = from_labels(found, self._volumes.engine.hub)
            if label is None or label.owner != record.owner:
                raise EngineConflict(f"The volume {record.name} is not the recorded one by its labels.")
        await self._volumes.backend.remove(record.name)

    async def trash_server(self, owner: Owner, server: str, *, days: int, also: str = "") -> list[str]:
        """Trash what belongs to one server: what is on record for it, and *also*, the volume its state names.

        Volumes of its owner, of others and of workspaces are left alone. Returns the names.
        """
        found = await self._store.run(
            lambda session: records.find(session, owner_key=owner.key, server=server, lifetime="server")
        )
        names = {record.name for record in found if record.state in {State.MAKING, State.LIVE}}
        if also and also not in names:
            record = await self._volumes.record(also, owner)
            if record is not None and record.lifetime == "server":
                names.add(also)
        for name in sorted(names):
            await self.trash(name, days=days)
        return sorted(names)

    async def restored(self, owner: Owner, server: str) -> str:
        """Return the name of a volume that came back from the trash for a server, "" when none did."""
        wanted = {"owner_key": owner.key, "server": server, "kind": "home", "lifetime": "server"}
        found = await self._store.run(lambda session: records.find(session, **wanted, state=State.LIVE.value))
        return next((record.name for record in found if record.kept is not None), "")

    async def check_unused(self, name: str) -> None:
        """Raise `Refusal` while a container has the volume."""
        users = await self._volumes.engine.containers.using(name)
        if users:
            label = "versatilehub.server"
            servers = ", ".join(sorted({one.labels.get(label) or "your default server" for one in users}))
            _refuse(
                "volume_in_use",
                f"The volume is in use by {servers}.",
                "Stop it first.",
                limit=str(len(users)),
            )


def _check_room(session: Session, record: VolumeRecord, server: str | None) -> None:
    """Refuse what would be a second volume of one server, or of one name."""
    live = {"owner_key": record.owner_key, "state": State.LIVE.value}
    if record.lifetime == "server":
        others = records.find(session, **live, server=server, kind=record.kind)
        if others:
            _refuse(
                "server_has_volume",
                f"The server {server or 'default'} has a volume, {others[0].name}.",
                "Name another server for it, or delete that one first.",
            )
    elif records.find(session, **live, title=record.title, kind=record.kind, lifetime=record.lifetime):
        message = f"There is a volume named {record.title or 'home'} now."
        _refuse("volume_name_taken", message, "Delete that one first.")


def _refuse(code: str, message: str, hint: str, **figures: str) -> NoReturn:
    raise Refusal(message, hint=hint, field="volume", code=code, **figures)
