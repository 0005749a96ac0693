"""Images over HTTP: list, show, prune, pin, remove.

``GET images``, ``GET images/<name or id>``, ``DELETE images/<id>``, ``POST`` and ``DELETE images/<id>/pin``, ``POST images/prune``.
Administrators see all of this hub and change them; a person sees those their own servers started from, without other people's names.
To anybody else an image does not exist.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from jupyterhub import orm
from jupyterhub.scopes import has_scope, needs_scope
from tornado.web import HTTPError

from versatilehub.errors import InvalidInput
from versatilehub.images.plan import DAY, Rules, parse_age, parse_disk
from versatilehub.images.records import is_outdated, pick
from versatilehub.web.api import ApiHandler

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from versatilehub.images.records import ImageRecord

_PRUNE: Final = frozenset({"older_than", "keep", "max_disk", "yes"})


class ImagesApi(ApiHandler):
    """What every request about images needs."""

    @property
    def asker(self) -> str:
        """Name of the person who asks, "" for a service."""
        return self.current_user.name if isinstance(self.current_user.orm_user, orm.User) else ""

    @property
    def is_admin(self) -> bool:
        """Whether who asks may look after everybody's servers."""
        return bool(has_scope("admin:servers", self.parsed_scopes))

    async def seen(self) -> list[ImageRecord]:
        """Return the images the asker may know of, with the uses they may know of."""
        return self.shown((await self.versatilehub.shelf.inventory()).images)

    def shown(self, images: Iterable[ImageRecord]) -> list[ImageRecord]:
        """Return those of *images* the asker may know of, with the uses they may know of."""
        if self.is_admin:
            return list(images)
        return [_own(one, self.asker) for one in images if self.asker and self.asker in one.launchers]

    async def one(self, name: str) -> ImageRecord:
        """Return one image the asker may know of; `ImageNotFound`."""
        return pick(await self.seen(), name)

    def admins_only(self) -> None:
        """Raise 403 for everybody else: a person's images are other people's, too."""
        if not self.is_admin:
            raise HTTPError(403, "Only administrators change images.")


class ImageListHandler(ImagesApi):
    """All images."""

    @needs_scope("read:servers", post_filter=True)
    async def get(self) -> None:
        """List them, the last of use first; ``outdated`` says that a newer build of the same source is here."""
        images = (await self.versatilehub.shelf.inventory()).images
        self.reply(
            [
                {**one.to_json(), "outdated": is_outdated(one.id, one.source, one.subdir, images)}
                for one in self.shown(images)
            ]
        )


class ImageHandler(ImagesApi):
    """One image."""

    @needs_scope("read:servers", post_filter=True)
    async def get(self, name: str) -> None:
        """Show it."""
        self.reply((await self.one(name)).to_json())

    @needs_scope("read:servers", post_filter=True)
    async def delete(self, name: str) -> None:
        """Remove it, unless something needs it: the message says who (409)."""
        self.admins_only()
        image = await self.one(name)
        await self.versatilehub.shelf.remove(image.id)
        self.reply({"id": image.id, "name": image.name, "removed": True})


class PinHandler(ImagesApi):
    """Keeping an image whatever a prune is told."""

    @needs_scope("read:servers", post_filter=True)
    async def post(self, name: str) -> None:
        """Pin it, with a ``reason`` for whoever asks later."""
        self.admins_only()
        reason = self.json_body().get("reason", "")
        if not isinstance(reason, str):
            raise InvalidInput("The reason is a text.", field="reason")
        image = await self.one(name)
        await self.versatilehub.image_book.pin(image.id, self.current_user.name, reason)
        self.reply({"id": image.id, "name": image.name, "pinned": True})

    @needs_scope("read:servers", post_filter=True)
    async def delete(self, name: str) -> None:
        """Let it go again."""
        self.admins_only()
        image = await self.one(name)
        await self.versatilehub.image_book.unpin(image.id)
        self.reply({"id": image.id, "name": image.name, "pinned": False})


class PruneHandler(ImagesApi):
    """Removing what is of no use."""

    @needs_scope("read:servers", post_filter=True)
    async def post(self) -> None:
        """Show what would go, or with ``"yes": true`` remove it: ``older_than`` "30d", ``keep`` 3, ``max_disk`` "50G"."""
        self.admins_only()
        body = self.json_body()
        rules = _rules(body)
        shelf = self.versatilehub.shelf
        plan = (await shelf.inventory()).plan(rules)
        if body.get("yes") is True:
            self.reply((await shelf.carry_out(plan)).to_json())
        else:
            self.reply(plan.to_json())


def _rules(body: Mapping[str, Any]) -> Rules:
    unknown = sorted(set(body) - _PRUNE)
    if unknown:
        raise InvalidInput(
            f"A prune has no {unknown[0][:60]!r}.",
            hint=f"It takes {', '.join(sorted(_PRUNE))}.",
            field="body",
        )
    older, keep, most = body.get("older_than"), body.get("keep"), body.get("max_disk")
    if keep is not None and (not isinstance(keep, int) or isinstance(keep, bool) or keep < 0):
        raise InvalidInput(
            "keep is a whole number, 0 or more.", hint='For example {"keep": 3}.', field="keep"
        )
    if not isinstance(body.get("yes", False), bool):
        raise InvalidInput("yes is true or false.", hint='Send {"yes": true} to remove.', field="yes")
    if older is None and keep is None and most is None:
        return Rules(older_than=30 * DAY)
    return Rules(
        older_than=parse_age(str(older)) if older is not None else None,
        keep=keep,
        max_disk=parse_disk(str(most)) if most is not None else None,
    )


def _own(image: ImageRecord, person: str) -> ImageRecord:
    """Return what one of several people who use an image may see of it: nobody else's name."""
    return replace(
        image,
        owner=person if image.owner == person else "",
        uses=tuple(use for use in image.uses if use.owner == person),
        launches=0,
        published="",
    )


_NAME: Final = r"((?:[^/?#]+/){0,8}?[^/?#]+)"
HANDLERS: list[tuple[Any, ...]] = [
    (r"/versatilehub/api/images", ImageListHandler),
    (r"/versatilehub/api/images/prune", PruneHandler),
    (rf"/versatilehub/api/images/{_NAME}/pin", PinHandler),
    (rf"/versatilehub/api/images/{_NAME}", ImageHandler),
]
