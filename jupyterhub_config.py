"""A working deployment on one machine, as `make run` starts it. Copy it and edit the second half.

Everything versatilehub decides comes from one call; each line after it is plain JupyterHub, and wins.
"""

from __future__ import annotations

import os
from pathlib import Path

from versatilehub.config import configure

c = get_config()  # type: ignore[name-defined]  # noqa: F821  # JupyterHub puts it there


def setting(name: str, default: str = "") -> str:
    """Return the environment variable VERSATILEHUB_<name>, *default* when it is unset or empty."""
    return os.environ.get(f"VERSATILEHUB_{name}") or default


def file_setting(name: str) -> Path | None:
    """Return the path that VERSATILEHUB_<name> holds, None when it holds none."""
    text = setting(name)
    return Path(text).resolve() if text else None


configure(
    c,
    # Who this hub is for: ska, conjuring, versatile, kooplex or binder (versatilehub/presets/<name>.toml).
    preset=setting("PRESET", "versatile"),
    # Databases, secrets and logs; readable by this account only.
    state=Path(setting("STATE", str(Path(__file__).parent / ".state"))).resolve(),
    # People's port; the proxy's API is at port + 1 and the hub's own API at port + 81.
    port=int(setting("PORT", "8000")),
    # URL prefixes allowed beside the public forges, e.g. "http://forge.example:3000/".
    extra_sources=tuple(filter(None, map(str.strip, setting("EXTRA_SOURCES").split(",")))),
    # Accounts: name,password,admin in each line. None: <state>/users.csv
    users_csv=file_setting("USERS"),
    # When set, an operator service with admin scopes and this token.
    api_token=setting("API_TOKEN"),
    # A site's own certificate authorities, for image builds. None: those of this machine.
    ca_bundle=file_setting("CA_BUNDLE"),
)

# What an admin edits: any trait of JupyterHub, its proxy, the spawner and the authenticator. For example
#
# c.JupyterHub.bind_url = "http://0.0.0.0:8000"      # behind a TLS-terminating web server
# c.JupyterHub.db_url = "postgresql://hub@db/hub"
# c.JupyterHub.authenticator_class = "github"        # any authenticator; users.csv is only the default
# c.VersatileSpawner.default_url = "/lab"
