"""Static files, on a real tornado server; the JSON API base is tested on a real hub (tests/browser/test_pages.py)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application

from versatilehub import __version__
from versatilehub.web.assets import STATIC, static_path, static_version
from versatilehub.web.handlers import extra_handlers, template_vars

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def address() -> AsyncIterator[str]:
    """A server with our handlers below ``/base/hub``."""
    prefixed = [(f"/base/hub{pattern}", *rest) for pattern, *rest in extra_handlers()]
    server = HTTPServer(Application(prefixed))
    sock, port = bind_unused_port()
    server.add_socket(sock)
    yield f"http://127.0.0.1:{port}"
    server.stop()
    await server.close_all_connections()


async def fetch(url: str) -> HTTPResponse:
    """Return the answer, whatever its status."""
    return await AsyncHTTPClient().fetch(url, raise_error=False)


async def test_current_version_is_kept(address: str) -> None:
    """A file under the version of its content may be kept for good, and modules have a type browsers run."""
    answer = await fetch(f"{address}/base/hub/{static_path()}js/spawn-pending.js")

    assert 200 == answer.code
    assert (STATIC / "js" / "spawn-pending.js").read_bytes() == answer.body
    assert "immutable" in answer.headers["Cache-Control"]
    assert "javascript" in answer.headers["Content-Type"]
    assert "nosniff" == answer.headers["X-Content-Type-Options"]


async def test_other_version_is_served_but_not_kept(address: str) -> None:
    """A page from before an upgrade still finds its files, and asks again next time."""
    answer = await fetch(f"{address}/base/hub/versatilehub/static/0.0.1-old/js/launch.js")

    assert (200, "no-cache") == (answer.code, answer.headers["Cache-Control"])


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("js/../../errors.py", id="up"),
        pytest.param("..%2f..%2ferrors.py", id="up, encoded"),
        pytest.param("%2fetc%2fpasswd", id="absolute"),
        pytest.param("", id="folder"),
        pytest.param("js/none.js", id="missing"),
    ],
)
async def test_nothing_else_is_served(address: str, path: str) -> None:
    """Only files of the static folder."""
    answer = await fetch(f"{address}/base/hub/{static_path()}{path}")

    assert answer.code in {403, 404}


def test_template_vars_name_the_static_path() -> None:
    """Pages learn the versioned path, relative to the hub's base URL."""
    assert {"versatilehub_static": f"versatilehub/static/{static_version()}/"} == template_vars()
    assert re.fullmatch(re.escape(__version__) + r"-[0-9a-f]{8}", static_version())
