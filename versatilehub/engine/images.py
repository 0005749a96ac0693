"""Images of the engine: what there is, from which layers, under which names. Registries are asked in `registries`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from versatilehub.errors import EngineNotFound

from .transport import LONG, NORMAL, QUICK, Transport, label_filter

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image: *id* with its "sha256:", *config* as Docker gives it (Env, User, Volumes, Entrypoint …).

    *size* in bytes; *digests* are ``repository@sha256:…`` of registries it is known from; *layers* the digests of its
    file systems, the base's first; *parent* the image it was committed on, "" mostly; *created* as Docker has it.
    """

    id: str
    tags: tuple[str, ...]
    labels: Mapping[str, str]
    size: int
    config: Mapping[str, Any] = field(default_factory=dict)
    digests: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    parent: str = ""
    created: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of an image's history, the oldest first: *size* in bytes, 0 for what added no files."""

    created: int
    command: str
    size: int


class Images:
    """Images of the engine; nothing is ever pulled here."""

    def __init__(self, docker: Transport) -> None:
        self._docker = docker

    async def inspect(self, name: str) -> Image:
        """Return the image of a name or id; `EngineNotFound` when there is none."""
        raw = await self._docker.json("GET", f"images/{name}/json", limit=QUICK)
        config = raw.get("Config") or {}
        return Image(
            id=raw["Id"],
            tags=tuple(raw.get("RepoTags") or ()),
            labels=config.get("Labels") or {},
            size=raw["Size"],
            config=config,
            digests=tuple(raw.get("RepoDigests") or ()),
            layers=tuple((raw.get("RootFS") or {}).get("Layers") or ()),
            parent=raw.get("Parent") or "",
            created=raw.get("Created") or "",
        )

    async def find(self, name: str) -> Image | None:
        """Return the image, or None when there is none."""
        try:
            return await self.inspect(name)
        except EngineNotFound:
            return None

    async def list(self, labels: Mapping[str, str], *, name: str = "") -> list[Image]:
        """Return every image that carries all of *labels*, of the repository *name* if given (no config, no layers)."""
        params = label_filter(labels, **({"reference": [name]} if name else {}))
        rows = await self._docker.json("GET", "images/json", limit=NORMAL, params=params)
        return [
            Image(
                id=row["Id"],
                tags=_real(row["RepoTags"]),
                labels=row["Labels"] or {},
                size=row["Size"],
                digests=_real(row["RepoDigests"]),
                parent=row.get("ParentId") or "",
            )
            for row in rows
        ]

    async def history(self, image: str) -> tuple[Step, ...]:
        """Return what an image was made by, the oldest step first."""
        rows = await self._docker.json("GET", f"images/{image}/history", limit=NORMAL)
        return tuple(
            Step(created=row["Created"], command=row["CreatedBy"], size=row["Size"]) for row in reversed(rows)
        )

    async def tag(self, image: str, repository: str, tag: str) -> None:
        """Give *image* the name repository:tag, taking it from whatever has it."""
        await self._docker.call(
            "POST", f"images/{image}/tag", limit=NORMAL, params={"repo": repository, "tag": tag}
        )

    async def remove(self, name: str, *, force: bool = False) -> bool:
        """Remove a name, and with its last name the image; one that is gone already is fine. Tell whether the image went."""
        try:
            rows = await self._docker.json(
                "DELETE", f"images/{name}", limit=LONG, params={"force": int(force)}
            )
        except EngineNotFound:
            return False
        return any("Deleted" in row for row in rows or ())


def _real(names: list[str] | None) -> tuple[str, ...]:
    """Leave out Docker's ``<none>:<none>``: it is no name."""
    return tuple(name for name in names or () if "<none>" not in name)
