"""The traits of `VersatileHub` about volumes, and the parts that keep them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from traitlets import Dict, Enum, HasTraits, Integer, List, Unicode

from versatilehub.hub_records import hub_view
from versatilehub.storage.files import VolumeFiles
from versatilehub.storage.mountable import Mountable
from versatilehub.storage.reconcile import Rules
from versatilehub.storage.reconciler import Reconciler
from versatilehub.storage.trash import LEAST_DAYS, Trash
from versatilehub.storage.volumes import Volumes
from versatilehub.volume_grants import RegisteredVolume, parse_registered, parse_toml

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from versatilehub.engine import Engine
    from versatilehub.ledger import Ledger
    from versatilehub.policy import Policy
    from versatilehub.storage.backend import Backend
    from versatilehub.store import Store
    from versatilehub.store.volumes import VolumeRecord


class VolumeTraits(HasTraits):
    """What an administrator sets about volumes."""

    if TYPE_CHECKING:  # of `VersatileHub` itself
        hub_settings: MutableMapping[str, Any]
        hub_id: str
        state_dir: str
        builder_image: str

        @property
        def engine(self) -> Engine:
            """The door to Docker."""

        @property
        def store(self) -> Store:
            """Our database."""

        @property
        def storage(self) -> Backend:
            """What keeps volumes."""

        @property
        def policy(self) -> Policy:
            """The policy."""

        @property
        def ledger(self) -> Ledger:
            """The record of what happened."""

    home_lifetime: Literal["server", "user"] = Enum(  # type: ignore[assignment]  # a trait is what it holds
        ["server", "user"],
        default_value="server",
        config=True,
        help="""What a home directory belongs to: each ``server`` has its own, or a ``user`` has one in all servers.

        Default: ``server``. Example: ``c.VersatileHub.home_lifetime = "user"``
        """,
    )
    data_volumes = List(
        Dict(),
        config=True,
        help="""Data of the host or Docker volumes people may mount, read-only unless the entry says ``rw``: tables with ``name``, ``path`` or
        ``volume``, and optionally ``description``, ``at``, ``groups`` and ``users`` (names with ``ro`` or ``rw``; group ``*`` is everybody).

        Default: none. Example: ``c.VersatileHub.data_volumes = [{"name": "sky", "path": "/srv/sky", "groups": {"astro": "ro"}}]``
        """,
    )
    shared_volumes = List(
        Dict(),
        config=True,
        help="""Volumes that several people write to, in the same form; without ``path`` and ``volume`` one is made.

        Default: none. Example: ``c.VersatileHub.shared_volumes = [{"name": "course", "groups": {"course": "rw"}}]``
        """,
    )
    module_volumes = List(
        Dict(),
        config=True,
        help="""Read-only trees of software, in the same form; kernels in their ``jupyter_path`` (``share/jupyter``) appear in a server.

        Default: none. Example: ``c.VersatileHub.module_volumes = [{"name": "geo", "path": "/srv/geo", "groups": ["*"]}]``
        """,
    )
    volumes_file = Unicode(
        config=True,
        help="""TOML file with the same as ``[[data]]``, ``[[shared]]`` and ``[[module]]`` tables, beside what is set here.

        Default: none. Example: ``c.VersatileHub.volumes_file = "/etc/versatilehub/volumes.toml"``
        """,
    )
    volume_patterns = List(
        Unicode(),
        default_value=["versatilehub-*"],
        config=True,
        help="""Names of Docker volumes made by hand that an administrator is told of until they are registered.

        Default: ``["versatilehub-*"]``. Example: ``c.VersatileHub.volume_patterns = ["project-*"]``
        """,
    )
    own_volumes = Integer(
        5,
        min=0,
        config=True,
        help="""Volumes a person may make beside homes, those in the trash included. Default: 5. Example: ``c.VersatileHub.own_volumes = 0``""",
    )
    reconcile_every = Integer(
        60,
        min=1,
        config=True,
        help="""Seconds between two comparisons of Docker's volumes with the hub's records. Default: 60. Example: ``300``""",
    )
    reconcile_grace = Integer(
        600,
        min=0,
        config=True,
        help="""Seconds for which what does not fit is only reported before something is done about it.

        Default: 600 (10 min). Example: ``c.VersatileHub.reconcile_grace = 3600``
        """,
    )

    @cached_property
    def registered_volumes(self) -> tuple[RegisteredVolume, ...]:
        """What the administrator offers; `InvalidInput` with the entry and the reason when it does not hold together."""
        tables: dict[str, Any] = {}
        if self.volumes_file:
            text = Path(self.volumes_file).read_text(encoding="utf-8")
            tables = parse_toml(text, self.volumes_file)
        rows = {"data": self.data_volumes, "shared": self.shared_volumes, "module": self.module_volumes}
        for kind, more in rows.items():
            if more:
                tables[kind] = [*tables.get(kind, ()), *more]
        return parse_registered(tables)

    @cached_property
    def volume_files(self) -> VolumeFiles:
        """The files in volumes, for backup and restore."""
        return VolumeFiles(self.engine, image=self.builder_image)

    @cached_property
    def volumes(self) -> Volumes:
        """All volumes of this hub."""
        return Volumes(self.engine, self.store, self.storage, files=self.volume_files, said=self._tell)

    def _tell(self, kind: str, record: VolumeRecord) -> None:
        where = {"server": record.server or "", "workspace": record.workspace}
        self.ledger.append(kind, owner=record.owner, volume=record.name, **where)

    @cached_property
    def mountable(self) -> Mountable:
        """What people may mount beside their homes."""
        return Mountable(self.volumes)

    @cached_property
    def trash(self) -> Trash:
        """Trashes, restores and purges volumes."""
        return Trash(self.volumes)

    @cached_property
    def reconciler(self) -> Reconciler:
        """Compares volumes with what the hub has; a process without a hub sees none and must not ask it."""
        rules = Rules(
            grace=timedelta(seconds=self.reconcile_grace),
            trash_days=max(self.policy.trash_days, LEAST_DAYS),
            patterns=tuple(self.volume_patterns),
        )
        return Reconciler(
            self.engine,
            self.volumes,
            self.trash,
            rules=rules,
            view=lambda: hub_view(self.hub_settings),
            folder=Path(self.state_dir).absolute(),
        )

    @cached_property
    def _looking(self) -> asyncio.Task[None]:
        return asyncio.create_task(self.reconciler.keep_up(every=self.reconcile_every, soon=2.0))

    def look_after_volumes(self) -> None:
        """Begin to compare volumes with the hub's records, once a process; for a hub that runs."""
        if self.hub_settings.get("db") is not None:
            _ = self._looking
