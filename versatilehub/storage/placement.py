"""Repository content from an image into `~/<repo>` on the home volume, without overwriting what a person changed.

A helper container of the builder image compares and copies; nothing of the repository's image ever runs here.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from versatilehub.builds.events import LineReader
from versatilehub.errors import EngineFailure

from .content import Contents

if TYPE_CHECKING:
    from collections.abc import Mapping

    from versatilehub.builds.probe import Environment
    from versatilehub.engine import Engine

_TRIES: Final = 3
_LIMIT: Final = 120.0
"""Seconds a placement may take (a large repository on a slow disk)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """What a placement did: paths relative to the folder, the number of files in the content, and the note's path."""

    brought: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    count: int = 0
    note: str = ""


class Placement:
    """Places content; one object a hub, so that each image's content volume is filled once."""

    def __init__(self, engine: Engine, *, builder: str) -> None:
        self._engine = engine
        self._builder = builder
        self._contents = Contents(engine)
        self._leavings: set[asyncio.Task[None]] = set()

    async def place(self, environment: Environment, volume: str, *, name: str) -> Placed:
        """Bring the content of *environment* into the folder *name* of a home volume.

        The volume's own first content (the image's home) is Docker's to copy when the server's container is created,
        so create that first. Nothing happens for an image without content. Raises `EngineFailure`.
        """
        if not environment.repo_dir:
            return Placed()
        helper = f"vh-place-{uuid.uuid4().hex[:20]}"
        begun = asyncio.create_task(self._begin(helper, environment, volume, name))
        try:
            await asyncio.shield(begun)
            placed = await self._result(helper)
        except BaseException:  # whoever tries again must find nobody at work in the home
            await asyncio.shield(asyncio.ensure_future(self._end(helper, begun)))
            raise
        self._leavings.add(removal := asyncio.create_task(self._end(helper, begun)))
        removal.add_done_callback(self._leavings.discard)
        return placed

    async def close(self) -> None:
        """Wait until the containers of past placements are gone."""
        await asyncio.gather(*self._leavings, return_exceptions=True)
        await self._contents.close()

    async def forget(self, environment: Environment) -> None:
        """Remove the content of an image that goes; `EngineConflict` while a placement uses it."""
        await self._contents.remove(environment.image_id)

    async def _begin(self, helper: str, environment: Environment, volume: str, name: str) -> None:
        """Create and start the helper, sure that what it holds is the content and all of it."""
        for _ in range(_TRIES):
            content = await self._contents.of(environment)
            await self._engine.containers.create(helper, self._spec(environment, content, volume, name))
            if await self._contents.is_whole(environment.image_id, content):
                return await self._engine.containers.start(helper)
            await self._engine.containers.remove(helper)
        raise EngineFailure(
            "The repository's content disappears as often as it is made.",
            hint="An administrator can look whether something removes Docker volumes.",
        )

    async def _end(self, helper: str, begun: asyncio.Task[None]) -> None:
        """Remove the helper; a call that makes it is waited for, as Docker carries out also one that is cut off."""
        await asyncio.wait([begun])
        await self._engine.containers.remove(helper)

    def _spec(self, environment: Environment, content: str, volume: str, name: str) -> Mapping[str, Any]:
        uid, _, gid = environment.user.partition(":")
        job = {"name": name, "commit": environment.commit, "uid": int(uid), "gid": int(gid or 0)}
        return {
            "Image": self._builder,
            "Entrypoint": ["python", "-m", "versatilehub_builder.place"],
            "Cmd": [],
            "User": "0:0",
            "WorkingDir": "/tmp",  # noqa: S108  # the container's own tmpfs
            "Env": ["HOME=/tmp", f"VERSATILEHUB_JOB={json.dumps(job)}"],
            "Labels": self._engine.labels("helper", extra={"versatilehub.role": "place"}),
            "Healthcheck": {"Test": ["NONE"]},
            "NetworkDisabled": True,
            "HostConfig": {
                **_HOST,
                "Mounts": [
                    {"Type": "volume", "Source": content, "Target": "/content", "ReadOnly": True},
                    # The image's home is copied into the empty volume by the server's container, not by this one.
                    {
                        "Type": "volume",
                        "Source": volume,
                        "Target": "/volume",
                        "VolumeOptions": {"NoCopy": True},
                    },
                ],
            },
        }

    async def _result(self, helper: str) -> Placed:
        reader = LineReader()
        message, hint = "The helper ended without an answer.", "Start the server again."
        try:
            async with asyncio.timeout(_LIMIT), aclosing(self._engine.containers.logs(helper)) as batches:
                async for batch in batches:
                    for line in (read for text in batch for read in reader.read(text)):
                        if line.kind == "result":
                            return _placed(line.result)
                        if line.kind == "error":
                            message, hint = line.message or message, line.hint or hint
        except TimeoutError:
            message = f"It took longer than {_LIMIT:g} s."
        raise EngineFailure(f"The repository's files could not be placed. {message}", hint=hint)


def _placed(result: Mapping[str, Any]) -> Placed:
    paths = {key: tuple(str(path) for path in result.get(key, ())) for key in ("brought", "kept")}
    return Placed(**paths, count=int(result.get("count", 0)), note=str(result.get("note", "")))


_HOST: Final[Mapping[str, Any]] = {
    "NetworkMode": "none",
    "CapDrop": ["ALL"],
    "CapAdd": ["CHOWN", "DAC_OVERRIDE", "FOWNER"],
    "SecurityOpt": ["no-new-privileges:true"],
    "ReadonlyRootfs": True,
    "Tmpfs": {"/tmp": "rw,nosuid,nodev,size=64m,mode=1777"},  # noqa: S108  # in the container
    "Memory": 512 << 20,
    "MemorySwap": 512 << 20,
    "PidsLimit": 64,
    "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "1"}},
}
