"""What servers and volumes use now, and how their caps are kept: ``GET usage``.

Everybody sees their own; who may read any server's record sees all with ``?all=1``. ``POST servers/<user>/<server>/cleanup`` lets
one start of a server through whose files are past a cap that is only measured, so that they can be deleted.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC
from typing import TYPE_CHECKING, Any

from jupyterhub.scopes import needs_scope
from tornado.web import HTTPError

from versatilehub import quotas
from versatilehub.web.api import ApiHandler

if TYPE_CHECKING:
    from versatilehub.storage.caps.storage import Storage
    from versatilehub.storage.usage import Use


class UsageHandler(ApiHandler):
    """The figures."""

    async def get(self) -> None:
        """Return the caller's own, or everybody's."""
        if not self.current_user:
            raise HTTPError(403, "Missing or invalid credentials.")
        name, everybody = str(self.current_user.name), bool(self.get_query_argument("all", ""))
        if not self.has_scope("read:servers" if everybody else f"read:servers!user={name}"):
            raise HTTPError(
                403, "Your own servers are shown to you, all of them to who may read every server."
            )
        hub = self.versatilehub
        self.reply(to_json(await hub.usage.use(), hub.storage, None if everybody else name))


class CleanupHandler(ApiHandler):
    """A way in past a measured cap."""

    @needs_scope("servers")
    async def post(self, user_name: str, server_name: str = "") -> None:
        """Let the next start within 15 minutes through."""
        user = self.find_user(user_name)
        if user is None or server_name not in user.orm_spawners:
            raise HTTPError(404, "There is no such server.")
        volume = getattr(user.spawners[server_name], "volume", "")
        if volume:
            self.versatilehub.storage.soft.allow_cleanup(volume)
        self.reply({"volume": volume})


def to_json(use: Use, storage: Storage, owner: str | None) -> dict[str, Any]:
    """Return the figures of one owner, None for all; bytes, CPUs, percent of the cap."""
    volumes = [one for one in use.volumes if owner is None or one.owner == owner]
    return {
        "at": use.at.astimezone(UTC).isoformat() if use.at else None,
        "storage": {"backend": storage.name, "hard": storage.hard},
        "servers": [asdict(one) for one in use.servers if owner is None or one.owner == owner],
        "volumes": [
            {**asdict(one), "percent": round(quotas.percent(one.used, one.limit), 1)} for one in volumes
        ],
    }


HANDLERS: list[tuple[Any, ...]] = [
    (r"/versatilehub/api/usage", UsageHandler),
    (r"/versatilehub/api/servers/([^/]+)()/cleanup", CleanupHandler),
    (r"/versatilehub/api/servers/([^/]+)/([^/]*)/cleanup", CleanupHandler),
]
