"""The page that says when one server stops, and puts it off; the notice in JupyterLab leads here.

``GET`` shows, ``POST`` puts it off by what was chosen. For the owner and for whoever may start and stop the server.
"""

from __future__ import annotations

from typing import Any

from jupyterhub.scopes import needs_scope
from tornado.httputil import url_concat
from tornado.web import HTTPError, authenticated

from versatilehub import culling
from versatilehub.culling import duration
from versatilehub.errors import Refusal, VersatileHubError
from versatilehub.web.api_culling import LifetimePage, to_json

#: What is offered, in seconds, as far as the policy has it.
CHOICES = (1800, 3600, 7200, 4 * 3600, 8 * 3600, 24 * 3600)


class KeepHandler(LifetimePage):
    """When one server stops, and a form to put it off."""

    @authenticated
    async def get(self, owner: str, name: str) -> None:
        """Show the page."""
        await self._get(user_name=owner, server_name=name)

    @authenticated
    async def post(self, owner: str, name: str) -> None:
        """Put the end off, and show the page again."""
        await self._post(user_name=owner, server_name=name)

    @needs_scope("servers")
    async def _get(self, user_name: str, server_name: str) -> None:
        await self._show(self.running_spawner(user_name, server_name))

    @needs_scope("servers")
    async def _post(self, user_name: str, server_name: str) -> None:
        spawner = self.running_spawner(user_name, server_name)
        hub = self.versatilehub
        asked = self.get_body_argument("seconds", "")
        if not asked.isdecimal() or len(asked) > 9:
            raise HTTPError(400, "seconds is a whole number.")
        try:
            spawner.keep(culling.extend(hub.running(spawner), hub.clock(), int(asked)))
        except VersatileHubError as error:
            self.set_status(error.status)
            await self._show(spawner, error)
            return
        # shown by a GET, so that reloading does not send the form again
        self.redirect(self.request.path)

    async def _show(self, spawner: Any, error: VersatileHubError | None = None) -> None:
        hub = self.versatilehub
        running = hub.running(spawner)
        end = to_json(running, hub.clock())
        left = end["extendable"]
        choices = [seconds for seconds in CHOICES if seconds <= left]
        if left > 0 and left not in choices:
            choices.append(left)
        html = await self.render_template(
            "keep.html",
            end=end,
            server=spawner.orm_spawner.display_name or spawner.name or "Your server",
            server_url=spawner.user.server_url(spawner.name),
            choices=[(seconds, duration(seconds)) for seconds in choices],
            usual=max((seconds for seconds in choices if seconds <= 3600), default=choices[0] if choices else 0),
            idle=duration(running.limits.idle) if running.limits.idle else "",
            age=duration(running.limits.age) if running.limits.age else "",
            refusal=error if isinstance(error, Refusal) else None,
            url=url_concat(self.request.path, {"_xsrf": self.xsrf_token.decode("ascii")}),
        )  # fmt: skip
        self.finish(html)


HANDLERS: list[tuple[Any, ...]] = [(r"/versatilehub/keep/([^/]+)/([^/]*)", KeepHandler)]
