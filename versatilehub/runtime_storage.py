"""The traits of `VersatileHub` about storage, and the storage of one hub made from them."""

from __future__ import annotations

import json
import logging
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from traitlets import Bool, CaselessStrEnum, HasTraits, Integer, Unicode, default

from versatilehub.errors import EngineFailure, StorageFailure
from versatilehub.events import Kind
from versatilehub.storage.caps.storage import NAMES, Storage
from versatilehub.storage.usage import UsageMeter

if TYPE_CHECKING:
    from versatilehub.engine import Engine
    from versatilehub.ledger import Ledger
    from versatilehub.storage.caps.trial import Choice
    from versatilehub.storage.usage import VolumeUse
    from versatilehub.store import Store

log = logging.getLogger("versatilehub")

#: File in the state folder that says which backend the last start chose, for `doctor`, which has the same name.
CHOICE: Final = "storage.json"


class StorageTraits(HasTraits):
    """What an administrator sets about storage."""

    if TYPE_CHECKING:  # traits and parts of `VersatileHub` itself
        hub_id: str
        state_dir: str
        builder_image: str

        @cached_property
        def engine(self) -> Engine:
            """The door to Docker."""

        @cached_property
        def store(self) -> Store:
            """Our database."""

        @cached_property
        def ledger(self) -> Ledger:
            """The record of what happened."""

    storage_backend = CaselessStrEnum(
        NAMES,
        default_value="auto",
        config=True,
        help="""How the caps of volumes are kept: ``local`` (Docker's data on XFS with pquota), ``btrfs`` (`storage_path` on btrfs),
        ``loop`` (an ext4 image a volume), ``soft`` (only measured), or ``auto``: the first of these that holds a cap when it is tried.

        Default: ``auto``. Example: ``c.VersatileHub.storage_backend = "loop"``
        """,
    )
    require_hard_cap = Bool(
        False,
        config=True,
        help="""Refuse to start a hub on a machine where no backend holds a cap, instead of only measuring.

        Default: False. Example: ``c.VersatileHub.require_hard_cap = True``
        """,
    )
    storage_path = Unicode(
        config=True,
        help="""Folder on the engine's machine for disk images (``loop``) or subvolumes (``btrfs``); made when missing.

        Default: ``/var/lib/versatilehub/<hub_id>``. Example: ``c.VersatileHub.storage_path = "/srv/volumes"``
        """,
    )
    storage_free = Integer(
        1024**3,
        min=0,
        config=True,
        help="""Bytes of the disk of `storage_path` that no new volume may take. Default: 1 GiB. Example: ``10 * 1024**3``""",
    )

    usage_interval = Integer(
        10,
        min=1,
        config=True,
        help="Seconds that figures of running servers (memory, CPU) are good for. Default: 10. Example: ``30``",
    )
    volumes_interval = Integer(
        60,
        min=1,
        config=True,
        help="Seconds between two measurements of the volumes, at least. Default: 60. Example: ``600``",
    )

    @default("storage_path")
    def _storage_path_default(self) -> str:
        return f"/var/lib/versatilehub/{self.hub_id}"

    @cached_property
    def storage(self) -> Storage:
        """Every volume's backend; new ones get the backend that holds caps on this machine."""
        return Storage(
            self.engine,
            image=self.builder_image,
            store=self.storage_path,
            free=self.storage_free,
            wanted=self.storage_backend,
            require_hard=self.require_hard_cap,
            told=self._keep_choice,
        )

    @cached_property
    def usage(self) -> UsageMeter:
        """What servers and volumes use now; owners of volumes that fill up are warned."""
        return UsageMeter(
            self.engine,
            self.storage,
            self.store,
            every=self.usage_interval,
            volumes_every=self.volumes_interval,
            warn=self._warn,
            measured=self._measured,
        )

    def _warn(self, use: VolumeUse) -> None:
        log.warning("%s/%s: its volume is more than %d %% full", use.owner, use.server, use.level)
        self.ledger.append(
            Kind.VOLUME_WARNED,
            owner=use.owner,
            server=use.server,
            volume=use.name,
            bytes=use.used,
            limit=use.limit,
            level=use.level,
        )

    def _measured(self, use: VolumeUse) -> None:
        self.ledger.append(
            Kind.VOLUME_MEASURED, owner=use.owner, server=use.server, volume=use.name, bytes=use.used
        )

    async def prepare_storage(self) -> None:
        """Choose the backend and attach every volume, as after a reboot, before somebody starts a server."""
        try:
            choice = await self.storage.chosen()
            log.info("Volumes: %s. %s", choice.name or "no backend works", choice.reasons)
            for sentence in await self.storage.attach_all({"versatilehub.hub": self.hub_id}):
                log.error("A volume is not ready: %s", sentence)
        except (EngineFailure, StorageFailure) as error:
            log.error("Storage is not ready: %s %s", error.message, error.hint)  # noqa: TRY400  # the reason is the machine's

    def _keep_choice(self, choice: Choice) -> None:
        folder = Path(self.state_dir)
        if not folder.is_dir():
            return
        fresh = folder / f".{CHOICE}.{os.getpid()}"
        fresh.write_text(json.dumps(choice.to_json()))
        fresh.replace(folder / CHOICE)


async def require_storage(settings: StorageTraits) -> None:
    """Raise `StorageFailure` (``no_hard_cap``) with every backend's reason unless one holds caps."""
    try:
        await settings.storage.chosen()
    finally:
        await settings.storage.close()
        await settings.engine.close()
