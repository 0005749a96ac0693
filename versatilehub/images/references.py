"""Names of images as registries have them: taken apart by Docker's own rules, and which may be pulled from where. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from versatilehub.errors import InvalidInput, Refusal
from versatilehub.text import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from versatilehub.naming import ImageName

HUB: Final = "docker.io"
"""Where a name without a registry leads."""
_PART: Final = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PREFIX: Final = re.compile(
    rf"(?P<host>[A-Za-z0-9.-]+(?::\d{{1,5}})?|\[[0-9a-f:]+\](?::\d{{1,5}})?)(?P<path>(?:/{_PART})*)"
)
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An image's name: *repository* with its registry, and a *tag* or a *digest*."""

    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def host(self) -> str:
        """The registry: Docker takes the first part for one if it has a dot or a port, or is localhost."""
        first, slash, _ = self.repository.partition("/")
        return first.lower() if slash and (set(first) & set(".:") or first == "localhost") else HUB

    @property
    def path(self) -> str:
        """The repository below the registry, as Docker keeps it: one word is of the library of Docker's own."""
        rest = self.repository.partition("/")[2] if self.host != HUB or self._named_hub else self.repository
        return rest if self.host != HUB or "/" in rest else f"library/{rest}"

    @property
    def version(self) -> str:
        """What is pulled: the digest where there is one, for a tag beside it may move."""
        return self.digest or self.tag or "latest"

    @property
    def _named_hub(self) -> bool:
        return self.repository.partition("/")[0] in {HUB, "index.docker.io"}

    def __str__(self) -> str:
        return (
            self.repository
            + (f":{self.tag}" if self.tag else "")
            + (f"@{self.digest}" if self.digest else "")
        )


def parse(image: str) -> Reference:
    """Take apart the name of an image that passed `spec_values.check_image`; no tag and no digest is ``latest``."""
    name, _, digest = image.partition("@")
    if digest and not _DIGEST.fullmatch(digest):
        hint = "A digest is sha256: and 64 hexadecimal digits."
        raise InvalidInput(
            f"{quoted(image, 120)} has no digest that can be checked.", hint=hint, field="image"
        )
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = name, ""
    return Reference(repository=repository, tag=tag or ("" if digest else "latest"), digest=digest)


def check_prefix(text: str) -> str:
    """Return a registry with an optional path below it (``registry.example.org/hub``), or raise `InvalidInput`.

    The first part must be a registry by Docker's rule, else everything would go to Docker's own.
    """
    found = _PREFIX.fullmatch(text.strip().rstrip("/"))
    if not found or not (set(found["host"]) & set(".:") or found["host"] == "localhost"):
        hint = "For example registry.example.org/hub or localhost:5000; no https:// before it."
        raise InvalidInput(f"{quoted(text, 120)} is no registry.", hint=hint, field="registry")
    return found["host"].lower() + found["path"]


def published(prefix: str, name: ImageName) -> str:
    """Return the repository a built image has in the registry *prefix*."""
    return f"{prefix}/{name.repository}"


def check_registry(image: Reference, allowed: Iterable[str]) -> None:
    """Return if an image may be pulled: its registry, and the path where an entry has one, is in *allowed*.

    An empty *allowed* leaves it to the list of images. Raises `Refusal`, which names those that are allowed.
    """
    entries = [entry.strip().rstrip("/") for entry in allowed]
    full = f"{image.host}/{image.path}"
    if not entries or any(full.startswith(f"{entry}/") for entry in entries):
        return
    listed = ", ".join(entries)
    raise Refusal(
        f"Images of {image.host} are not pulled here.",
        hint=f"Allowed are those of {listed}.",
        field="image",
        code="registry_not_allowed",
        limit=listed,
        actual=str(image),
    )
