"""The one place JupyterHub asks before it makes the record of a named server: form, REST and links all come by.

It decides by the policy of the one who will own the server, whoever asks, and before anything is on record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.utils import url_escape_path, url_path_join
from tornado.httputil import url_concat
from tornado.web import Finish

from versatilehub import policy
from versatilehub.errors import InvalidName, VersatileHubError
from versatilehub.runtime import VersatileHub
from versatilehub.spawner_policy import usage_of
from versatilehub.web.errors import to_web_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from versatilehub.policy import Policy

#: The page for a new server, below the hub's base URL.
NEW_SERVER = "versatilehub/new"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A server to be: whose, its name, whether it starts at once, and what was sent to run in it, as JSON or as a form."""

    owner: Any
    name: str
    display_name: str = ""
    starts: bool = False
    options: object = None
    form: Mapping[str, list[Any]] | None = None


def named_server_limit(handler: Any) -> int:
    """Return how many named servers JupyterHub lets a person create, for its pages; 0 is its word for no limit.

    Where a server is to be made, this raises instead of counting: JupyterHub would look at the limit of whoever asks, and has no
    number for "none". Not a coroutine: between an awaited answer and the creation, parallel requests would pass the limit.
    """
    hub = VersatileHub.of(handler.settings, config=handler.config, log=handler.log)
    if not handler.path_args:  # a page that shows the figure
        user = handler.current_user
        return hub.policy_of(user).named_servers or 0 if hasattr(user, "groups") else 0
    wish = _wish(handler)
    if wish is None:
        return 0
    if handler.request.method in {"GET", "HEAD"}:
        _to_page(handler, wish)
    try:
        check_wish(wish, actor=handler.current_user)
    except VersatileHubError as error:
        if is_api(handler):
            hub.note_refusal(wish.owner.name, wish.name, error)
            raise to_web_error(error) from error
        _to_page(handler, wish)
    return 0


def check_wish(wish: Wish, *, actor: Any) -> None:
    """Return if the record of *wish* may be made; raise `InvalidInput` or `Refusal`.

    *actor* is who asks: an administrator passes the count where the owner's policy says so, and nothing else.
    """
    spawner = wish.owner.spawner
    mine = owners_policy(wish.owner)
    if mine.admin_may_exceed and getattr(actor, "admin", False):
        policy.check_names(wish.name, wish.display_name, mine)
    else:
        usage = usage_of(wish.owner)
        policy.check_new_server(wish.name, wish.display_name, mine, usage)
        if wish.starts:
            policy.check_running(mine, usage)
    if not hasattr(spawner, "read_options"):
        return  # another spawner's options are not ours to read
    if wish.form is not None:
        spawner.check_form(wish.form)
    elif wish.options:
        spawner.read_options(wish.options)


def owners_policy(owner: Any) -> Policy:
    """Return the policy of *owner*, with what the administrator set on the spawner."""
    spawner = owner.spawner
    if hasattr(spawner, "owner_policy"):
        found: Policy = spawner.owner_policy()
        return found
    return VersatileHub.of(owner.settings).policy_of(owner)


def _wish(handler: Any) -> Wish | None:
    """Return what a request wants to make; None when there is nothing to make: no such person, or the server is there."""
    owner = handler.find_user(handler.path_args[0])
    if owner is None:
        return None
    name = handler.path_args[1] if len(handler.path_args) > 1 else ""
    form, options, display_name = None, None, ""
    if is_api(handler):
        body = handler.get_json_body() or {}
        display_name = body.get("display_name") or ""
        if handler.request.method == "PATCH":  # of the default server, which is then made anew
            name = body.get("name")
        else:
            options = handler.get_server_json_body()["user_options"]
    elif handler.request.method == "POST":  # JupyterHub's form has no display name
        form = posted(handler)
    if not isinstance(name, str) or not isinstance(display_name, str):
        raise to_web_error(
            InvalidName(
                "A server's names are texts.", hint='For example {"name": "lab1"}.', field="server_name"
            )
        )
    if name in owner.orm_spawners:
        return None
    starts = handler.request.method == "POST"
    return Wish(owner=owner, name=name, display_name=display_name, starts=starts, options=options, form=form)


def is_api(handler: Any) -> bool:
    """Tell whether *handler* answers in JSON."""
    return isinstance(handler, APIHandler)


def posted(handler: Any) -> dict[str, list[Any]]:
    """Return the fields of a form, as JupyterHub hands them to ``options_from_form``."""
    return {
        **{
            key: [value.decode("utf-8", "replace") for value in values]
            for key, values in handler.request.body_arguments.items()
        },
        **{f"{key}_file": files for key, files in handler.request.files.items()},
    }


def _to_page(handler: Any, wish: Wish) -> None:
    """Lead on to the page for a new server, which makes no record, and end the request: JupyterHub's own page would make one.

    A form is sent on as it is (307 keeps method and body) and comes back with what is wrong.
    """
    path = url_path_join(
        handler.hub.base_url, NEW_SERVER, wish.owner.escaped_name, url_escape_path(wish.name)
    )
    query = [
        (key, value.decode("utf-8", "replace"))
        for key, values in handler.request.query_arguments.items()
        for value in values
        if key != "_xsrf"
    ]
    if handler.request.method == "POST":
        handler.redirect(
            url_concat(path, [*query, ("_xsrf", handler.xsrf_token.decode("ascii"))]), status=307
        )
    else:
        handler.redirect(url_concat(path, query))
    raise Finish
