"""What is known about an image: where it came from, what it takes on disk, and who needs it. Pure."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from versatilehub.errors import ImageNotFound
from versatilehub.images.layers import Facts, Layer, built_on, chains, plainness, sized

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Need = Literal["running", "stopped", "server", "pin", "workspace", "image", "build"]

_SHORT: Final = 12
_ID: Final = re.compile(r"[0-9a-f]{6,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One reason why an image must stay: *what* kind, whose, and its name ("" for a person's default server)."""

    what: Need
    name: str = ""
    owner: str = ""

    def __str__(self) -> str:
        match self.what:
            case "image":
                return f"the image {self.name}, which is built on it"
            case "pin":
                return f"a pin{f' of {self.owner}' if self.owner else ''}{f' ({self.name})' if self.name else ''}"
            case "build":
                return "a build that runs"
            case "workspace":
                return f"{self.owner}'s workspace {self.name}" if self.owner else f"the workspace {self.name}"
            case _:
                state = {"running": " (running)", "stopped": " (stopped)", "server": " (not running)"}[
                    self.what
                ]
                if not self.owner:
                    return f"the container {self.name}{state}"
                return f"{self.owner}'s {f'server {self.name}' if self.name else 'default server'}{state}"

    def to_json(self) -> dict[str, str]:
        """Return it for a page or a script."""
        return {"what": self.what, "name": self.name, "owner": self.owner, "text": str(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """One image of this hub. Times are seconds since the epoch, 0 for never; sizes are bytes.

    *tags* are its local names, none for the leavings of a build; *unique* is what no other image of the engine shares;
    *identity* what makes a rebuild the same environment; *launchers* the people who started servers from it.
    """

    id: str
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    source: str = ""
    ref: str = ""
    commit: str = ""
    subdir: str = ""
    identity: str = ""
    pack: str = ""
    owner: str = ""
    visibility: Literal["public", "private"] = "public"
    size: int = 0
    unique: int = 0
    layers: tuple[Layer, ...] = ()
    built: float = 0.0
    launched: float = 0.0
    launches: int = 0
    launchers: frozenset[str] = frozenset()
    uses: tuple[Use, ...] = ()
    published: str = ""

    @property
    def name(self) -> str:
        """The name people see: the one of its commit, else any, else its short id."""
        return min(self.tags, key=plainness, default=self.short_id)

    @property
    def short_id(self) -> str:
        """The first digits of its id, as Docker shows them."""
        return self.id.removeprefix("sha256:")[:_SHORT]

    @property
    def shared(self) -> int:
        """Bytes other images of the engine have as well."""
        return self.size - self.unique

    @property
    def active(self) -> float:
        """When it was last of use: its last launch, else its build."""
        return max(self.built, self.launched)

    def to_json(self) -> dict[str, object]:
        """Return it for a page or a script."""
        plain = (
            "id", "source", "ref", "commit", "subdir", "identity", "pack", "owner", "visibility", "size", "unique",
            "shared", "built", "launched", "launches", "published",
        )  # fmt: skip
        return {
            "name": self.name,
            **{key: getattr(self, key) for key in plain},
            "tags": list(self.tags),
            "digests": list(self.digests),
            "uses": [use.to_json() for use in self.uses],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the hub's own database knows of one image."""

    owner: str = ""
    private: bool = False
    launched: float = 0.0
    launches: int = 0
    launchers: frozenset[str] = frozenset()
    published: str = ""


def is_ours(facts: Facts, hub: str, known: Known | None = None) -> bool:
    """Tell whether this hub built an image, or pulled it from its registry: only those are ever removed."""
    if facts.labels.get("versatilehub.kind") != "image":
        return False
    return facts.labels.get("versatilehub.hub") == hub or bool(known and known.published)


def records(
    facts: Sequence[Facts], hub: str, known: Mapping[str, Known], uses: Mapping[str, Sequence[Use]]
) -> list[ImageRecord]:
    """Return this hub's images among all of the engine, the latest of use first.

    *known* and *uses* are by image id; an image something is built on is in use by that.
    """
    layered = {one.id: sized(one) for one in facts}
    counts = Counter(chain for one in facts for chain in chains(one.layers))
    children = built_on(facts)
    found = []
    for one in facts:
        mine = known.get(one.id, Known())
        if not is_ours(one, hub, mine):
            continue
        built = tuple(Use(what="image", name=name) for name in children.get(one.id, ()))
        record = _record(one, layered[one.id], (*uses.get(one.id, ()), *built))
        unique = sum(layer.size for layer in record.layers if counts[layer.chain] == 1)
        found.append(
            replace(
                record,
                unique=unique,
                owner=mine.owner,
                visibility="private" if mine.private else record.visibility,
                launched=mine.launched,
                launches=mine.launches,
                launchers=mine.launchers,
                published=mine.published,
            )
        )
    return sorted(found, key=lambda record: (-record.active, record.name))


def _record(one: Facts, layers: tuple[Layer, ...], uses: tuple[Use, ...]) -> ImageRecord:
    labels = {key.removeprefix("versatilehub."): value for key, value in one.labels.items()}
    return ImageRecord(
        id=one.id,
        tags=tuple(sorted(one.tags)),
        digests=one.digests,
        source=labels.get("source", ""),
        ref=labels.get("ref", ""),
        commit=labels.get("commit", ""),
        subdir=labels.get("subdir", ""),
        identity=labels.get("digest", ""),
        pack=labels.get("pack", ""),
        visibility="private" if labels.get("visibility") == "private" else "public",
        size=one.size,
        layers=layers,
        built=one.created,
        uses=uses,
    )


def pick(images: Iterable[ImageRecord], text: str) -> ImageRecord:
    """Return the image *text* names: a name with or without its tag, or the first digits of an id.

    Raises `ImageNotFound`, also when several fit: the hint lists them.
    """
    wanted = text.strip().removeprefix("sha256:")
    by_name = [one for one in images if text in one.tags]
    some = by_name or [one for one in images if any(tag.rpartition(":")[0] == text for tag in one.tags)]
    if not some and _ID.fullmatch(wanted):
        some = [one for one in images if one.id.removeprefix("sha256:").startswith(wanted)]
    if len(some) == 1:
        return some[0]
    if some:
        names = ", ".join(sorted(one.name for one in some)[:5])
        raise ImageNotFound(f"{len(some)} images are called {text[:120]}.", hint=f"Give one of {names}.")
    raise ImageNotFound(
        f"This hub has no image {text[:120]}.", hint="`versatilehub images ls` lists those it has."
    )


def is_outdated(image: str, source: str, subdir: str, images: Iterable[ImageRecord]) -> bool:
    """Tell whether a server that runs the image id *image* of a source could run a newer build of it (K9)."""
    same = [one for one in images if (one.source, one.subdir) == (source, subdir) and one.tags]
    newest = max(same, key=lambda one: one.built, default=None)
    if newest is None or newest.id == image:
        return False
    running = next((one for one in same if one.id == image), None)
    return running is None or running.built < newest.built
