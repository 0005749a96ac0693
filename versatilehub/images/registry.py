"""A registry beside the engine: what is built is pushed there, what is there is pulled instead of built, by digest.

Nothing depends on it: whatever the registry does, the image on this machine is used, and what happened is said. A local name in the
registry exists only while a push runs, so nothing is ever half tagged; a tag in the registry never gets other content.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from versatilehub.errors import (
    EngineConflict,
    NotInRegistry,
    RegistryFailure,
    RegistryMismatch,
    RegistryRefused,
    VersatileHubError,
)
from versatilehub.images.references import Reference, check_registry, parse, published
from versatilehub.store.images import Publication

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from versatilehub.engine import Engine, Transfer
    from versatilehub.images.book import ImageBook
    from versatilehub.images.credentials import Credentials
    from versatilehub.naming import ImageName

_log: Final = logging.getLogger(__name__)
_MOST_VERSIONS: Final = 50
"""Rebuilds of one environment that are looked for in the registry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySettings:
    """What an administrator sets. *prefix* "" is no registry of ours; *allowed* are those images may be pulled from, () all.

    *required*: a build whose image cannot be pushed fails. Times in seconds: *question* for a digest, *transfer* for a pull
    or push, *idle* without a sign of life within one.
    """

    prefix: str = ""
    allowed: tuple[str, ...] = ()
    required: bool = False
    question: float = 20.0
    transfer: float = 1800.0
    idle: float = 120.0


