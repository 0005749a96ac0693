"""The part of `configure` about servers that stop by themselves: the culler's service, its role, and what counts as use."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from jupyterhub.app import JupyterHub

from versatilehub.culler import SCOPES, SERVICE

if TYPE_CHECKING:
    from collections.abc import Mapping


def add_culler(c: Any, settings: Mapping[str, Any]) -> None:
    """Have the hub run the culler, with the four scopes it needs; not at all with ``culling=False``."""
    if settings.get("culling", True) is False:
        return
    c.JupyterHub.services.append({"name": SERVICE, "command": [sys.executable, "-m", "versatilehub.culler"]})
    c.JupyterHub.load_roles.append({"name": SERVICE, "services": [SERVICE], "scopes": list(SCOPES)})


def only_reports_count(c: Any) -> None:
    """Have the hub not ask its proxy for traffic where the site says that open tabs do not count.

    Called once the whole configuration has been read and the hub has not started yet.
    """
    if c.VersatileHub.get("open_tabs_count") is False and JupyterHub.initialized():
        JupyterHub.instance().last_activity_interval = 0
