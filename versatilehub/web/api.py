"""What every resource of the JSON API shares: errors a client can read, and who asks.

Each resource is a module ``web/api_<noun>.py`` with its rows in ``HANDLERS``, registered in `web.handlers`. URLs are below
``/hub/versatilehub/api/``. Every error has the four keys code, message, hint, field.
"""

from __future__ import annotations

import json
from http.client import responses
from typing import TYPE_CHECKING, Any

from jupyterhub.apihandlers.base import APIHandler
from tornado.web import HTTPError

from versatilehub.errors import InvalidInput, VersatileHubError
from versatilehub.runtime import VersatileHub
from versatilehub.web.errors import CODE_HEADER

if TYPE_CHECKING:
    from collections.abc import Mapping

_SERVER_ERROR = 500


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

    @property
    def versatilehub(self) -> VersatileHub:
        """What this hub shares: engine, builds, storage, policy, database."""
        return VersatileHub.of(self.settings, config=self.config, log=self.log)

    def json_body(self) -> Mapping[str, Any]:
        """Return the JSON object that was sent, {} for an empty body; `InvalidInput` for anything else."""
        if not self.request.body.strip():
            return {}
        try:
            body = json.loads(self.request.body)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise InvalidInput(
                "The body is not a JSON object.", hint='Send an object, such as {"key": "value"}.'
            )
        return body

    def reply(self, value: object, status: int = 200) -> None:
        """Send *value* as JSON."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(value))


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
