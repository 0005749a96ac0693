"""The part of `configure` about images: the janitor's service and its role."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from versatilehub.janitor import SCOPES, SERVICE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def add_janitor(c: Any, settings: Mapping[str, Any], folder: Path) -> None:
    """Have the hub run the janitor, with two scopes to read with; not at all with ``janitor=False``."""
    if settings.get("janitor", True) is False:
        return
    command = [sys.executable, "-m", "versatilehub.janitor", str(folder)]
    c.JupyterHub.services.append({"name": SERVICE, "command": command})
    c.JupyterHub.load_roles.append({"name": SERVICE, "services": [SERVICE], "scopes": list(SCOPES)})
