"""A person in front of a browser without JavaScript: logs in, opens the form, sends it."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from tests.hubprocess import HubProcess


class Person:
    """A logged-in session at *hub*; cookies and XSRF token as a browser keeps them. Close it after use."""

    def __init__(self, hub: HubProcess, name: str, password: str) -> None:
        self.hub = hub
        self.name = name
        self.session = requests.Session()
        self.get("login")
        answer = self.post("login", username=name, password=password)
        assert answer.status_code == 302, answer.text

    @property
    def xsrf(self) -> str:
        """The token the hub's own pages put into their forms."""
        return next(cookie.value or "" for cookie in self.session.cookies if cookie.name == "_xsrf")

    def get(self, path: str, **kwargs: Any) -> requests.Response:
        """Open a page below ``/hub/``; redirects are not followed."""
        return self.session.get(f"{self.hub.url}/hub/{path}", allow_redirects=False, timeout=60, **kwargs)

    def post(self, path: str, **fields: str) -> requests.Response:
        """Send a form."""
        body = {"_xsrf": self.xsrf, **fields}
        return self.session.post(f"{self.hub.url}/hub/{path}", data=body, allow_redirects=False, timeout=60)


def field_values(page: str) -> dict[str, str]:
    """Return name and value of every text field in a page."""
    found = {}
    for tag in re.findall(r"<input[^>]*>", page):
        attributes = dict(re.findall(r'([a-z-]+)="([^"]*)"', tag))
        if "name" in attributes:
            found[attributes["name"]] = html.unescape(attributes.get("value", ""))
    return found
