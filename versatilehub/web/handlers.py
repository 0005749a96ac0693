"""The one list that registers our pages and API with the hub, and the handler of our static files.

``extra_handlers`` is deprecated upstream and kept by its maintainer's word; `extra_handlers` below is the one place
to change when that ends.
"""

from __future__ import annotations

from typing import Any, Final

from jupyterhub.handlers.static import CacheControlStaticFilesHandler

from versatilehub.web import (
    api_accounting,
    api_build_log,
    api_builds,
    api_credentials,
    api_culling,
    api_images,
    api_limits,
    api_usage,
    api_volumes,
    api_webhooks,
    binder_build,
    credentials,
    keep,
    limits,
    new_server,
)
from versatilehub.web.assets import STATIC, static_path, static_version

_YEAR = 365 * 24 * 3600
#: Modules of pages and of the API; each has its rows in ``HANDLERS``, patterns below the hub's base URL.
_PAGES: Final = (
    api_accounting,
    api_build_log,
    api_builds,
    api_credentials,
    api_culling,
    api_images,
    api_limits,
    api_usage,
    api_volumes,
    credentials,
    binder_build,
    api_webhooks,
    keep,
    limits,
    new_server,
)


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


def extra_handlers() -> list[tuple[Any, ...]]:
    """Return what ``c.JupyterHub.extra_handlers`` gets; the hub puts its base URL before each pattern."""
    return [
        (r"/versatilehub/static/(.+)", StaticHandler, {"path": str(STATIC)}),
        *(row for page in _PAGES for row in page.HANDLERS),
    ]


def template_vars() -> dict[str, object]:
    """Return what ``c.JupyterHub.template_vars`` gets for our pages."""
    return {"versatilehub_static": static_path()}
