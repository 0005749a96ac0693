"""Request handlers inside the hub, and the one list that registers them.

``extra_handlers`` is deprecated upstream and kept by its maintainer's word; `extra_handlers` below is the one place
to change when that ends. Every error of the JSON API has the four keys code, message, hint, field.
"""

from __future__ import annotations

import json
from http.client import responses
from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.handlers.static import CacheControlStaticFilesHandler
from tornado.web import HTTPError

from versatilehub.errors import VersatileHubError
from versatilehub.web.assets import STATIC, static_path, static_version
from versatilehub.web.errors import CODE_HEADER
from versatilehub.web.new_server import NewServerHandler

_YEAR = 365 * 24 * 3600
_SERVER_ERROR = 500


class StaticHandler(CacheControlStaticFilesHandler):
    """Serves our static files under any version; only the current version may be kept by the browser.

    A page opened before an upgrade asks for the old version and gets the new files rather than an error.
    """

    current = False

    def parse_url_path(self, url_path: str) -> str:
        """Take the version off the path, and note whether it is the one the files have now."""
        version, _, path = url_path.partition("/")
        self.current = version == static_version()
        return super().parse_url_path(path)

    def set_extra_headers(self, path: str) -> None:
        """Let the browser keep a file for good when the path names its content."""
        del path
        lasting = f"public, max-age={_YEAR}, immutable"
        self.set_header("Cache-Control", lasting if self.current else "no-cache")
        self.set_header("X-Content-Type-Options", "nosniff")


class ApiHandler(APIHandler):
    """Base of our JSON API: raise a `VersatileHubError` anywhere and the client reads it as it is.

    Authentication, scopes and the XSRF check are the hub's own.
    """

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log what a person did wrong in one line, and a fault of ours with its traceback."""
        if isinstance(value, VersatileHubError):
            self.log.info("%s %s: %s (%s)", self.request.method, self.request.path, value.message, value.code)
        else:
            super().log_exception(typ, value, tb)

    def send_error(self, status_code: int = _SERVER_ERROR, **kwargs: Any) -> None:
        """Answer with the status of the error when it is ours."""
        error = _raised(kwargs)
        super().send_error(error.status if isinstance(error, VersatileHubError) else status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Write the four keys."""
        body = _error_body(status_code, _raised(kwargs))
        self.set_header("Content-Type", "application/json")
        self.set_header(CODE_HEADER, body["code"])
        self.finish(json.dumps(body))


def extra_handlers() -> list[tuple[Any, ...]]:
    """Return what ``c.JupyterHub.extra_handlers`` gets; the hub puts its base URL before each pattern."""
    return [
        (r"/versatilehub/static/(.+)", StaticHandler, {"path": str(STATIC)}),
        (r"/versatilehub/new", NewServerHandler),
    ]


def template_vars() -> dict[str, object]:
    """Return what ``c.JupyterHub.template_vars`` gets for our pages."""
    return {"versatilehub_static": static_path()}


def _raised(kwargs: dict[str, Any]) -> BaseException | None:
    exc_info = kwargs.get("exc_info")
    return exc_info[1] if exc_info else None


def _error_body(status: int, error: BaseException | None) -> dict[str, str]:
    if isinstance(error, VersatileHubError):
        return error.to_json()
    phrase = responses.get(status, "Error")
    if status >= _SERVER_ERROR:
        return {
            "code": "internal_error",
            "message": "The hub could not answer because of a fault of its own; it is in the hub's log.",
            "hint": "Try again; if it stays, tell the person who runs this hub.",
            "field": "",
        }
    message = error.log_message if isinstance(error, HTTPError) and error.log_message else phrase
    code = phrase.lower().replace(" ", "_").replace("-", "_")
    return {"code": code, "message": message, "hint": "", "field": ""}
