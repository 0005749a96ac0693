"""What the database knows of images, for the rest of this package; without a database it knows nothing and forbids nothing."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, cast

from versatilehub.errors import ImageInUse
from versatilehub.images.records import ImageRecord, Known, Need, Use
from versatilehub.store import images as table

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from versatilehub.store import Store
    from versatilehub.store.images import Publication

_WARM: Final = "warm:"


class ImageBook:
    """The database's part of the life of images."""

    def __init__(self, store: Store | None = None) -> None:
        self._store = store

    async def known(self) -> dict[str, Known]:
        """Return what is known of every image, by its id."""
        if self._store is None:
            return {}
        launches = await self._store.run(table.all_launches)
        published = {one.image_id: one for one in await self._store.run(table.publications)}
        found = {}
        for image in launches.keys() | published.keys():
            seen, there = launches.get(image), published.get(image)
            found[image] = Known(
                owner=seen.owner if seen else "",
                launched=seen.launched if seen else 0.0,
                launches=seen.launches if seen else 0,
                launchers=seen.launchers if seen else frozenset(),
                published=f"{there.repository}@{there.digest}" if there else "",
            )
        return found

    async def needs(self) -> dict[str, list[Use]]:
        """Return the pins of images and the servers that ran them last, by image id."""
        found: dict[str, list[Use]] = {}
        for need in await self._store.run(table.needs) if self._store else ():
            use = Use(what=cast("Need", need.what), owner=need.owner, name=need.name)
            workspace = need.owner.removeprefix("workspace:")
            if need.what == "pin" and workspace != need.owner:
                use = Use(what="workspace", name=workspace)
            elif need.what == "pin" and need.owner.startswith(_WARM):
                use = Use(what="pin", owner="the warm list", name=need.name)
            found.setdefault(need.image_id, []).append(use)
        return found

    async def launched(self, image: str, owner: str, server: str, *, sure: bool = False) -> bool:
        """Write down that a server starts from an image; False while somebody removes it, unless *sure*: have it anew then."""
        if self._store is None:
            return True
        now = table.utc(time.time())
        return await self._store.run(
            lambda session: table.launched(session, image, owner, server, now, sure=sure)
        )

    async def server_gone(self, owner: str, server: str) -> None:
        """Forget which image a server ran last."""
        if self._store is not None:
            await self._store.run(lambda session: table.server_gone(session, owner, server))

    async def keep_servers(self, there: frozenset[tuple[str, str]], *, before: float) -> int:
        """Forget servers that are not *there* any more and were launched before *before*; return how many."""
        if self._store is None:
            return 0
        known = await self._store.run(table.servers)
        gone = [(owner, name) for owner, name, at in known if (owner, name) not in there and at < before]
        for owner, name in gone:
            await self.server_gone(owner, name)
        return len(gone)

    async def pin(self, image: str, owner: str, reason: str = "") -> None:
        """Write down that an image stays until it is unpinned."""
        if self._store is not None:
            now = table.utc(time.time())
            await self._store.run(lambda session: table.pin(session, image, owner, reason, now))

    async def keep_warm(self, image: str, key: str, entry: str) -> None:
        """Pin what an entry of the warm list came to, in the place of what it came to before."""
        if self._store is not None:
            now = table.utc(time.time())
            await self._store.run(lambda session: table.move_pin(session, image, f"{_WARM}{key}", entry, now))

    async def forget_warm(self, keys: Iterable[str]) -> None:
        """Take back the pins of entries that are not on the warm list any more; *keys* are those that are."""
        owners = frozenset(f"{_WARM}{key}" for key in keys)
        if self._store is not None:
            await self._store.run(lambda session: table.keep_pins(session, _WARM, owners))

    async def unpin(self, image: str, owner: str = "") -> int:
        """Take back the pins of *owner*, "" for all; return how many there were."""
        if self._store is None:
            return 0
        return await self._store.run(lambda session: table.unpin(session, image, owner))

    async def publish(self, publication: Publication) -> None:
        """Write down where an environment is in the registry."""
        if self._store is not None:
            now = table.utc(time.time())
            await self._store.run(lambda session: table.publish(session, publication, now))

    async def publication(self, identity: str) -> Publication | None:
        """Return where an environment is in the registry, None when nobody here pushed it."""
        if self._store is None:
            return None
        return await self._store.run(lambda session: table.publication(session, identity))

    @asynccontextmanager
    async def doomed(self, image: ImageRecord) -> AsyncIterator[None]:
        """Keep launches away from an image while it is removed, and forget it then; `ImageInUse` when one came first."""
        if self._store is None:
            yield
            return
        now = table.utc(time.time())
        if not await self._store.run(lambda session: table.doom(session, image.id, image.launched, now)):
            raise ImageInUse(f"{image.name} was launched just now.", hint="Look again.")
        try:
            yield
        except BaseException:
            await self._store.run(lambda session: table.spare(session, image.id))
            raise
        await self._store.run(lambda session: table.forget(session, image.id))
