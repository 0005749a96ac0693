"""What an administrator sets about images, and what a hub shares of them."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from traitlets import Bool, HasTraits, Integer, List, TraitError, Unicode, validate

from versatilehub.errors import InvalidInput
from versatilehub.images.book import ImageBook
from versatilehub.images.credentials import Credentials
from versatilehub.images.plan import DAY
from versatilehub.images.references import check_prefix
from versatilehub.images.registry import Registry, RegistrySettings
from versatilehub.images.shelf import Shelf
from versatilehub.images.tending import Limits, Tending
from versatilehub.storage.content import Contents

if TYPE_CHECKING:
    from versatilehub.engine import Engine
    from versatilehub.store import Store


GIB = 1024**3


class ImageTraits(HasTraits):
    """Traits of images; a part of `VersatileHub`."""

    if TYPE_CHECKING:  # of `VersatileHub` itself
        state_dir: str

        @cached_property
        def engine(self) -> Engine: ...  # noqa: D102

        @cached_property
        def store(self) -> Store: ...  # noqa: D102

    registry_prefix = Unicode(
        config=True,
        help="""Registry that images built here are pushed to, and pulled from instead of being built again.

        Only the hub should be allowed to push there. Default: none, images stay on this machine.
        Example: ``c.VersatileHub.registry_prefix = "registry.example.org/hub"``
        """,
    )
    registry_logins = Unicode(
        config=True,
        help="""File with user names and passwords of registries, in the form of Docker's ``config.json``; readable by the hub only.

        It is read at each push and pull, so a changed password needs no restart. Default: the one `docker login` wrote, if any.
        Example: ``c.VersatileHub.registry_logins = "/etc/versatilehub/registries.json"``
        """,
    )
    registry_required = Bool(
        False,
        config=True,
        help="""Let a build fail whose image cannot be pushed: for more than one machine. Default: False, it is used here.

        Example: ``c.VersatileHub.registry_required = True``
        """,
    )
    pull_registries = List(
        Unicode(),
        config=True,
        help="""Registries, or paths below them, that images named by people may be pulled from, beside the list of images.

        Default: empty, every image on the policy's list may be pulled. Example: ``["quay.io/jupyter", "registry.example.org"]``
        """,
    )
    pull_timeout = Integer(
        1800,
        min=1,
        config=True,
        help="Seconds one pull or push may take. Default: 1800 (30 min). Example: ``600``",
    )
    pull_silence = Integer(
        120,
        min=1,
        config=True,
        help="Seconds a registry may be silent within a pull or push. Default: 120. Example: ``30``",
    )

    janitor = Bool(
        True,
        config=True,
        help="""Keep images, build cache and build logs within the limits below; `configure` has the hub run it as a service.

        Default: True. Example: ``c.VersatileHub.janitor = False``, given to `configure`, where `versatilehub images prune` is run by hand.
        """,
    )
    janitor_every = Integer(
        600,
        min=1,
        config=True,
        help="Seconds between two rounds; one follows soon on a failed build. Default: 600. Example: ``3600``",
    )
    disk_free = Integer(
        10 * GIB,
        min=0,
        config=True,
        help="""Bytes that shall be free on Docker's disk: below it the longest unused images go. 0: never for this reason.

        Default: 10 GiB. Example: ``c.VersatileHub.disk_free = 50 * 1024**3``
        """,
    )
    images_max = Integer(
        0,
        min=0,
        config=True,
        help="Bytes this hub's images may take together; beyond, the longest unused go. Default: 0, no limit. Example: ``200 * 1024**3``",
    )
    image_days = Integer(
        0,
        min=0,
        config=True,
        help="Days after which an image of no use goes. Default: 0, never for this reason. Example: ``90``",
    )
    build_cache = Integer(
        20 * GIB,
        min=0,
        config=True,
        help="""Bytes Docker's build cache may keep; what was not used for a day goes beyond. 0: it is left alone.

        The cache is that of every build on the engine, also of others'. Default: 20 GiB. Example: ``5 * 1024**3``
        """,
    )
    build_log_days = Integer(
        30, min=0, config=True, help="Days build logs are kept. Default: 30; 0: for ever. Example: ``7``"
    )

    @validate("registry_prefix")
    def _registry_prefix(self, proposal: Any) -> str:
        try:
            return check_prefix(proposal["value"]) if proposal["value"] else ""
        except InvalidInput as error:
            raise TraitError(f"{error.message} {error.hint}") from error

    @cached_property
    def registry(self) -> Registry:
        """Where images come from and go to beside this machine."""
        settings = RegistrySettings(
            prefix=self.registry_prefix,
            allowed=tuple(self.pull_registries),
            required=self.registry_required,
            transfer=float(self.pull_timeout),
            idle=float(self.pull_silence),
        )
        logins = (
            Path(self.registry_logins) if self.registry_logins else Path.home() / ".docker" / "config.json"
        )
        credentials = Credentials(logins, needed=bool(self.registry_logins))
        return Registry(self.engine, settings, credentials=credentials, book=self.image_book)

    @cached_property
    def tending(self) -> Tending:
        """What the janitor does in a round."""
        limits = Limits(
            free=self.disk_free,
            images=self.images_max,
            age=self.image_days * DAY,
            cache=self.build_cache,
            logs=self.build_log_days * DAY,
        )
        logs = Path(self.state_dir).absolute() / "builds"
        return Tending(self.engine, self.shelf, limits, logs=logs)

    @cached_property
    def image_book(self) -> ImageBook:
        """What the database knows of images."""
        return ImageBook(self.store)

    @cached_property
    def shelf(self) -> Shelf:
        """The images of this hub."""
        probes = Path(self.state_dir).absolute() / "probes"
        return Shelf(self.engine, contents=Contents(self.engine), probes=probes, book=self.image_book)
