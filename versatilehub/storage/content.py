"""The pristine content of an image in a volume of its own, filled once and never trusted half-filled.

Docker copies it there while it creates a container, so it works for an image without a shell, keeps owners, and runs
nothing. What has a mark is complete: the mark, an empty volume, is made after the copy and removed before the content.
"""

from __future__ import annotations

import asyncio
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from versatilehub.errors import EngineConflict

if TYPE_CHECKING:
    from versatilehub.builds.probe import Environment
    from versatilehub.engine import Engine

KIND: Final = "content"
_IMAGE: Final = "versatilehub.image"
_CONTENT: Final = "versatilehub.content"
"""On a mark: the name of the volume it speaks of."""
_DIGITS: Final = 24


class Contents:
    """The content volumes of one hub; other hubs on the engine have their own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[str, str] = {}
        self._filling: dict[str, asyncio.Task[str]] = {}
        self._leavings: set[asyncio.Task[None]] = set()

    async def of(self, environment: Environment) -> str:
        """Return the volume with the content of an image, filled when it is first asked for; `is_whole` must follow."""
        image = environment.image_id
        if image in self._known:
            return self._known[image]
        if image not in self._filling:
            self._filling[image] = asyncio.create_task(self._find_or_fill(environment))
            self._filling[image].add_done_callback(lambda _: self._filling.pop(image))
        # One copy for all who ask. A start that is cancelled does not cut it off: Docker would go on by itself.
        return await asyncio.shield(self._filling[image])

    async def is_whole(self, image: str, name: str) -> bool:
        """Tell whether *name* is the complete content of *image*; to be asked once a container holds the volume.

        Docker makes a volume that is not there, empty, when a container is to have it: only what was made by us, and
        has its mark while it cannot be taken away any more, is the content. Of anything else the next `of` knows nothing.
        """
        whole = name == await self._marked(image)
        if not whole:
            self._known.pop(image, None)
        return whole

    async def remove(self, image: str) -> None:
        """Remove the content of an image; `EngineConflict` while a container has it, and the mark is gone then, too."""
        self._known.pop(image, None)
        mark = mark_name(self._engine.hub, image)
        labels = {"versatilehub.hub": self._engine.hub, "versatilehub.kind": KIND, _IMAGE: image}
        found = await self._engine.volumes.list(labels)
        names = {one.name for one in found} | {
            one.labels[_CONTENT] for one in found if _CONTENT in one.labels
        }
        for name in (mark, *sorted(names - {mark})):
            await self._engine.volumes.remove(name)

    async def images(self) -> frozenset[str]:
        """Return the ids of the images that have content volumes."""
        labels = {"versatilehub.hub": self._engine.hub, "versatilehub.kind": KIND}
        return frozenset(one.labels.get(_IMAGE, "") for one in await self._engine.volumes.list(labels))

    async def close(self) -> None:
        """Wait for volumes that are being filled, and until the containers that filled them are gone."""
        await asyncio.gather(*self._filling.values(), return_exceptions=True)
        await asyncio.gather(*self._leavings, return_exceptions=True)

    async def _marked(self, image: str) -> str:
        """Return the volume of ours that the image's mark speaks of, "" when either is missing."""
        mark = await self._engine.volumes.find(mark_name(self._engine.hub, image))
        if mark is None or mark.labels.get(_IMAGE) != image:
            return ""
        volume = await self._engine.volumes.find(mark.labels.get(_CONTENT) or "none")
        return volume.name if volume is not None and volume.labels.get(_IMAGE) == image else ""

    async def _find_or_fill(self, environment: Environment) -> str:
        image = environment.image_id
        name = await self._marked(image)
        if not name:
            with suppress(EngineConflict):  # a half that is still being written is of another name
                await self.remove(image)
            name = await self._fill(environment)
        self._known[image] = name
        return name

    async def _fill(self, environment: Environment) -> str:
        image = environment.image_id
        mark = mark_name(self._engine.hub, image)
        name = f"{mark}-{uuid.uuid4().hex[:8]}"
        labels = self._engine.labels(KIND, extra={_IMAGE: image})
        mount = {
            "Type": "volume",
            "Source": name,
            "Target": environment.repo_dir,
            "VolumeOptions": {"Labels": labels},
        }
        seed = await self._engine.containers.create(
            f"vh-seed-{uuid.uuid4().hex[:20]}",
            {
                "Image": image,
                "Entrypoint": ["/never-started"],
                "Labels": self._engine.labels("helper", extra={"versatilehub.role": "seed"}),
                "HostConfig": {"NetworkMode": "none", "Mounts": [mount]},
            },
        )
        await self._engine.volumes.create(mark, {**labels, _CONTENT: name})
        self._leavings.add(removal := asyncio.create_task(self._engine.containers.remove(seed)))
        removal.add_done_callback(self._leavings.discard)
        return name


def mark_name(hub: str, image: str) -> str:
    """Return the name of the mark of an image's content; a content volume's name begins with it."""
    return f"vh-content-{hub}-{image.removeprefix('sha256:')[:_DIGITS]}"
