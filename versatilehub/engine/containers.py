"""Containers of the engine: found by name, id or label, and their logs from the first line."""

from __future__ import annotations

import asyncio
import base64
import codecs
import json
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from versatilehub.errors import EngineConflict, EngineFailure, EngineNotFound

from .pipe import Pipe
from .transport import LONG, NORMAL, QUICK, Transport, label_filter, translated

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    import aiohttp

_STAT: Final = "X-Docker-Container-Path-Stat"
_GO_FOLDER: Final = 1 << 31
_GO_LINK: Final = 1 << 27
"""Docker tells Go's own mode bits, https://pkg.go.dev/io/fs#FileMode."""
_LINE_LIMIT: Final = 1 << 20
"""Bytes of one log line; what is longer is cut into lines of this length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container: *state* is Docker's word (created, running, exited, dead …), *raw* all of inspect."""

    id: str
    name: str
    image: str
    state: str
    labels: Mapping[str, str]
    exit_code: int = 0
    oom_killed: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathStat:
    """What a path in a container is; *target* is where a link leads in the end, "" for what is no link."""

    folder: bool
    executable: bool
    size: int
    target: str = ""


class Containers:
    """Containers, found by name, id or label."""

    def __init__(self, docker: Transport) -> None:
        self._docker = docker

    async def create(self, name: str, spec: Mapping[str, Any]) -> str:
        """Create one from Docker's own spec and return its id; `EngineConflict`: the name is taken."""
        answer = await self._docker.json(
            "POST", "containers/create", limit=LONG, params={"name": name}, body=dict(spec)
        )
        return str(answer["Id"])

    async def attach(self, container: str) -> Pipe:
        """Return its standard streams; attach before `start`, or what it says first is lost."""
        async with translated("attach", NORMAL):
            return Pipe(await self._docker.attach(container))

    async def start(self, container: str) -> None:
        """Start it; one that runs is fine."""
        await self._docker.call("POST", f"containers/{container}/start", limit=NORMAL)

    async def feed(self, container: str, content: bytes) -> None:
        """Write *content* to its standard input; neither inspect nor its log show it. One that has ended is fine."""
        try:
            await self._docker.feed(container, content, limit=NORMAL)
        except EngineConflict:
            return

    async def wait(self, container: str, *, limit: float | None = None) -> int:
        """Return the exit code once it has ended; *limit* in seconds, None for ever."""
        async with (
            translated("wait", limit),
            self._docker.stream("POST", f"containers/{container}/wait") as answer,
        ):
            return int(json.loads(await answer.read())["StatusCode"])

    async def kill(self, container: str, signal: str = "SIGKILL") -> None:
        """Send a signal; a container that is not running or is gone is fine."""
        try:
            await self._docker.call(
                "POST", f"containers/{container}/kill", limit=NORMAL, params={"signal": signal}
            )
        except (EngineNotFound, EngineConflict):
            return

    async def remove(self, container: str) -> None:
        """Kill and remove it with its anonymous volumes; one that is gone or going is fine."""
        try:
            await self._docker.call(
                "DELETE", f"containers/{container}", limit=NORMAL, params={"force": 1, "v": 1}
            )
        except EngineNotFound:
            return
        except EngineConflict as error:
            if "already in progress" not in error.message:
                raise

    async def inspect(self, container: str) -> Container:
        """Return what it is now; `EngineNotFound` when it is gone."""
        raw = await self._docker.json("GET", f"containers/{container}/json", limit=QUICK)
        state = raw["State"]
        return Container(
            id=raw["Id"],
            name=raw["Name"].lstrip("/"),
            image=raw["Image"],
            state=state["Status"],
            labels=raw["Config"]["Labels"] or {},
            exit_code=state["ExitCode"],
            oom_killed=state["OOMKilled"],
            raw=raw,
        )

    async def find(self, container: str) -> Container | None:
        """Return it, or None when it is gone."""
        try:
            return await self.inspect(container)
        except EngineNotFound:
            return None

    async def list(self, labels: Mapping[str, str]) -> list[Container]:
        """Return every container, running or not, that carries all of *labels* (without exit code)."""
        rows = await self._docker.json(
            "GET", "containers/json", limit=NORMAL, params={"all": 1, **label_filter(labels)}
        )
        return [_listed(row) for row in rows]

    async def using(self, volume: str) -> Sequence[Container]:
        """Return every container, running or not, that has the volume mounted."""
        params = {"all": 1, "filters": json.dumps({"volume": [volume]})}
        rows = await self._docker.json("GET", "containers/json", limit=NORMAL, params=params)
        return [_listed(row) for row in rows]

    async def logs(self, container: str) -> AsyncGenerator[tuple[str, ...]]:
        """Yield its standard output from the first line on, in batches of whole lines, until it ends.

        A container that has ended and still exists gives the same lines again; of one that is going, `EngineNotFound`.
        Standard error is not read.
        """
        try:
            async with aclosing(self._all_lines(container)) as batches:
                async for batch in batches:
                    yield batch
        except EngineConflict as error:
            raise EngineNotFound(error.message) from error

    async def _all_lines(self, container: str) -> AsyncGenerator[tuple[str, ...]]:
        count = 0
        # Docker may end what it follows before the last lines of a container that ends: they are read once more.
        for follow in (1, 0):
            params = {"stdout": 1, "stderr": 0, "follow": follow}
            known = count
            async with (
                translated("logs", None),
                self._docker.stream("GET", f"containers/{container}/logs", params=params) as answer,
                aclosing(_lines(answer.content, whole=follow == 1)) as batches,
            ):
                async for batch in batches:
                    new = batch[known:] if not follow else batch
                    known = max(0, known - len(batch))
                    count += len(batch)
                    if new:
                        yield new

    async def get_archive(self, container: str, path: str, *, most: int) -> bytes:
        """Return the tar of a path in a container, running or not; more than *most* bytes is a failure."""
        place = f"containers/{container}/archive"
        async with (
            translated(place, LONG),
            self._docker.stream("GET", place, params={"path": path}) as answer,
        ):
            content = bytearray()
            async for chunk in answer.content.iter_any():
                content += chunk
                if len(content) > most:
                    raise EngineFailure(f"{path} in the container is more than {most} bytes.")
            return bytes(content)

    async def stat(self, container: str, path: str) -> PathStat | None:
        """Return what *path* is in a container, running or not; None when it is not there."""
        place = f"containers/{container}/archive"
        told = await self._docker.header(place, _STAT, params={"path": path}, limit=NORMAL)
        if told is None:
            return None
        raw = json.loads(base64.b64decode(told))
        mode = int(raw["mode"])
        return PathStat(
            folder=bool(mode & _GO_FOLDER),
            executable=bool(mode & 0o111),
            size=int(raw["size"]),
            target=str(raw["linkTarget"]) if mode & _GO_LINK else "",
        )


def _listed(row: Mapping[str, Any]) -> Container:
    return Container(
        id=row["Id"],
        name=(row["Names"] or [row["Id"]])[0].lstrip("/"),
        image=row["ImageID"],
        state=row["State"],
        labels=row["Labels"] or {},
    )


async def _lines(content: aiohttp.StreamReader, *, whole: bool) -> AsyncGenerator[tuple[str, ...]]:
    """Undo Docker's framing (8 bytes before each piece), cut at newlines; a last line without one only if not *whole*."""
    decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
    rest = ""
    while True:
        try:
            header = await content.readexactly(8)
            piece = await content.readexactly(int.from_bytes(header[4:], "big"))
        except asyncio.IncompleteReadError:
            break
        *lines, rest = (rest + decode(piece)).split("\n")
        while len(rest) > _LINE_LIMIT:
            lines.append(rest[:_LINE_LIMIT])
            rest = rest[_LINE_LIMIT:]
        if lines:
            yield tuple(lines)
    if rest and not whole:
        yield (rest,)
