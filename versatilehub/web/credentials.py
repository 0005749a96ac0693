"""The page “Git access”: one's tokens for git hosts, to add, replace and delete; none is ever shown again."""

from __future__ import annotations

from typing import Any, Final

from jupyterhub.handlers.base import BaseHandler
from jupyterhub.utils import url_path_join
from tornado.httputil import url_concat
from tornado.web import authenticated

from versatilehub.errors import VersatileHubError
from versatilehub.runtime import VersatileHub

_PATH: Final = "versatilehub/credentials"


class CredentialsPage(BaseHandler):
    """``GET`` shows the page; ``POST`` stores or deletes, and leads back to it."""

    @authenticated
    async def get(self) -> None:
        """Show the page."""
        await self._show()

    @authenticated
    async def post(self) -> None:
        """Do what the button says; what was typed wrong is shown again, but for the token."""
        credentials = self._hub.credentials
        try:
            if self.get_body_argument("delete", ""):
                number = self.get_body_argument("delete")
                done = number.isascii() and number.isdecimal() and len(number) < len(str(1 << 62))
                if done:
                    await credentials.remove(self.current_user, int(number))
                said = "deleted"
            else:
                host, username, secret = (
                    self.get_body_argument(name, "") for name in ("host", "username", "secret")
                )
                await credentials.put(self.current_user, host=host, username=username, secret=secret)
                said = "stored"
        except VersatileHubError as error:
            self.set_status(error.status)
            await self._show(error)
            return
        self.redirect(url_concat(url_path_join(self.hub.base_url, _PATH), {"done": said}), status=303)

    @property
    def _hub(self) -> VersatileHub:
        return VersatileHub.of(self.settings, config=self.config, log=self.log)

    async def _show(self, error: VersatileHubError | None = None) -> None:
        credentials = self._hub.credentials
        html = await self.render_template(
            "credentials.html",
            credentials=await credentials.listed(self.current_user),
            login_host=await credentials.login_host(self.current_user),
            error=error,
            done=self.get_query_argument("done", ""),
            typed={name: self.get_body_argument(name, "") for name in ("host", "username")} if error else {},
            url=url_concat(self.request.path, {"_xsrf": self.xsrf_token.decode("ascii")}),
        )
        self.finish(html)


HANDLERS: Final[list[tuple[Any, ...]]] = [(r"/versatilehub/credentials", CredentialsPage)]
