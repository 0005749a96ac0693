"""Images of the engine. Nothing is ever pulled here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from versatilehub.errors import EngineNotFound

from .transport import LONG, NORMAL, QUICK, Transport, label_filter

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image: *id* with its "sha256:", *config* as Docker gives it (Env, User, Volumes, Entrypoint …)."""

    id: str
    tags: tuple[str, ...]
    labels: Mapping[str, str]
    size: int
    config: Mapping[str, Any] = field(default_factory=dict)


class Images:
    """Images of the engine; nothing is ever pulled here."""

    def __init__(self, docker: Transport) -> None:
        self._docker = docker

    async def inspect(self, name: str) -> Image:
        """Return the image of a name or id; `EngineNotFound` when there is none."""
        raw = await self._docker.json("GET", f"images/{name}/json", limit=QUICK)
        config = raw.get("Config") or {}
        tags, labels = tuple(raw.get("RepoTags") or ()), config.get("Labels") or {}
        return Image(id=raw["Id"], tags=tags, labels=labels, size=raw["Size"], config=config)

    async def find(self, name: str) -> Image | None:
        """Return the image, or None when there is none."""
        try:
            return await self.inspect(name)
        except EngineNotFound:
            return None

    async def list(self, labels: Mapping[str, str]) -> list[Image]:
        """Return every image that carries all of *labels* (without its config)."""
        rows = await self._docker.json("GET", "images/json", limit=NORMAL, params=label_filter(labels))
        return [
            Image(
                id=row["Id"], tags=tuple(row["RepoTags"] or ()), labels=row["Labels"] or {}, size=row["Size"]
            )
            for row in rows
        ]

    async def tag(self, image: str, repository: str, tag: str) -> None:
        """Give *image* the name repository:tag, taking it from whatever has it."""
        await self._docker.call(
            "POST", f"images/{image}/tag", limit=NORMAL, params={"repo": repository, "tag": tag}
        )

    async def remove(self, name: str, *, force: bool = False) -> None:
        """Remove a name, and with its last name the image; one that is gone already is fine."""
        try:
            await self._docker.call("DELETE", f"images/{name}", limit=LONG, params={"force": int(force)})
        except EngineNotFound:
            return
