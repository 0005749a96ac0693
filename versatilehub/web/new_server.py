"""The page for one more server: a name, or none and one is chosen, and what to run in it.

Opening it makes no record, and neither does a form that is refused. One that passes is handed on, as it was sent, to the hub's own
page for that name (307 keeps method and body), where JupyterHub checks and starts.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

from jupyterhub.handlers.base import BaseHandler
from jupyterhub.utils import url_path_join
from tornado.httputil import url_concat
from tornado.web import HTTPError, authenticated

from versatilehub import naming, policy
from versatilehub.errors import InvalidName, VersatileHubError
from versatilehub.policy import Usage
from versatilehub.readable import readable_name
from versatilehub.spec import LaunchSpec
from versatilehub.web.form import NAME, FormState, pick_fields, render_options_form, typed

#: Names tried before one with a count is taken.
TRIES = 20


class NewServerHandler(BaseHandler):
    """``GET`` shows the form, ``POST`` checks it and hands it on."""

    @authenticated
    async def get(self) -> None:
        """Show the form."""
        await self._show(self._state())

    @authenticated
    async def post(self) -> None:
        """Hand a good form on to the hub's page of that server, show a bad one again with what was typed."""
        form = {
            key: [value.decode("utf-8", "replace") for value in values]
            for key, values in self.request.body_arguments.items()
        }
        state = self._state()
        taken = {name for name in self.current_user.orm_spawners if name}
        try:
            name = self._name(typed(form).get(NAME, "").strip(), taken)
            self._check(form, taken)
        except VersatileHubError as error:
            self.set_status(error.status)
            await self._show(state.rejected(form, error))
            return
        path = url_path_join(self.hub.base_url, "spawn", self.current_user.escaped_name, name)
        self.redirect(url_concat(path, {"_xsrf": self.xsrf_token.decode("ascii")}), status=307)

    def _name(self, asked: str, taken: set[str]) -> str:
        if not asked:
            return readable_name(taken, (secrets.randbelow(1 << 30) for _ in range(TRIES)))
        name = naming.check_server_name(asked, self._spawner().runtime.policy.name_max)
        if name in taken:
            raise InvalidName(
                f"You have a server named {name} already.",
                hint="Choose another name, or leave it empty for a free one.",
                field=NAME,
                code="name_taken",
            )
        return name

    def _check(self, form: dict[str, list[str]], taken: set[str]) -> None:
        ours = self._spawner().runtime.policy
        spec = LaunchSpec.from_form(pick_fields(form), ours.sources)
        policy.check(spec, ours, Usage(named_servers=tuple(sorted(taken))))

    def _spawner(self) -> Any:
        spawner = self.current_user.spawner
        if not hasattr(spawner, "form_state"):
            raise HTTPError(404, "This hub's servers are not started by versatilehub.")
        return spawner

    def _state(self) -> FormState:
        return replace(self._spawner().form_state(), named=True)

    async def _show(self, state: FormState) -> None:
        url = url_concat(self.request.path, {"_xsrf": self.xsrf_token.decode("ascii")})
        html = await self.render_template(
            "new_server.html",
            spawner_options_form=render_options_form(state),
            url=url,
            for_user=self.current_user,
        )
        self.finish(html)


HANDLERS = [(r"/versatilehub/new", NewServerHandler)]
