"""The image a server starts from: pulled when it is named directly, and held so that nobody removes it before the server has it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import docker.errors

from versatilehub.builds.events import BuildEvent, BuildState
from versatilehub.errors import EngineFailure, NotInRegistry, RegistryUnavailable, StoreFailure
from versatilehub.policy import OWN_IMAGES
from versatilehub.spawner_stock import StockMixin
from versatilehub.spec_values import image_path

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from versatilehub.builds.probe import Environment
    from versatilehub.engine import Transfer
    from versatilehub.launch import LaunchLog

_TRIES = 20
_PAUSE = 0.5
"""Seconds between two looks at an image that is being removed."""


class MissingImage(NotInRegistry, docker.errors.NotFound):
    """No such image, here or where it would be pulled from: also what callers of stock's `pull_image` expect."""


class ImagesMixin(StockMixin):
    """Images, pulled and held."""

    launch: LaunchLog

    async def missing_images(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return those of *names* that are neither here nor may be pulled; none while Docker does not answer."""
        try:
            return tuple([name for name in names if not await self._can_be_had(name)])
        except EngineFailure:
            return ()

    async def _can_be_had(self, image: str) -> bool:
        registry = self.runtime.registry
        if await registry.is_here(image):
            return True
        local = image_path(image).startswith(OWN_IMAGES)
        return not local and self.pull_policy not in {"never", "skip"} and registry.may_pull(image)

    async def pull_image(self, image: str) -> None:
        """Pull by `pull_policy`, once in a start, with its progress; an image that was built here is in no registry.

        A registry that does not answer is no reason not to start from the image that is here.
        """
        registry = self.runtime.registry
        if image == self._settled or self.pull_policy == "skip":
            return
        here = await registry.is_here(image)
        if self.pull_policy == "never" and not here:
            raise MissingImage(
                f"There is no image {image} on this machine.", hint="Ask an administrator to add it."
            )
        if here and self.pull_policy != "always":
            return
        self._pulling(f"Pulling {image}")
        try:
            await registry.pull(image, self._pulled)
        except RegistryUnavailable as error:
            if not here:
                raise
            self._pulling(f"Not pulled, the image on this machine is used: {error.message}", outcome="cached")
        except NotInRegistry as error:
            raise MissingImage(error.message, hint=error.hint) from error
        else:
            self._pulling(f"Pulled {image}", outcome="ok")

    def _pulled(self, transfer: Transfer) -> None:
        self._pulling(
            f"{transfer.done} of {transfer.layers} layers", step=transfer.done, steps=transfer.layers
        )

    def _pulling(self, message: str, *, step: int = 0, steps: int = 0, outcome: str = "") -> None:
        event = BuildEvent(
            at=time.time(),
            state=BuildState.READY,
            phase="fetch",
            kind="step" if steps else "phase",
            message=message,
            step=step,
            steps=steps,
            outcome=outcome,
        )
        self.launch.add(event)

    async def held(self, have: Callable[[], Awaitable[Environment]]) -> Environment:
        """Return the environment that *have* gives, on record as this server's, so that no prune takes it.

        One that is being removed just now is had anew. A database that is away keeps nobody from starting.
        """
        for tries in range(_TRIES):
            environment = await have()
            # Whoever removes it may have been killed: what is still here after a while is taken.
            if await self._take(environment.image_id, sure=tries == _TRIES - 1):
                return environment
            await asyncio.sleep(_PAUSE)
        raise EngineFailure("The image is removed as often as it is made.", hint="Tell an administrator.")

    async def _take(self, image: str, *, sure: bool) -> bool:
        try:
            mine = await self.runtime.image_book.launched(image, self.user.name, self.name, sure=sure)
        except StoreFailure as error:
            self.log.warning("%s: the launch is not on record: %s", self._log_name, error.message)
            return True
        return mine and await self.runtime.registry.is_here(image)

    async def delete_forever(self) -> None:
        """The server's record goes: it needs its image no longer."""
        await super().delete_forever()
        try:
            await self.runtime.image_book.server_gone(self.user.name, self.name)
        except StoreFailure as error:
            self.log.warning("%s: its image is still on record: %s", self._log_name, error.message)
