"""Volumes by API: a person's own and their servers', in use and in the trash; and what an administrator is told of all.

A person, and whoever has the scope over them, sees that person's volumes only; another's is as one that does not exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

from jupyterhub.scopes import needs_scope

from versatilehub.errors import EngineNotFound, InvalidInput, InvalidSpec, Refusal
from versatilehub.hub_records import owner_of
from versatilehub.spec_values import check_volume, parse_size, parse_text
from versatilehub.store import volumes as records
from versatilehub.store.volumes import Member, State, VolumeRecord
from versatilehub.web.api import ApiHandler

if TYPE_CHECKING:
    from collections.abc import Mapping


#: People and groups one volume is shared with.
MEMBERS_MAX: Final = 100


class _Handler(ApiHandler):
    """What the resources below share."""

    def person(self, user_name: str) -> Any:
        """Return the hub's user; `InvalidInput` (404) for nobody."""
        found = self.find_user(user_name)
        if found is None:
            _unknown("There is no such person.")
        return found

    async def volume(self, user_name: str, name: str) -> VolumeRecord:
        """Return a volume of a person; one of somebody else is not there."""
        owner = owner_of(self.person(user_name))
        record = await self.versatilehub.store.run(lambda session: records.get(session, name))
        if record is None or record.owner_key != owner.key:
            _unknown(f"{user_name} has no volume {name}.")
        return record


class VolumesHandler(_Handler):
    """``GET`` lists a person's volumes, ``POST`` makes one."""

    @needs_scope("read:servers")
    async def get(self, user_name: str) -> None:
        """List them, oldest first."""
        owner = owner_of(self.person(user_name))
        found = await self.versatilehub.store.run(lambda session: records.find(session, owner_key=owner.key))
        self.reply([record.to_json() for record in found])

    @needs_scope("servers")
    async def post(self, user_name: str) -> None:
        """Make one: ``{"name", "size", "description"}``."""
        user, hub, body = self.person(user_name), self.versatilehub, self.json_body()
        limits = hub.policy_of(user)
        if "mounts" not in limits.offers or "shared" not in limits.mount_kinds:
            raise Refusal(
                "This hub offers no volumes of one's own.",
                hint="Use your home directory.",
                code="not_offered",
            )
        name, size, description = _new(body, limits.home_max)
        taken = [one.name for one in hub.registered_volumes]
        record = await hub.mountable.create(
            owner_of(user), name, most=hub.own_volumes, taken=taken, cap=size, description=description
        )
        self.reply(record.to_json(), 201)


class VolumeHandler(_Handler):
    """``GET`` tells of one volume, ``DELETE`` puts it into the trash."""

    @needs_scope("read:servers")
    async def get(self, user_name: str, name: str) -> None:
        """Tell all of one, and who was let in."""
        record = await self.volume(user_name, name)
        members = await self.versatilehub.store.run(lambda session: records.members(session, name))
        people = [{"group" if one.group else "user": one.who, "mode": one.mode} for one in members]
        self.reply({**record.to_json(), "members": people})

    @needs_scope("servers")
    async def delete(self, user_name: str, name: str) -> None:
        """Put a volume of one's own into the trash; a server's goes with its server."""
        user, hub = self.person(user_name), self.versatilehub
        record = await self.volume(user_name, name)
        if record.kind == "home" or record.lifetime == "server":
            raise Refusal(
                "This volume is a home or a server's: it goes with what it belongs to.",
                hint="Delete the server.",
                field="volume",
                code="volume_belongs",
            )
        await hub.trash.check_unused(name)
        await hub.trash.trash(name, days=hub.policy_of(user).trash_days)
        hub.reconciler.nudge()
        self.set_status(204)


class RestoreHandler(_Handler):
    """Takes a volume out of the trash."""

    @needs_scope("servers")
    async def post(self, user_name: str, name: str) -> None:
        """``{"server": name}`` says for which server; default: the one it had."""
        user, hub = self.person(user_name), self.versatilehub
        await self.volume(user_name, name)
        server = self.json_body().get("server")
        if server is not None and server not in user.orm_spawners:
            _unknown(f"{user_name} has no such server.")
        record = await hub.trash.restore(name, server=server, days=hub.policy_of(user).trash_days)
        self.reply(record.to_json())


class PurgeHandler(_Handler):
    """Removes a trashed volume for good."""

    @needs_scope("servers")
    async def post(self, user_name: str, name: str) -> None:
        """202 when the engine does not do it now: it is tried again."""
        await self.volume(user_name, name)
        removed = await self.versatilehub.trash.purge(name)
        self.reply({"id": name, "problem": removed.problem}, 202 if removed.problem else 200)


