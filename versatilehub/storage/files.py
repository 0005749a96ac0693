"""What is inside a volume: taken out as a tar, put back, looked at, given an owner.

Only a helper container ever sees the files: no network, no rights but those over files, a root that cannot be written, and
the one volume. So a hostile archive can reach nothing but that volume. Both directions stream, and holes stay holes.
"""

from __future__ import annotations

import asyncio
import uuid
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from versatilehub.errors import InvalidInput, StorageFailure

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Mapping, Sequence

    from versatilehub.engine import Engine

#: Role of these helpers, in the label `versatilehub.role`.
ROLE: Final = "volume-files"
#: Seconds a look at a volume, or a new owner for its root, may take.
LIMIT: Final = 60.0
_PLACE: Final = "/volume"
_TAR: Final = ("--sparse", "--numeric-owner", "--xattrs", "--acls", "-C", _PLACE)
_OWN: Final = "lost+found"
"""A folder of the file system itself, where a volume has one of its own."""
_CHANGED: Final = 1
"""GNU tar: a file was changed while it was read; everything else is in the archive."""


class VolumeFiles:
    """Access to the files of volumes, through helper containers of *image*."""

    def __init__(self, engine: Engine, *, image: str) -> None:
        self._engine = engine
        self._image = image

    async def own(self, volume: str, *, uid: int, gid: int, mode: int = 0o2775) -> None:
        """Make the root of *volume* belong to *uid* and *gid*; what is in it stays as it is."""
        arguments = ["-d", "-m", f"{mode:o}", "-o", str(uid), "-g", str(gid), _PLACE]
        await self._answer(volume, ["install", *arguments], read_only=False)

    async def have_folders(self, volume: str, paths: Sequence[str], *, uid: int, gid: int) -> None:
        """Make the folders *paths*, relative to the root, and those that lead there, for *uid* and *gid*; what is there stays."""
        steps = {
            "/".join(path.split("/")[: count + 1]) for path in paths for count in range(path.count("/") + 1)
        }
        script = 'for one; do [ -e "$one" ] || install -d -m 0755 -o "$OWNER" -g "$GROUP" -- "$one"; done'
        script = script.replace("$OWNER", str(uid)).replace("$GROUP", str(gid))  # numbers
        places = [f"{_PLACE}/{step}" for step in sorted(steps)]
        await self._answer(volume, ["sh", "-c", script, "sh", *places], read_only=False)

    async def is_empty(self, volume: str) -> bool:
        """Tell whether nothing is in it but what a file system makes itself."""
        look = ["find", _PLACE, "-mindepth", "1", "-not", "-path", f"{_PLACE}/{_OWN}", "-print", "-quit"]
        return not await self._answer(volume, look, read_only=True)

    async def backup(self, volume: str) -> AsyncGenerator[bytes]:
        """Yield a tar of *volume* with owners, modes and extended attributes; `StorageFailure` when it is not whole."""
        command = ["tar", *_TAR, f"--exclude=./{_OWN}", "-cf", "-", "."]
        async with self._helper(volume, command, read_only=True) as (helper, pipe):
            async with aclosing(pipe.read()) as pieces:
                async for piece in pieces:
                    yield piece
            code = await self._engine.containers.wait(helper, limit=LIMIT)
            if code not in {0, _CHANGED}:
                raise StorageFailure(
                    f"The volume {volume} could not be read whole: {_words(pipe.errors)}.",
                    hint="The archive is incomplete: take another.",
                    code="backup_failed",
                )

    async def restore(self, volume: str, archive: AsyncIterable[bytes]) -> None:
        """Put the files of a tar into *volume*, owners kept; `InvalidInput` code ``bad_archive`` for one that is none or not whole.

        Members that lead out of the volume, and devices, are not taken: the archive as a whole is then refused.
        """
        async with self._helper(volume, ["tar", *_TAR, "-xpf", "-"], read_only=False) as (helper, pipe):
            feeding = asyncio.create_task(_feed(pipe, archive))
            try:
                async with aclosing(pipe.read()) as pieces:
                    async for _ in pieces:
                        pass
                code = await self._engine.containers.wait(helper, limit=LIMIT)
            finally:
                feeding.cancel()
                outcome = (await asyncio.gather(feeding, return_exceptions=True))[0]
            if code:
                raise InvalidInput(
                    f"The archive cannot be put into a volume: {_words(pipe.errors)}.",
                    hint="It must be a whole tar file, as `backup` makes it, and fit the volume.",
                    code="bad_archive",
                )
            if isinstance(outcome, Exception) and not isinstance(outcome, StorageFailure):
                raise outcome

    async def _answer(self, volume: str, command: Sequence[str], *, read_only: bool) -> bytes:
        """Run a short command; return what it wrote."""
        async with (
            asyncio.timeout(LIMIT),
            self._helper(volume, command, read_only=read_only) as (helper, pipe),
            aclosing(pipe.read()) as pieces,
        ):
            written = b"".join([piece async for piece in pieces])
            if await self._engine.containers.wait(helper, limit=LIMIT):
                raise StorageFailure(
                    f"The volume {volume} could not be looked at: {_words(pipe.errors)}.",
                    code="volume_unreadable",
                )
        return written

    @asynccontextmanager
    async def _helper(
        self, volume: str, command: Sequence[str], *, read_only: bool
    ) -> AsyncIterator[tuple[str, Any]]:
        name = f"vh-files-{uuid.uuid4().hex[:20]}"
        try:
            await self._engine.containers.create(name, self._spec(volume, command, read_only=read_only))
            async with self._engine.pipes.open(name) as pipe:
                await self._engine.containers.start(name)
                yield name, pipe
        finally:
            await asyncio.shield(asyncio.ensure_future(self._engine.containers.remove(name)))

    def _spec(self, volume: str, command: Sequence[str], *, read_only: bool) -> Mapping[str, Any]:
        mount = {
            "Type": "volume",
            "Source": volume,
            "Target": _PLACE,
            "ReadOnly": read_only,
            "VolumeOptions": {"NoCopy": True},
        }
        return {
            "Image": self._image,
            "Entrypoint": [command[0]],
            "Cmd": list(command[1:]),
            "User": "0:0",
            "WorkingDir": "/",
            "Env": ["LC_ALL=C"],
            "Labels": self._engine.labels("helper", extra={"versatilehub.role": ROLE}),
            "Healthcheck": {"Test": ["NONE"]},
            "NetworkDisabled": True,
            "OpenStdin": True,
            "StdinOnce": True,
            "AttachStdin": True,
            "AttachStdout": True,
            "AttachStderr": True,
            "HostConfig": {**_HOST, "Mounts": [mount]},
        }


async def _feed(pipe: Any, archive: AsyncIterable[bytes]) -> None:
    async for piece in archive:
        await pipe.write(piece)
    pipe.end()


def _words(errors: bytes) -> str:
    lines = [line.strip() for line in errors.decode(errors="replace").splitlines() if line.strip()]
    return "; ".join(lines[:2]).rstrip(".") or "it ended early"


_HOST: Final[Mapping[str, Any]] = {
    "NetworkMode": "none",
    "CapDrop": ["ALL"],
    "CapAdd": ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID"],
    "SecurityOpt": ["no-new-privileges:true"],
    "ReadonlyRootfs": True,
    "Memory": 512 << 20,
    "MemorySwap": 512 << 20,
    "PidsLimit": 16,
    "LogConfig": {"Type": "none"},
}
