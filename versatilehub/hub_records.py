"""What the hub's own database says of accounts and servers, for the comparison with volumes."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from jupyterhub import orm

from versatilehub.runtime_culling import STATE_KEY
from versatilehub.storage.owners import Owner
from versatilehub.storage.reconcile import HubServer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


def owner_of(user: Any) -> Owner:
    """Return the person behind a user of the hub, or behind its row."""
    row = getattr(user, "orm_user", user)
    since = _moment(row.created)
    return Owner(name=row.name, key=_key(row.id, since), since=since)


def hub_view(settings: Mapping[str, Any]) -> tuple[list[HubServer], dict[str, str]]:
    """Return every server and every account the hub with these tornado settings has; on its loop, as the hub reads its database."""
    accounts = {
        user_id: (name, _key(user_id, _moment(created)))
        for user_id, name, created in settings["db"].query(orm.User.id, orm.User.name, orm.User.created)
    }
    servers = []
    rows = settings["db"].query(
        orm.Spawner.user_id, orm.Spawner.name, orm.Spawner.state, orm.Spawner.server_id
    )
    for user_id, name, state, server_id in rows:
        if user_id not in accounts:
            continue
        owner, key = accounts[user_id]
        known = (state or {}).get(STATE_KEY)
        ours = known or {}
        volumes = tuple(filter(None, (ours.get("volume", ""), ours.get("disk", ""))))
        active = server_id is not None or _pending(settings["users"], user_id, name)
        container = str((state or {}).get("object_id") or "")
        found = {"owner": owner, "owner_key": key, "name": name, "container": container}
        servers.append(HubServer(**found, volumes=volumes, active=active, stateless=known is None))
    return servers, {key: name for name, key in accounts.values()}


def _pending(users: Any, user_id: int, server: str) -> bool:
    """Tell whether a start or a stop is under way, which the database does not know."""
    user = dict.get(users, user_id)
    spawner = (
        user.spawners.get(server) if user is not None and dict.__contains__(user.spawners, server) else None
    )
    return spawner is not None and bool(spawner.active)


def _key(user_id: int, since: datetime | None) -> str:
    # Numbers are given out again once the last account is deleted; together with the moment they are not.
    return f"{user_id}@{since.isoformat() if since else ''}"


def _moment(created: datetime | None) -> datetime | None:
    return created.replace(tzinfo=UTC) if created is not None and created.tzinfo is None else created
