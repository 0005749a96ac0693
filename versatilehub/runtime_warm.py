"""What an administrator sets about images made ahead of need, and what a hub does for them."""

from __future__ import annotations

import asyncio
import os
import secrets
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from traitlets import Dict, HasTraits, List

from versatilehub import resolver
from versatilehub.builds.attempt import Wish
from versatilehub.images.warm import read_entries
from versatilehub.images.warming import Warmer

if TYPE_CHECKING:
    from versatilehub.builds.jobs import Builds
    from versatilehub.images.book import ImageBook
    from versatilehub.images.warm import WarmEntry
    from versatilehub.policy import Policy
    from versatilehub.resolver import Asking
    from versatilehub.store import Store


def _secret(state: str) -> str:
    path = Path(state).absolute() / "webhook_secret"
    try:
        return path.read_text("utf-8").strip()
    except FileNotFoundError:
        fresh = path.with_suffix(f".{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_hex(32))
        fresh.replace(path)
        return path.read_text("utf-8").strip()


class WarmTraits(HasTraits):
    """Traits of the warm list; a part of `VersatileHub`."""

    if TYPE_CHECKING:  # of `VersatileHub` itself
        state_dir: str

        @cached_property
        def store(self) -> Store: ...  # noqa: D102

        @cached_property
        def image_book(self) -> ImageBook: ...  # noqa: D102

        @cached_property
        def builds(self) -> Builds: ...  # noqa: D102

        @property
        def policy(self) -> Policy: ...  # noqa: D102

        @cached_property
        def asking(self) -> Asking: ...  # noqa: D102

    warm = List(
        Dict(),
        config=True,
        help="""Repositories whose images are made ahead: ``source``, and if need be ``ref``, ``subdir`` and ``at``, a time of day.

        People who wait go first. `versatilehub images warm` makes all of them now; a webhook of their forge one of them.
        Default: none. Example: ``[{"source": "https://github.com/org/course", "ref": "main", "at": "mon-fri 06:30"}]``
        """,
    )

    @cached_property
    def warmer(self) -> Warmer:
        """What makes the images of the warm list; raises `InvalidInput` for an entry that cannot be read."""
        return Warmer(self.store, read_entries(self.warm, self.policy.sources), self._make_ahead)

    async def keep_warm(self) -> None:
        """Begin to look after the warm list, and let go of what is no longer on it; raises as `warmer`."""
        self.warmer.watch()
        await self.image_book.forget_warm(entry.key for entry in self.warmer.entries)

    async def _make_ahead(self, entry: WarmEntry) -> str:
        resolved = await resolver.resolve(entry.source, self.policy.sources, self.asking)
        outcomes: list[str] = []
        environment = await self.builds.ensure(
            resolved, lambda event: outcomes.append(event.outcome), Wish(lane="prebuild")
        )
        await self.image_book.keep_warm(environment.image_id, entry.key, str(entry))
        return outcomes[-1] or "ok"

    async def webhook_secret(self) -> str:
        """Return the secret git hosts sign with, made at its first use, in the state folder's file ``webhook_secret``."""
        return await asyncio.to_thread(_secret, self.state_dir)
