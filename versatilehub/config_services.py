"""The part of `configure` about processes beside the hub: each a service with a role of its own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from versatilehub.config_culling import add_culler
from versatilehub.janitor import SCOPES, SERVICE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


#: Those of JupyterHub's own admin role, and the servers' state; a service cannot have the role itself by configuration.
OPERATOR_SCOPES = [
    "access:servers",
    "access:services",
    "admin-ui",
    "admin:groups",
    "admin:server_state",
    "admin:servers",
    "admin:users",
    "list:services",
    "proxy",
    "read:hub",
    "read:metrics",
    "read:roles",
    "read:services",
    "shares",
    "shutdown",
    "tokens",
]


def add_services(c: Any, settings: Mapping[str, Any], folder: Path, api_token: str) -> None:
    """Add the culler, the janitor and, with a token, an operator with admin scopes."""
    if api_token:
        c.JupyterHub.services.append({"name": "operator", "api_token": api_token})
        c.JupyterHub.load_roles.append(
            {"name": "operator", "services": ["operator"], "scopes": OPERATOR_SCOPES}
        )
    add_culler(c, settings)
    add_janitor(c, settings, folder)


def add_janitor(c: Any, settings: Mapping[str, Any], folder: Path) -> None:
    """Have the hub run the janitor, with two scopes to read with; not at all with ``janitor=False``."""
    if settings.get("janitor", True) is False:
        return
    command = [sys.executable, "-m", "versatilehub.janitor", str(folder)]
    c.JupyterHub.services.append({"name": SERVICE, "command": command})
    c.JupyterHub.load_roles.append({"name": SERVICE, "services": [SERVICE], "scopes": list(SCOPES)})
