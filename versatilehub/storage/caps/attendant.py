"""The one helper container of a hub that may work on disks: started with the first order, warm from then on.

It has one capability (SYS_ADMIN), no network, and of the machine's devices only the loop devices; never ``privileged``. It ends when
the hub hangs up, however the hub ended. Orders are answered by `versatilehub_builder.disks`, in any order; each may be repeated.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import uuid
from typing import TYPE_CHECKING, Any, Final

from versatilehub.errors import EngineFailure, EngineUnavailable, StorageFailure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from versatilehub.engine import Engine
    from versatilehub.engine.pipe import Pipe

_LIMIT: Final = 60.0
"""Seconds an order may take: a full check of a large file system, on a busy disk."""
_TRIES: Final = 2


class Attendant:
    """Sends orders; *store* is the folder on the engine's machine that is the helper's ``/store``."""

    def __init__(self, engine: Engine, *, image: str, store: str) -> None:
        self._engine = engine
        self._image = image
        self.store = store
        self._pipe: Pipe | None = None
        self._reader: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._ids = itertools.count(1)

    async def ask(self, order: str, *, seconds: float = _LIMIT, **values: object) -> Any:
        """Return the answer to one order; `StorageFailure` with the helper's own words, `EngineFailure` without an answer."""
        for left in reversed(range(_TRIES)):
            try:
                async with asyncio.timeout(seconds):
                    return await self._ask({"do": order, **values})
            except _HungUp as error:  # an engine that was restarted; a new helper does the same again
                if not left:
                    raise EngineUnavailable(
                        "The storage helper ended without an answer.", hint="Try again in a minute."
                    ) from error
            except TimeoutError as error:
                raise EngineUnavailable(
                    f"The storage helper did not answer within {seconds:g} s ({order}).",
                    hint="Try again; an administrator can look at the engine.",
                ) from error
        raise AssertionError

    async def close(self) -> None:
        """Hang up; the helper finishes what it does and goes."""
        async with self._opening:
            pipe, self._pipe = self._pipe, None
            reader, self._reader = self._reader, None
        if pipe is not None:
            await pipe.close()
        if reader is not None:
            reader.cancel()
            await asyncio.wait([reader])

    async def _ask(self, order: Mapping[str, object]) -> Any:
        pipe = await self._opened()
        number = next(self._ids)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            try:
                await pipe.send(json.dumps({"id": number, **order}).encode() + b"\n")
            except (EngineFailure, RuntimeError, AssertionError) as error:  # aiodocker's ways to say "closed"
                await self._lost(pipe)
                raise _HungUp from error
            return await answer
        finally:
            self._waiting.pop(number, None)

    async def _opened(self) -> Pipe:
        async with self._opening:
            if self._pipe is None:
                self._pipe = await self._open()
                self._reader = asyncio.create_task(self._read(self._pipe))
            return self._pipe

    async def _open(self) -> Pipe:
        name = f"vh-disks-{uuid.uuid4().hex[:20]}"
        container = await self._engine.containers.create(name, self._spec())
        try:
            pipe = await self._engine.containers.attach(container)
            await self._engine.containers.start(container)
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(self._engine.containers.remove(container)))
            raise
        return pipe

    async def _read(self, pipe: Pipe) -> None:
        rest = b""
        with contextlib.suppress(EngineFailure):
            while piece := await pipe.receive():
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    self._answer(json.loads(line))
        await self._lost(pipe)

    def _answer(self, answer: Mapping[str, Any]) -> None:
        waiting = self._waiting.get(answer["id"])
        if waiting is None or waiting.done():
            return
        if (error := answer.get("error")) is None:
            waiting.set_result(answer["result"])
        else:
            waiting.set_exception(StorageFailure(error["message"], hint=error["hint"], code=error["code"]))

    async def _lost(self, pipe: Pipe) -> None:
        """Let everyone who waits try again with another helper."""
        if self._pipe is not pipe:
            return
        self._pipe = None
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(_HungUp())
        await pipe.close()

    def _spec(self) -> Mapping[str, Any]:
        return {
            "Image": self._image,
            "Entrypoint": ["python", "-m", "versatilehub_builder.disks"],
            "Cmd": [],
            "User": "0:0",
            "WorkingDir": "/tmp",  # noqa: S108  # the container's own tmpfs
            "Env": ["HOME=/tmp"],
            "Labels": self._engine.labels("helper", extra={"versatilehub.role": "disks"}),
            "Healthcheck": {"Test": ["NONE"]},
            "NetworkDisabled": True,
            "OpenStdin": True,
            "StdinOnce": True,
            "AttachStdin": True,
            "AttachStdout": True,
            "AttachStderr": True,
            "HostConfig": {**_HOST, "Binds": ["/dev:/dev", f"{self.store}:/store"]},
        }


class _HungUp(Exception):
    """The helper is gone."""


_HOST: Final[Mapping[str, Any]] = {
    "NetworkMode": "none",
    "AutoRemove": True,
    "CapDrop": ["ALL"],
    "CapAdd": ["SYS_ADMIN"],
    # 7: loop devices; 10:237: loop-control, which makes more of them.
    "DeviceCgroupRules": ["b 7:* rmw", "c 10:237 rmw"],
    "SecurityOpt": ["no-new-privileges:true"],
    "ReadonlyRootfs": True,
    "Tmpfs": {"/tmp": "rw,nosuid,nodev,size=16m,mode=1777"},  # noqa: S108  # in the container
    "Memory": 512 << 20,
    "MemorySwap": 512 << 20,
    "PidsLimit": 64,
    "LogConfig": {"Type": "none"},
}
