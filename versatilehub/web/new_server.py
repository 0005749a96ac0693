"""The page for one more server: a name, or none and one is chosen, and what to run in it.

Opening it makes no record, and neither does a form that is refused. One that passes is handed on, as it was sent, to the hub's own
page for that name (307 keeps method and body), where JupyterHub checks and starts. JupyterHub's page for a server that does not
exist leads here (`server_limit`), with the person and the name in the path.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

from jupyterhub.handlers.base import BaseHandler
from jupyterhub.scopes import needs_scope
from jupyterhub.utils import url_path_join
from tornado.httputil import url_concat
from tornado.web import HTTPError, authenticated

from versatilehub import policy
from versatilehub.errors import InvalidName, VersatileHubError
from versatilehub.readable import readable_name
from versatilehub.runtime import VersatileHub
from versatilehub.web.form import NAME, FieldError, FormState, render_options_form, typed
from versatilehub.web.server_limit import Wish, check_wish, owners_policy, posted

#: Names tried before one with a count is taken.
TRIES = 20


class NewServerHandler(BaseHandler):
    """``GET`` shows the form, ``POST`` checks it and hands it on; for oneself, or for a person whose servers one may start."""

    @authenticated
    async def get(self, user_name: str = "", server_name: str = "") -> None:
        """Show the form, and what stands in the way already."""
        await self._get(user_name=user_name or self.current_user.name, server_name=server_name)

    @authenticated
    async def post(self, user_name: str = "", server_name: str = "") -> None:
        """Hand a good form on to the hub's page of that server, show a bad one again with what was typed."""
        await self._post(user_name=user_name or self.current_user.name, server_name=server_name)

    @needs_scope("servers")
    async def _get(self, user_name: str, server_name: str) -> None:
        owner = self._owner(user_name)
        if server_name in owner.orm_spawners and server_name:
            self.redirect(self._spawn_page(owner, server_name))
            return
        state = self._state(owner, server_name)
        try:
            wish = Wish(owner=owner, name=server_name or self._free_name(owner))
            check_wish(wish, actor=self.current_user)
        except VersatileHubError as error:
            if server_name or not isinstance(error, InvalidName):
                state = replace(state, errors=(FieldError.of(error),))
        await self._show(owner, state)

    @needs_scope("servers")
    async def _post(self, user_name: str, server_name: str) -> None:
        owner = self._owner(user_name)
        form = posted(self)
        try:
            name = self._name(owner, typed(form).get(NAME, "").strip() or server_name)
            wish = Wish(owner=owner, name=name, starts=True, form=form)
            check_wish(wish, actor=self.current_user)
            await owner.spawner.check_mounts(form)
        except VersatileHubError as error:
            VersatileHub.of(self.settings).note_refusal(owner.name, server_name, error)
            self.set_status(error.status)
            await self._show(owner, self._state(owner, server_name).rejected(form, error))
            return
        path = self._spawn_page(owner, name)
        self.redirect(url_concat(path, {"_xsrf": self.xsrf_token.decode("ascii")}), status=307)

    def _owner(self, user_name: str) -> Any:
        owner = self.find_user(user_name)
        if owner is None:
            raise HTTPError(404, "There is no such person.")
        if not hasattr(owner.spawner, "form_state"):
            raise HTTPError(404, "This hub's servers are not started by versatilehub.")
        return owner

    def _spawn_page(self, owner: Any, name: str) -> str:
        return str(url_path_join(self.hub.base_url, "spawn", owner.escaped_name, name))

    def _free_name(self, owner: Any) -> str:
        taken = {name for name in owner.orm_spawners if name}
        return readable_name(taken, (secrets.randbelow(1 << 30) for _ in range(TRIES)))

    def _name(self, owner: Any, asked: str) -> str:
        if not asked:
            return self._chosen_name(owner)
        if asked in owner.orm_spawners:
            raise InvalidName(
                f"You have a server named {asked} already.",
                hint="Choose another name, or leave it empty for a free one.",
                field=NAME,
                code="name_taken",
            )
        return asked

    def _chosen_name(self, owner: Any) -> str:
        name = self._free_name(owner)
        try:
            policy.check_names(name, "", owners_policy(owner))
        except InvalidName as error:
            message = "This hub has a rule for names by which none can be chosen for you."
            hint = f"Type one. {error.hint}"
            raise InvalidName(message, hint=hint, field=NAME, code="name_needed") from error
        return name

    def _state(self, owner: Any, name: str) -> FormState:
        state: FormState = owner.spawner.form_state()
        return replace(state, named=True, defaults={**state.defaults, NAME: name})

    async def _show(self, owner: Any, state: FormState) -> None:
        url = url_concat(self.request.path, {"_xsrf": self.xsrf_token.decode("ascii")})
        html = await self.render_template(
            "new_server.html",
            spawner_options_form=render_options_form(await owner.spawner.with_mounts(state)),
            url=url,
            for_user=owner,
        )
        self.finish(html)


HANDLERS = [
    (r"/versatilehub/new", NewServerHandler),
    (r"/versatilehub/new/([^/]+)", NewServerHandler),
    (r"/versatilehub/new/([^/]+)/([^/]+)", NewServerHandler),
]
