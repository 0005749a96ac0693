"""What one hub process shares between all its spawners and pages: engine, builds, storage, policy.

It hangs on the hub's own tornado settings (`VersatileHub.of`), made from configuration at its first use, so that the spawner
also works alone on a stock hub and two hubs in one process stay apart.
"""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
from traitlets import Bool, Dict, Integer, Unicode, default
from traitlets.config import LoggingConfigurable

from versatilehub import naming
from versatilehub.builds.jobs import Builds
from versatilehub.engine import Engine
from versatilehub.hardening import Isolation
from versatilehub.runtime_accounting import AccountingPart
from versatilehub.runtime_builds import BuildTraits
from versatilehub.runtime_credentials import CredentialTraits
from versatilehub.runtime_culling import CullingTraits
from versatilehub.runtime_images import ImageTraits
from versatilehub.runtime_ledger import LedgerPart
from versatilehub.runtime_observers import ObserverPart
from versatilehub.runtime_policy import PolicyTraits
from versatilehub.runtime_sources import SourceTraits
from versatilehub.runtime_storage import StorageTraits
from versatilehub.runtime_volumes import VolumeTraits
from versatilehub.runtime_warm import WarmTraits
from versatilehub.storage.placement import Placement
from versatilehub.store import Store

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from versatilehub.web.form import FormState

SETTINGS_KEY = "versatilehub"


class VersatileHub(
    AccountingPart,
    BuildTraits,
    CredentialTraits,
    CullingTraits,
    ImageTraits,
    LedgerPart,
    ObserverPart,
    PolicyTraits,
    SourceTraits,
    StorageTraits,
    VolumeTraits,
    WarmTraits,
    LoggingConfigurable,
):
    """Settings of one deployment; `versatilehub.configure` sets them, or `c.VersatileHub.<name>` on a stock hub."""

    hub_id = Unicode(
        config=True,
        help="""Which hub an object in Docker belongs to: 4 to 16 characters of a-z and 0-9, in every label and name.

        Two hubs on one engine must differ. Default: made once by `configure` and kept in the state folder; on a stock hub, derived
        from the working folder. Example: ``c.VersatileHub.hub_id = "physics"``
        """,
    )
    state_dir = Unicode(
        ".state",
        config=True,
        help="""Folder for build logs and records. Default: ``.state`` below the hub's working folder.

        Example: ``c.VersatileHub.state_dir = "/srv/versatilehub"``
        """,
    )
    db_url = Unicode(
        config=True,
        help="""SQLAlchemy URL of our database: builds, events, volumes, accounts. Default: ``versatilehub.sqlite`` in `state_dir`.

        Its driver is not installed with us. Example: ``c.VersatileHub.db_url = "postgresql+psycopg://hub@db/versatilehub"``
        """,
    )
    ca_bundle = Unicode(
        config=True,
        help="""PEM file of the certificates to trust when git hosts are asked for a commit. Default: the machine's own.

        Example: ``c.VersatileHub.ca_bundle = "/etc/ssl/site.pem"``
        """,
    )
    network = Unicode(
        config=True,
        help="""Docker network of the users' servers; made when missing, without traffic between containers.

        Default: one of this hub's own, named by `hub_id`. Example: ``c.VersatileHub.network = "jupyter"``
        """,
    )
    extra_labels = Dict(
        config=True,
        help="""Labels on everything made in Docker, beside our own, which win. Default: none.

        Example: ``c.VersatileHub.extra_labels = {"site": "physics"}``
        """,
    )
    pids_limit = Integer(
        0,
        min=0,
        config=True,
        help="""Most processes and threads of any server, whatever its owner's policy (`pids_max`) allows.

        Default: 0, the policy alone. Example: ``c.VersatileHub.pids_limit = 1024``
        """,
    )
    oci_runtime = Unicode(
        config=True,
        help="""Docker runtime of users' servers, for a stronger wall: ``runsc`` (gVisor) or ``kata``. Default: the engine's own.

        Example: ``c.VersatileHub.oci_runtime = "runsc"``
        """,
    )
    engine_patience = Integer(
        120,
        min=1,
        config=True,
        help="Seconds a restarted hub waits for Docker to answer. Default: 120. Example: ``600``",
    )
    firewall = Bool(
        True,
        config=True,
        help="""Set firewall rules for the hub's networks where the hub runs as root. Default: True.

        Example: ``c.VersatileHub.firewall = False`` where the host's own rules do it.
        """,
    )

    @default("hub_id")
    def _hub_id_default(self) -> str:
        return hashlib.sha256(str(Path.cwd()).encode()).hexdigest()[:8]  # a text, never a path

    @default("network")
    def _network_default(self) -> str:
        return naming.network_name(self.hub_id)

    @classmethod
    def of(cls, settings: MutableMapping[str, Any], **kwargs: Any) -> VersatileHub:
        """Return the one of this hub, made with *kwargs* (``config=``, ``log=``) when there is none yet.

        *settings* are the hub's, as its users have them, or the copy that tornado makes for handlers: both mean the same.
        """
        settings = getattr(settings.get("users"), "settings", settings)
        found = settings.get(SETTINGS_KEY)
        if not isinstance(found, VersatileHub):
            found = settings[SETTINGS_KEY] = cls(**kwargs)
            found.hub_settings = settings
        return found

    # -- shared parts ----------------------------------------------------------------------

    @cached_property
    def quick_pool(self) -> ThreadPoolExecutor:
        """Threads for Docker calls that answer at once."""
        return ThreadPoolExecutor(16, thread_name_prefix="docker-quick")

    @cached_property
    def slow_pool(self) -> ThreadPoolExecutor:
        """Threads for Docker calls that last: stop, pull, remove."""
        return ThreadPoolExecutor(16, thread_name_prefix="docker-slow")

    @cached_property
    def engine(self) -> Engine:
        """The door to Docker for everything that is not DockerSpawner's own call."""
        return Engine(hub=self.hub_id, labels=dict(self.extra_labels))

    @cached_property
    def store(self) -> Store:
        """Our database."""
        folder = Path(self.state_dir).absolute()
        if not self.db_url:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Store(self.db_url or f"sqlite:///{folder / 'versatilehub.sqlite'}")

    @cached_property
    def builds(self) -> Builds:
        """All builds of this hub."""
        builds = Builds(
            self.engine, self.build_settings(), self.store, self.registry, logins=self.credentials.of
        )
        builds.on_event.append(self.note_build)
        builds.on_event.extend(one.of_build for one in self.observers)
        return builds

    @cached_property
    def placement(self) -> Placement:
        """Brings repository content into home volumes."""
        return Placement(self.engine, builder=self.builder_image)

    @cached_property
    def http(self) -> aiohttp.ClientSession:
        """Client for readiness checks of the users' servers."""
        return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5))

    @cached_property
    def isolation(self) -> Isolation:
        """Container limits that are the same for everyone."""
        return Isolation(runtime=self.oci_runtime)

    @cached_property
    def rejected_forms(self) -> dict[str, FormState]:
        """What a person typed in a form that was refused, by user name, until the form is shown again."""
        return {}

    async def close(self) -> None:
        """Let go of the engine and the database; for commands, a hub ends with its process."""
        parts = self.__dict__  # cached properties: only what was used exists
        if "warmer" in parts:
            await self.warmer.close()
        if "builds" in parts:
            await self.builds.close()
        if "storage" in parts:
            await self.storage.close()
        if "http" in parts:
            await self.http.close()
        if "engine" in parts:
            await self.engine.close()
        if "ledger" in parts:
            await asyncio.to_thread(self.ledger.close)
        if "store" in parts:
            self.store.close()
