"""When servers stop: what the culler asks, the countdown of one server, and putting it off.

``GET culling`` is the plan of one pass, ``POST culling/<user>/<server>`` the last look before one is stopped: both for who may stop
any server. ``GET servers/<user>/<server>/countdown`` is for whoever may open the server, itself included;
``POST servers/<user>/<server>/extend`` for its owner and administrators. The default server's name is empty.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from jupyterhub.handlers.base import BaseHandler
from jupyterhub.scopes import needs_scope
from tornado.web import HTTPError

from versatilehub import culling
from versatilehub.errors import InvalidInput
from versatilehub.runtime import VersatileHub
from versatilehub.web.api import ApiHandler

if TYPE_CHECKING:
    from datetime import datetime

    from versatilehub.culling import Clock, Running

#: Seconds an extension has when none are named.
USUAL = 3600


class LifetimePage(BaseHandler):
    """What pages and API about one running server share."""

    @property
    def versatilehub(self) -> VersatileHub:
        """What this hub shares."""
        return VersatileHub.of(self.settings, config=self.config, log=self.log)

    def running_spawner(self, user_name: str, server_name: str) -> Any:
        """Return the spawner of a running server; 404 for any other, and for a hub whose servers are not ours."""
        user = self.find_user(user_name)
        record = user.orm_spawners.get(server_name) if user is not None else None
        if record is None or record.server is None:
            raise HTTPError(404, "No such server runs.")
        spawner = user.spawners[server_name]
        if not hasattr(spawner, "keep"):
            raise HTTPError(404, "This hub's servers are not started by versatilehub.")
        return spawner


class LifetimeHandler(LifetimePage, ApiHandler):
    """The same for the API."""


class PlanHandler(ApiHandler):
    """What one pass of the culler stops."""

    @needs_scope("delete:servers")
    async def get(self) -> None:
        """Return the names, longest overdue first, how many are held back, and why the pass is left out, if it is."""
        hub = self.versatilehub
        servers = await hub.all_running(self.db)
        plan = culling.plan(servers, hub.clock(), share=hub.cull_share)
        self.reply(
            {
                "stop": [] if plan.skip else [f"{one.owner}/{one.server}" for one in plan.stop],
                "held": len(plan.held),
                "running": plan.running,
                "skip": plan.skip,
                "every": hub.cull_every,
            }
        )


class LastLookHandler(LifetimeHandler):
    """The question right before one server is stopped."""

    @needs_scope("delete:servers")
    async def post(self, owner: str, name: str) -> None:
        """Answer whether it stops. A kernel that computes is use: it goes on record, and the countdown begins again.

        The parameters have names of their own, so that the scope is asked for everybody's servers: the owner's does not do.
        """
        spawner = self.running_spawner(owner, name)
        hub = self.versatilehub
        end = culling.countdown(hub.running(spawner), hub.clock())
        stop = end.is_due(hub.clock().now) and not spawner.pending
        if stop and end.why == "idle" and hub.busy_kernels_count:
            computes = await spawner.computes()
            if computes:
                spawner.seen_in_use()
            # one that does not answer may be busy: it has as long as a hub that just started gives everybody
            overdue = (hub.clock().now - (end.at or hub.clock().now)).total_seconds()
            stop = computes is False or (computes is None and overdue >= hub.cull_grace)
        spawner.culled = end.why if stop else ""
        self.reply({"stop": stop, "why": end.why})


class CountdownHandler(LifetimeHandler):
    """When one server stops."""

    @needs_scope("access:servers")
    async def get(self, user_name: str, server_name: str = "") -> None:
        """Return it."""
        hub = self.versatilehub
        running = hub.running(self.running_spawner(user_name, server_name))
        self.reply({**to_json(running, hub.clock()), "notice": hub.cull_notice})


class ExtendHandler(LifetimeHandler):
    """Putting off a server's end."""

    @needs_scope("servers")
    async def post(self, user_name: str, server_name: str = "") -> None:
        """Put it off by ``seconds``, or as far as is left; return the new countdown."""
        seconds = self.json_body().get("seconds", USUAL)
        if not isinstance(seconds, int) or isinstance(seconds, bool):
            raise InvalidInput(
                "seconds is a whole number.", hint='Send {"seconds": 3600} for an hour.', field="seconds"
            )
        hub = self.versatilehub
        spawner = self.running_spawner(user_name, server_name)
        spawner.keep(culling.extend(hub.running(spawner), hub.clock(), seconds))
        self.reply(to_json(hub.running(spawner), hub.clock()))


def to_json(running: Running, clock: Clock) -> dict[str, Any]:
    """Return the countdown of one server; times are UTC, *extendable* are the seconds by which its owner may still put it off."""
    end = culling.countdown(running, clock)
    left = (end.latest - end.at).total_seconds() if end.at and end.latest else 0
    return {
        "now": _text(clock.now),
        "stops_at": _text(end.at),
        "seconds_left": end.seconds_left(clock.now),
        "why": end.why,
        "latest": _text(end.latest),
        "extendable": max(0, int(left)),
        "limits": {
            "idle": running.limits.idle,
            "age": running.limits.age,
            "extension": running.limits.extension,
        },
    }


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat()


#: Two rows each: the default server may be left out, and a group that matches nothing would be None.
_DEFAULT, _SERVER = r"/versatilehub/api/servers/([^/]+)()", r"/versatilehub/api/servers/([^/]+)/([^/]*)"
HANDLERS: list[tuple[Any, ...]] = [
    (r"/versatilehub/api/culling", PlanHandler),
    (r"/versatilehub/api/culling/([^/]+)/([^/]*)", LastLookHandler),
    (_DEFAULT + "/countdown", CountdownHandler),
    (_SERVER + "/countdown", CountdownHandler),
    (_DEFAULT + "/extend", ExtendHandler),
    (_SERVER + "/extend", ExtendHandler),
]
