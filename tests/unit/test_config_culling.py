"""What `configure` does about the culler."""

from __future__ import annotations

import pytest
from traitlets.config import Config

from versatilehub.config_culling import add_culler
from versatilehub.culler import SERVICE


@pytest.mark.req("P7")
def test_the_culler_has_four_scopes_and_no_more() -> None:
    """A token that leaks can list people and their servers' activity, and stop servers: nothing of administrators."""
    c = Config()
    c.JupyterHub.services = []
    c.JupyterHub.load_roles = []

    add_culler(c, {})

    [role] = c.JupyterHub.load_roles
    [service] = c.JupyterHub.services
    assert sorted(role["scopes"]) == [
        "delete:servers",
        "list:users",
        "read:servers",
        "read:users:activity",
    ]
    assert role["services"] == [service["name"]] == [SERVICE]
    assert service["command"][1:] == ["-m", "versatilehub.culler"]
    assert "admin" not in service


def test_nothing_runs_where_nothing_is_to_stop() -> None:
    """``culling=False`` starts no service and makes no role."""
    c = Config()
    c.JupyterHub.services = []
    c.JupyterHub.load_roles = []
    add_culler(c, {"culling": False})
    assert c.JupyterHub.services == []
    assert c.JupyterHub.load_roles == []
