"""How a call reaches Docker: over aiodocker (imported nowhere else), timed, with errors of our own types.

A connection error or a time-out is `EngineUnavailable` (what runs is unknown), absence is `EngineNotFound`,
a taken name or an object in use is `EngineConflict`, anything else `EngineFailure` with Docker's own words.
"""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import aiodocker
import aiohttp
from aiodocker.exceptions import DockerError

from versatilehub.errors import EngineConflict, EngineFailure, EngineNotFound, EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from aiodocker.stream import Stream

QUICK: Final = 5.0
"""Seconds for a question (inspect, list, ping)."""
NORMAL: Final = 30.0
"""Seconds for a change (start, tag, remove a container)."""
LONG: Final = 120.0
"""Seconds for what moves bytes (archives, removing an image, creating a container that fills a volume)."""


class Transport:
    """One connection pool to Docker, opened with the first call on the running loop.

    *url* is a `unix://` or `tcp://` address, "" for DOCKER_HOST or the usual socket.
    """

    def __init__(self, url: str = "") -> None:
        self.url = url or os.environ.get("DOCKER_HOST", "") or "unix:///var/run/docker.sock"
        self._client: aiodocker.Docker | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def close(self) -> None:
        """Close the connections; the next call opens them again."""
        client, self._client, self._loop = self._client, None, None
        if client is not None:
            await client.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        limit: float,
        params: Mapping[str, Any] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """Make one call and return the whole answer; *limit* is in seconds."""
        async with (
            translated(path, limit),
            self.stream(method, path, params=params, body=body, headers=headers) as response,
        ):
            return await response.read()

    async def json(
        self,
        method: str,
        path: str,
        *,
        limit: float,
        params: Mapping[str, Any] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Make one call and return the parsed answer, None when it is empty."""
        answer = await self.call(method, path, limit=limit, params=params, body=body, headers=headers)
        return json.loads(answer) if answer.strip() else None

    async def header(self, path: str, name: str, *, params: Mapping[str, Any], limit: float) -> str | None:
        """Return one header of the answer to HEAD, None when what is asked for is not there or not to be had."""
        try:
            async with translated(path, limit), self.stream("HEAD", path, params=params) as answer:
                return answer.headers.get(name)
        except (EngineNotFound, ValueError):
            return None  # ValueError: aiodocker wants to read why in a body, and HEAD has none

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Open one call without a time limit; the caller reads the answer and translates errors."""
        data = None if body is None else json.dumps(body).encode()
        # The public methods hide the time limit and read archives whole: its one request function serves us.
        async with self._connected()._query(  # noqa: SLF001
            path, method, params=dict(params or {}), data=data, headers=dict(headers or {})
        ) as answer:
            try:
                yield answer
            finally:
                answer.close()

    async def attach(self, container: str) -> Stream:
        """Open the standard streams of a container, which may not run yet."""
        stream = (
            self._connected().containers.container(container).attach(stdin=True, stdout=True, stderr=True)
        )
        return await stream.__aenter__()

    async def feed(self, container: str, content: bytes, *, limit: float) -> None:
        """Write *content* to the standard input of a container that was made with one, which stays open for more."""
        # aiodocker closes its own end only: the container's input ends there if it was made with StdinOnce.
        async with (
            translated("attach", limit),
            self._connected().containers.container(container).attach(stdin=True) as stream,
        ):
            await stream.write_in(content)

    def _connected(self) -> aiodocker.Docker:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            # A client belongs to the loop it was made on; one of a closed loop can only be dropped.
            self._client, self._loop = aiodocker.Docker(url=self.url), loop
        return self._client


@asynccontextmanager
async def translated(what: str, limit: float | None) -> AsyncIterator[None]:
    """Turn what a call may raise into our errors, and end it after *limit* seconds (None: never)."""
    try:
        async with asyncio.timeout(limit):
            yield
    except TimeoutError as error:
        message = (
            f"Docker did not answer within {limit:g} s ({what})."
            if limit
            else f"Docker did not answer ({what})."
        )
        raise EngineUnavailable(
            message, hint="Try again; an administrator can look at the engine."
        ) from error
    except DockerError as error:
        raise _typed(error) from error
    except (aiohttp.ClientError, OSError) as error:
        raise EngineUnavailable(
            f"Docker cannot be reached: {error}.", hint="An administrator can look at the engine."
        ) from error


def _typed(error: DockerError) -> EngineFailure:
    kinds: dict[int, type[EngineFailure]] = {404: EngineNotFound, 409: EngineConflict, 900: EngineUnavailable}
    return kinds.get(error.status, EngineFailure)(f"Docker: {error.message}")


def label_filter(labels: Mapping[str, str], **more: list[str]) -> dict[str, str]:
    """Return the query that keeps only objects carrying all of *labels*; *more* are further filters of Docker's."""
    return {"filters": json.dumps({"label": [f"{key}={value}" for key, value in labels.items()], **more})}