class MembersHandler(_Handler):
    """Says who else may mount a volume of one's own."""

    @needs_scope("servers")
    async def put(self, user_name: str, name: str) -> None:
        """``{"members": [{"user": "bob", "mode": "ro"}, {"group": "team", "mode": "rw"}]}``, exactly these."""
        record = await self.volume(user_name, name)
        if record.kind != "shared" or record.state != State.LIVE:
            raise Refusal(
                "This volume cannot be shared.", hint="Share one of your own.", code="not_shareable"
            )
        members = _members(self.json_body().get("members"))
        await self.versatilehub.store.run(lambda session: records.set_members(session, name, members))
        self.reply({"id": name, "members": len(members)})


class BackupHandler(_Handler):
    """Gives the files of a volume as a tar."""

    @needs_scope("access:servers")
    async def get(self, user_name: str, name: str) -> None:
        """Stream it; an archive that ends early is no whole tar, and the connection is cut."""
        record = await self.volume(user_name, name)
        if record.state not in {State.LIVE, State.TRASHED}:
            _unknown(f"{user_name} has no volume {name}.")
        await self.versatilehub.engine.volumes.inspect(name)
        self.set_header("Content-Type", "application/x-tar")
        self.set_header("Content-Disposition", f'attachment; filename="{name}.tar"')
        async for piece in self.versatilehub.volume_files.backup(name):
            self.write(piece)
            await self.flush()
        await self.finish()


class MountsHandler(_Handler):
    """What a person may mount."""

    @needs_scope("read:servers")
    async def get(self, user_name: str) -> None:
        """List names, kinds and modes; host paths are nobody's business."""
        spawner = self.person(user_name).spawner
        grants = await spawner.grants() if hasattr(spawner, "grants") else ()
        keys = ("name", "kind", "mode", "at", "description", "owner")
        self.reply([{key: getattr(grant, key) for key in keys} for grant in grants])


class ReconcileHandler(_Handler):
    """What does not fit between Docker, records and hub."""

    @needs_scope("admin:servers")
    async def get(self) -> None:
        """Look, and change nothing."""
        report = await self.versatilehub.reconciler.look()
        self.reply(report.to_json())

    @needs_scope("admin:servers")
    async def post(self) -> None:
        """Look, and do what is due; ``{"force": true}``: also when most volumes have lost their owners at once."""
        report = await self.versatilehub.reconciler.settle(force=self.json_body().get("force") is True)
        self.reply(report.to_json())


def _new(body: Mapping[str, Any], most: int | None) -> tuple[str, int | None, str]:
    unknown = next((key for key in body if key not in {"name", "size", "description"}), None)
    if unknown is not None:
        raise InvalidInput(
            f"There is no key {unknown!r:.60}.", hint="The keys are name, size and description."
        )
    try:
        name = check_volume(body.get("name"))
    except InvalidSpec as error:
        raise InvalidSpec(error.message, hint=error.hint, field="name") from error
    size = parse_size(body["size"], high=most) if body.get("size") is not None else most
    return name, size, parse_text(body.get("description", ""), "description", 200)


def _members(value: object) -> list[Member]:
    if not isinstance(value, list) or len(value) > MEMBERS_MAX:
        raise InvalidInput(f"members is a list of at most {MEMBERS_MAX}.", field="members")
    found: dict[tuple[str, bool], Member] = {}
    for row in value:
        who = row.get("group") or row.get("user") if isinstance(row, dict) else None
        if not isinstance(who, str) or not 0 < len(who) <= 255 or row.get("mode", "ro") not in {"ro", "rw"}:
            raise InvalidInput(
                "A member has a user or a group, and a mode, ro or rw.",
                hint='For example {"user": "bob", "mode": "ro"}.',
                field="members",
            )
        group = "group" in row
        found[who, group] = Member(who=who, mode=row.get("mode", "ro"), group=group)
    return list(found.values())


def _unknown(message: str) -> NoReturn:
    raise EngineNotFound(message, hint="Look at the list of volumes.", code="volume_not_found")


_PERSON: Final = r"/versatilehub/api/users/(?P<user_name>[^/]+)"
_VOLUME: Final = rf"{_PERSON}/volumes/(?P<name>vh-[a-z0-9-]+)"
HANDLERS: list[tuple[Any, ...]] = [
    (rf"{_PERSON}/volumes", VolumesHandler),
    (_VOLUME, VolumeHandler),
    (rf"{_VOLUME}/restore", RestoreHandler),
    (rf"{_VOLUME}/purge", PurgeHandler),
    (rf"{_VOLUME}/members", MembersHandler),
    (rf"{_VOLUME}/backup", BackupHandler),
    (rf"{_PERSON}/mounts", MountsHandler),
    (r"/versatilehub/api/reconcile", ReconcileHandler),
]
