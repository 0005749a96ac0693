"""Tells JupyterLab when the hub will stop this server, and what counts as use of it.

A Jupyter Server extension with one address, ``versatilehub/countdown``: it asks the hub with the server's own token, which may
look at the countdown and not change it. A hub that is no versatilehub, or away, means that nothing is shown.
"""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.parse import quote

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.web import authenticated

#: Requests that only look. Where open tabs do not count, these do not: an open JupyterLab sends them all day.
LOOKS = frozenset({"GET", "HEAD", "OPTIONS"})
#: Seconds the hub has to answer.
PATIENCE = 5


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """Return what Jupyter Server asks of an extension."""
    return [{"module": "versatilehub_notice"}]


def server_path() -> str:
    """Return the part of the hub's addresses that names this server."""
    user, server = os.environ["JUPYTERHUB_USER"], os.environ.get("JUPYTERHUB_SERVER_NAME", "")
    return f"{quote(user, safe='')}/{quote(server, safe='')}"


def hub_url() -> str:
    """Return the address of the hub for a browser."""
    public = os.environ.get("JUPYTERHUB_PUBLIC_HUB_URL", "")
    return public or url_path_join(os.environ.get("JUPYTERHUB_BASE_URL", "/"), "hub/")


class CountdownHandler(APIHandler):  # type: ignore[misc]  # its package ships no types
    """The hub's countdown of this server, and the page where its owner puts it off."""

    _track_activity = False  # asking when the server stops is no use of it

    @authenticated
    async def get(self) -> None:
        """Return it; ``{}`` when there is none."""
        api = os.environ["JUPYTERHUB_API_URL"].rstrip("/").removesuffix("/api")
        request = HTTPRequest(
            f"{api}/versatilehub/api/servers/{server_path()}/countdown",
            headers={"Authorization": f"token {os.environ['JUPYTERHUB_API_TOKEN']}"},
            request_timeout=PATIENCE,
        )
        answer = await AsyncHTTPClient().fetch(request, raise_error=False)
        found: dict[str, Any] = {}
        if answer.code == 200:
            found = json.loads(answer.body)
            found["page"] = url_path_join(hub_url(), "versatilehub/keep", server_path())
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(found))


def only_deeds_count() -> None:
    """Have Jupyter Server take no request that only looks for use of the server."""
    stock = APIHandler.update_api_activity

    def update_api_activity(self: Any) -> None:
        if self.request.method not in LOOKS:
            stock(self)

    APIHandler.update_api_activity = update_api_activity


def _load_jupyter_server_extension(app: Any) -> None:
    """Add the address; nothing at all outside a hub."""
    if "JUPYTERHUB_API_URL" not in os.environ or "JUPYTERHUB_USER" not in os.environ:
        return
    if os.environ.get("VERSATILEHUB_OPEN_TABS_COUNT") == "0":
        only_deeds_count()
    path = url_path_join(app.web_app.settings["base_url"], "versatilehub/countdown")
    app.web_app.add_handlers(".*$", [(path, CountdownHandler)])
