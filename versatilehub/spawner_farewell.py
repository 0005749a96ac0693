"""How a server ends: one with nothing in it is not waited for.

Measured: an idle Jupyter server closes its port 0.02 s after SIGTERM, has run all its own cleaning up 0.01 s later, and then takes
0.7 s to take Python apart. Waiting for that gives nobody anything. A server with a kernel, a terminal or a connection
(a shared document, say) gets the whole `stop_grace`.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp

from versatilehub.spawner_container import ContainerMixin
from versatilehub.spawner_engine import UNKNOWN

#: Docker's init and the server: anything more is a kernel, a terminal or a program somebody started.
IDLE_PROCESSES = 2
#: Seconds an idle server has for the cleaning up that follows the closing of its port.
LAST_WORDS = 0.1
#: Seconds until a question to the server, or the closing of its port, is given up.
PATIENCE = 1.0
#: An honest answer has 120.
ANSWER_BYTES = 4096
OK = 200


async def _beginning(content: aiohttp.StreamReader) -> bytes:
    """Return at most `ANSWER_BYTES` and one."""
    try:
        return await content.readexactly(ANSWER_BYTES + 1)
    except asyncio.IncompleteReadError as whole:
        return whole.partial


def short_json(text: bytes) -> object:
    """Return what *text* says as JSON; None when it is too long, too deep or no JSON."""
    if len(text) > ANSWER_BYTES:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


class FarewellMixin(ContainerMixin):
    """Ends an idle server without waiting for its interpreter."""

    async def stop_object(self) -> None:
        """End the server; the container of an idle one is left to be removed by force once its port is closed."""
        if self.remove and await self._idle() and await self._let_go():
            return
        await super().stop_object()

    async def _idle(self) -> bool:
        """Tell whether the server itself says that nothing is open in it, and nothing else runs in its container."""
        if not self.api_token or not self.server:
            return False
        try:
            status = await self._status()
            top: dict[str, Any] = await self.docker("top", self.object_id)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, *UNKNOWN):
            return False
        nothing_open = status.get("kernels") == 0 and status.get("connections") == 0
        return nothing_open and len(top.get("Processes") or ()) <= IDLE_PROCESSES

    async def _status(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            headers = {"Authorization": f"token {self.api_token}"}
            # The server is its owner's, who may have put anything in its place: its answer leads nowhere and is short.
            async with self.runtime.http.get(
                f"{self.server.url}api/status", headers=headers, allow_redirects=False
            ) as answer:
                status = short_json(await _beginning(answer.content)) if answer.status == OK else None
        return status if isinstance(status, dict) else {}

    async def _let_go(self) -> bool:
        """Send SIGTERM and wait until the server no longer listens; False when it goes on listening."""
        await self.docker("kill", self.object_id, signal="SIGTERM")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE
        while loop.time() < deadline:
            try:
                async with asyncio.timeout(
                    0.2
                ):  # the address of a container that is gone does not even refuse
                    _, writer = await asyncio.open_connection(self.server.ip, self.server.port)
            except (OSError, TimeoutError):
                await asyncio.sleep(LAST_WORDS)
                return True
            writer.close()
            await asyncio.sleep(0.02)
        return False
