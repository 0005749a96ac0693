"""The culler: jupyterhub-idle-culler as it is, with our answer in its `cull_arbiter_hook`.

A process of its own (``python -m versatilehub.culler``), started by the hub as a managed service with four scopes and no
more. It decides nothing: once a pass it asks the hub what stops, and again about each server right before it does.
Whatever goes wrong on the way, nothing is stopped.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any
from urllib.parse import quote

import aiohttp
from jupyterhub_idle_culler import IdleCuller

from versatilehub.hub_child import end_with_the_hub

log = logging.getLogger(__name__)

#: What the service may do (T15): no `admin:` scope, so it sees no server's state; the hub decides by that itself.
SCOPES = ("list:users", "read:users:activity", "read:servers", "delete:servers")
SERVICE = "versatilehub-culler"
#: Seconds an answer of the hub is waited for; listing thousands of servers takes some.
PATIENCE = 60
OK = 200


class HubAnswer(Exception):
    """The hub did not answer as it should."""


class Arbiter:
    """Answers idle-culler's question for each server by what the hub says."""

    def __init__(self, api_url: str, token: str) -> None:
        """Take the URL of the hub's REST API (…/hub/api) and the service's token."""
        self._url = api_url.rstrip("/").removesuffix("/api") + "/versatilehub/api"
        self._headers = {"Authorization": f"token {token}"}
        self._asking = asyncio.Lock()
        self._plan: frozenset[str] | None = None
        self._asked: set[str] = set()

    async def __call__(self, *, inactive: Any, inactive_limit: int, server: dict[str, Any]) -> bool:
        """Tell whether *server* stops now. idle-culler's own figures are not looked at: the hub knows each server's limits."""
        try:
            return await self._stops(str(server["full_name"]))
        except (HubAnswer, aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
            log.warning("Not stopped, because the hub's answer is missing: %r", error)
            return False

    async def _stops(self, name: str) -> bool:
        async with self._asking:
            # idle-culler asks about each server once in a pass: a name that comes again begins the next one
            if self._plan is None or name in self._asked:
                self._plan, self._asked = await self._new_plan(), set()
            self._asked.add(name)
        if name not in self._plan:
            return False
        owner, _, server = name.partition("/")
        answer = await self.ask("POST", f"culling/{quote(owner, safe='')}/{quote(server, safe='')}")
        return answer.get("stop") is True

    async def _new_plan(self) -> frozenset[str]:
        plan = await self.ask("GET", "culling")
        if plan.get("skip"):
            log.warning("This pass is left out: %s", plan["skip"])
            return frozenset()
        if plan.get("held"):
            log.warning(
                "%d of %d running servers are due; %d stop now, the others in the next passes (cull_share)",
                len(plan["stop"]) + plan["held"],
                plan["running"],
                len(plan["stop"]),
            )
        return frozenset(plan["stop"])

    async def ask(self, method: str, path: str) -> dict[str, Any]:
        """Return the JSON object our API answers with; raises `HubAnswer` for any other answer."""
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        async with (
            aiohttp.ClientSession(headers=self._headers, timeout=timeout) as client,
            client.request(method, f"{self._url}/{path}") as answer,
        ):
            if answer.status != OK:
                raise HubAnswer(f"{answer.status} for {path}")
            body = await answer.json()
        if not isinstance(body, dict):
            raise HubAnswer(f"no object for {path}")
        return body


def arbiter_from_environment() -> Arbiter:
    """Return the arbiter of the service whose environment this is: JupyterHub hands URL and token to its services."""
    return Arbiter(os.environ["JUPYTERHUB_API_URL"], os.environ["JUPYTERHUB_API_TOKEN"])


async def seconds_between_passes(arbiter: Arbiter) -> int:
    """Ask the hub how often to look, for as long as it takes until it answers."""
    while True:
        try:
            return max(1, int((await arbiter.ask("GET", "culling"))["every"]))
        except (HubAnswer, aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
            log.warning("Waiting for the hub: %r", error)
            await asyncio.sleep(5)


def main() -> None:
    """Run until ended, at most as long as the hub that started it."""
    end_with_the_hub()
    every = asyncio.run(seconds_between_passes(arbiter_from_environment()))
    IdleCuller.launch_instance(
        argv=[],
        config_file="",  # else any idle_culler_config.py of the working folder would be run
        cull_arbiter_hook=arbiter_from_environment(),  # a lock belongs to the loop it is first used in
        cull_every=every,
        api_page_size=200,
    )


if __name__ == "__main__":
    main()
