"""A hub with shortened clocks, and what tests of culling and accounting ask it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import requests

from tests.hubprocess import wait_for
from versatilehub.store import Store
from versatilehub.store import ledger as rows

if TYPE_CHECKING:
    from tests.hubprocess import HubProcess
    from versatilehub.events import Event

STUB = "versatilehub/test-server:latest"
LAB = "versatilehub/singleuser:latest"
LINES = f"""
    c.VersatileSpawner.image = {STUB!r}
    c.VersatileHub.policy_overrides = {{
        "images": [{STUB!r}, {LAB!r}], "named_servers": 10, "offers": ["idle_timeout"],
        "idle_timeout": "1h", "idle_timeout_max": "1h", "extension_max": 30,
    }}
    c.VersatileHub.policy_groups = {{"aged": {{"max_age": 4}}, "thrifty": {{"budget_server_hours": 0.05}}}}
    c.VersatileHub.cull_every = 1
    c.VersatileHub.cull_grace = 0
    c.VersatileHub.open_tabs_count = False
    c.JupyterHub.last_activity_interval = 1
"""
#: Seconds from a server's end until it is stopped: two passes, and a busy machine.
SLACK = 20


def is_up(hub: HubProcess, user: str, server: str = "") -> bool:
    """Tell whether the hub has the server as ready."""
    return bool(hub.model(user, server).get("ready"))


def gone(hub: HubProcess, user: str, server: str = "", *, seconds: float = SLACK) -> None:
    """Wait until the hub has the server as stopped."""
    wait_for(lambda: hub.model(user, server).get("stopped"), f"{user}/{server} stopped", seconds=seconds)


def ours(hub: HubProcess, method: str, path: str, *, token: str = "", **kwargs: Any) -> requests.Response:
    """Call our API, as the operator unless another *token* is given."""
    headers = {"Authorization": f"token {token or hub.token}"}
    url = f"{hub.url}/hub/versatilehub/api/{path}"
    return requests.request(method, url, headers=headers, timeout=60, **kwargs)


def token_of(hub: HubProcess, user: str) -> str:
    """Return a token of that person."""
    return str(hub.api("POST", f"users/{user}/tokens", json={}).json()["token"])


def report(hub: HubProcess, user: str, server: str = "", *, at: datetime | None = None) -> None:
    """Report use, as a server does."""
    stamp = (at or datetime.now(UTC)).isoformat()
    answer = hub.api("POST", f"users/{user}/activity", json={"servers": {server: {"last_activity": stamp}}})
    assert answer.ok, answer.text


def happened(hub: HubProcess, user: str) -> list[Event]:
    """Return the person's events in the ledger."""
    store = Store(f"sqlite:///{hub.state / 'versatilehub.sqlite'}")
    try:
        return store.run_now(lambda session: rows.read(session, owner=user))
    finally:
        store.close()