class Registry:
    """Pushes and pulls, one at a time for each image however many ask."""

    def __init__(
        self, engine: Engine, settings: RegistrySettings, *, credentials: Credentials, book: ImageBook
    ) -> None:
        self.settings = settings
        self._engine = engine
        self._credentials = credentials
        self._book = book
        self._pulls: dict[str, asyncio.Task[bool]] = {}
        self._listeners: dict[str, list[Callable[[str], None]]] = {}

    # -- images built here -------------------------------------------------------------------

    async def publish(
        self,
        name: ImageName,
        identity: str,
        image: str,
        more: Sequence[str],
        say: Callable[[str], None],
    ) -> str:
        """Push a built image, under the tag of its commit and then under *more*; return its digest, "" where it could not be.

        Raises `RegistryFailure` only where the site requires the push.
        """
        if not self.settings.prefix:
            return ""
        if (await self._engine.images.inspect(image)).labels.get("versatilehub.visibility") == "private":
            say(
                "Not pushed: its repository is private, and who may pull there need not be allowed to read it."
            )
            return ""
        try:
            digest = await self._push_all(name, identity, image, more, say)
        except RegistryFailure as error:
            if self.settings.required:
                raise
            if isinstance(error, RegistryRefused):
                _log.error(
                    "an image was not pushed: %s", error.message
                )  # an administrator's, no fault of ours
            say(f"Not pushed, the image on this machine is used: {error.message}")
            return ""
        say(f"In the registry as {digest}")
        return digest

    async def _push_all(
        self, name: ImageName, identity: str, image: str, more: Sequence[str], say: Callable[[str], None]
    ) -> str:
        repository = published(self.settings.prefix, name)
        before = await self._book.publication(identity)
        if before and (before.image_id, before.repository) == (image, repository):
            with suppress(NotInRegistry):  # a hub that comes back goes through its builds again
                return await self._digest(f"{repository}@{before.digest}")
        free, _ = await self._versions(repository, name.tag)
        digest = await self._push(repository, free, image, say)
        await self._book.publish(
            Publication(identity=identity, repository=repository, digest=digest, image_id=image)
        )
        for tag in more:
            wanted = tag if tag == "latest" else (await self._versions(repository, tag))[0]
            await self._push(repository, wanted, image, lambda _: None)
        return digest

    async def _push(self, repository: str, tag: str, image: str, say: Callable[[str], None]) -> str:
        login = await self._credentials.of(Reference(repository=repository).host)
        settings = self.settings
        await self._engine.images.tag(image, repository, tag)
        try:
            return await self._engine.registries.push(
                repository,
                tag,
                login,
                lambda transfer: say(_words("Pushing", transfer)),
                seconds=settings.transfer,
                idle=settings.idle,
            )
        finally:
            with suppress(EngineConflict):
                await asyncio.shield(self._engine.images.remove(f"{repository}:{tag}"))

    async def _digest(self, name: str) -> str:
        login = await self._credentials.of(parse(name).host)
        return await self._engine.registries.digest(name, login, seconds=self.settings.question)

    async def _versions(self, repository: str, tag: str) -> tuple[str, str]:
        """Return the first free one of tag, tag-2, tag-3 …, and the digest of the one before, "" for none."""
        last = ""
        for count in range(1, _MOST_VERSIONS):
            version = tag if count == 1 else f"{tag}-{count}"
            try:
                last = await self._digest(f"{repository}:{version}")
            except NotInRegistry:
                return version, last
        raise RegistryFailure(
            f"The registry has {_MOST_VERSIONS} versions of {repository}:{tag}.",
            hint="Remove old ones there.",
        )

    async def fetch(self, name: ImageName, identity: str, say: Callable[[str], None]) -> bool:
        """Have a built image that is not on this machine from the registry; False when it is not to be had there.

        It is pulled by the digest that was pushed from here, else by that of the tag, and kept only if its label says that it is
        the environment asked for. One pull serves all who ask; one who leaves does not end it.
        """
        if not self.settings.prefix:
            return False
        self._listeners.setdefault(identity, []).append(say)
        if identity not in self._pulls:
            task = self._pulls[identity] = asyncio.create_task(self._fetch(name, identity))
            task.add_done_callback(lambda _: (self._pulls.pop(identity), self._listeners.pop(identity)))
        return await asyncio.shield(self._pulls[identity])

    async def _fetch(self, name: ImageName, identity: str) -> bool:
        def say(message: str) -> None:
            for listener in self._listeners.get(identity, ()):
                listener(message)

        repository = published(self.settings.prefix, name)
        try:
            known = await self._book.publication(identity)
            digest = known.digest if known and known.repository == repository else ""
            digest = digest or (await self._versions(repository, name.tag))[1]
            if not digest:
                return False
            image = await self._pull_built(Reference(repository=repository, digest=digest), identity, say)
        except RegistryFailure as error:
            if not isinstance(error, NotInRegistry):
                _log.warning("an image was not pulled: %s", error.message)
                say(f"Not from the registry, it is built here: {error.message}")
            return False
        await self._engine.images.tag(image, name.repository, name.tag)
        await self._book.publish(
            Publication(identity=identity, repository=repository, digest=digest, image_id=image)
        )
        return True

    async def _pull_built(self, wanted: Reference, identity: str, say: Callable[[str], None]) -> str:
        await self._transfer(wanted, lambda transfer: say(_words("Pulling", transfer)))
        image = await self._engine.images.inspect(str(wanted))
        expected = {"versatilehub.kind": "image", "versatilehub.digest": identity}
        if any(image.labels.get(key) != value for key, value in expected.items()):
            with suppress(EngineConflict):
                await self._engine.images.remove(str(wanted))
            raise RegistryMismatch(
                f"What the registry has as {wanted} is another image.",
                hint="An administrator can look who may push to the registry.",
            )
        return image.id

    # -- images named directly -------------------------------------------------------------------

    def may_pull(self, name: str) -> bool:
        """Tell whether an image is of a registry that images may be pulled from."""
        try:
            check_registry(parse(name), self.settings.allowed)
        except VersatileHubError:
            return False
        return True

    async def pull(self, name: str, watch: Callable[[Transfer], None]) -> str:
        """Pull an image that somebody named, if its registry is allowed; return its id.

        A digest is what is pulled, and checked, also where a tag stands beside it. Raises `Refusal` and `RegistryFailure`.
        """
        wanted = parse(name)
        check_registry(wanted, self.settings.allowed)
        await self._transfer(wanted, watch)
        image = await self._engine.images.find(str(wanted))
        if image is None or (
            wanted.digest and not any(d.endswith(f"@{wanted.digest}") for d in image.digests)
        ):
            raise RegistryMismatch(f"The registry gave something else for {name}.", hint="Try again.")
        return image.id

    async def is_here(self, name: str) -> bool:
        """Tell whether an image is on this machine."""
        return await self._engine.images.find(name) is not None

    async def _transfer(self, wanted: Reference, watch: Callable[[Transfer], None]) -> None:
        login = await self._credentials.of(wanted.host)
        await self._engine.registries.pull(
            wanted.repository,
            wanted.version,
            login,
            watch,
            seconds=self.settings.transfer,
            idle=self.settings.idle,
        )


def _words(doing: str, transfer: Transfer) -> str:
    return f"{doing}: {transfer.done} of {transfer.layers} layers"
