"""What one hub process shares between all its spawners and pages: engine, builds, storage, policy.

It hangs on the hub's own tornado settings (`VersatileHub.of`), made from configuration at its first use, so that the spawner
also works alone on a stock hub and two hubs in one process stay apart.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
from traitlets import Bool, Dict, Float, Integer, List, Unicode, default
from traitlets.config import LoggingConfigurable

from versatilehub import naming, presets
from versatilehub.builds.attempt import BuildSettings
from versatilehub.builds.jobs import Builds
from versatilehub.engine import Engine
from versatilehub.hardening import Isolation
from versatilehub.storage.placement import Placement
from versatilehub.storage.volumes import Volumes

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from versatilehub.policy import Policy
    from versatilehub.web.form import FormState

GIB = 1024**3
SETTINGS_KEY = "versatilehub"


class VersatileHub(LoggingConfigurable):
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
    preset = Unicode(
        "versatile",
        config=True,
        help="""Name of the preset policy: ska, conjuring, versatile, kooplex or binder.

        Default: ``versatile``. Example: ``c.VersatileHub.preset = "ska"``
        """,
    )
    policy_overrides = Dict(
        config=True,
        help="""Policy keys that replace the preset's, as written in a preset file.

        Default: none. Example: ``c.VersatileHub.policy_overrides = {"memory_max": "4G"}``
        """,
    )
    extra_sources = List(
        Unicode(),
        config=True,
        help="""URL prefixes of git hosts allowed beside the public forges; plain http is allowed for these only.

        Default: none. Example: ``c.VersatileHub.extra_sources = ["http://forge.example.org:3000/"]``
        """,
    )
    ca_bundle = Unicode(
        config=True,
        help="""PEM file of the certificates to trust when git hosts are asked for a commit. Default: the machine's own.

        Example: ``c.VersatileHub.ca_bundle = "/etc/ssl/site.pem"``
        """,
    )
    builder_image = Unicode(
        "versatilehub/builder:latest",
        config=True,
        help="""Image that fetches, renders and builds. Default: the project's own. Example: ``"versatilehub/builder:2026-11-21"``""",
    )
    singleuser_image = Unicode(
        "versatilehub/singleuser:latest",
        config=True,
        help="""Image a server runs when nothing else is asked for, and the base of the fast builds.

        Default: the project's own. Example: ``c.VersatileHub.singleuser_image = "versatilehub/singleuser:2026-11-21"``
        """,
    )
    base_images = List(
        Unicode(),
        default_value=["versatilehub/singleuser"],
        config=True,
        help="""Local images a repository's Dockerfile may build from: names with a tag, or without one for every tag.

        Images of public registries are allowed as well, other local ones never: they may be another person's build.
        Default: ``["versatilehub/singleuser"]``. Example: ``["versatilehub/singleuser", "physics/base:2026"]``
        """,
    )
    network = Unicode(
        config=True,
        help="""Docker network of the users' servers; made when missing, without traffic between containers.

        Default: one of this hub's own, named by `hub_id`. Example: ``c.VersatileHub.network = "jupyter"``
        """,
    )
    build_network = Unicode(
        config=True,
        help="""Docker network of fetch containers; made when missing. Default: one of this hub's own.

        Example: ``c.VersatileHub.build_network = "builds"``
        """,
    )
    build_memory = Integer(
        4 * GIB,
        min=64 * 1024**2,
        config=True,
        help="Bytes one build may use. Default: 4 GiB. Example: ``8 * 1024**3``",
    )
    build_cpus = Float(2.0, min=0.1, config=True, help="CPUs one build may use. Default: 2. Example: ``1.5``")
    build_pids = Integer(
        1024, min=32, config=True, help="Processes of one build. Default: 1024. Example: ``512``"
    )
    build_timeout = Integer(
        1800,
        min=1,
        config=True,
        help="Seconds until a build is ended. Default: 1800 (30 min). Example: ``3600``",
    )
    build_log_limit = Integer(
        16 * 1024**2,
        min=1024,
        config=True,
        help="Bytes of log until a build is ended. Default: 16 MiB. Example: ``10**6``",
    )
    build_disk = Integer(
        20 * GIB,
        min=1024**2,
        config=True,
        help="""Bytes by which a build may lower the free space of Docker's disk. Default: 20 GiB. Example: ``10 * 1024**3``""",
    )
    build_disk_free = Integer(
        GIB,
        min=0,
        config=True,
        help="Bytes that must stay free on Docker's disk, else a build is ended. Default: 1 GiB. Example: ``5 * 1024**3``",
    )
    concurrent_builds = Integer(
        2, min=1, config=True, help="Builds at the same time; others wait in line. Default: 2. Example: ``4``"
    )
    extra_labels = Dict(
        config=True,
        help="""Labels on everything made in Docker, beside our own, which win. Default: none.

        Example: ``c.VersatileHub.extra_labels = {"site": "physics"}``
        """,
    )
    pids_limit = Integer(
        512, min=16, config=True, help="Processes and threads of one server. Default: 512. Example: ``1024``"
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

    @default("build_network")
    def _build_network_default(self) -> str:
        return naming.network_name(self.hub_id) + "-build"

    @classmethod
    def of(cls, settings: MutableMapping[str, Any], **kwargs: Any) -> VersatileHub:
        """Return the one of this hub, made with *kwargs* (``config=``, ``log=``) when there is none yet."""
        found = settings.get(SETTINGS_KEY)
        if not isinstance(found, VersatileHub):
            found = settings[SETTINGS_KEY] = cls(**kwargs)
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
    def builds(self) -> Builds:
        """All builds of this hub."""
        return Builds(self.engine, self.build_settings())

    @cached_property
    def volumes(self) -> Volumes:
        """All volumes of this hub."""
        return Volumes(self.engine)

    @cached_property
    def placement(self) -> Placement:
        """Brings repository content into home volumes."""
        return Placement(self.engine, builder=self.builder_image)

    @cached_property
    def http(self) -> aiohttp.ClientSession:
        """Client for readiness checks of the users' servers."""
        return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5))

    @cached_property
    def policy(self) -> Policy:
        """The preset's policy with this site's overrides and extra sources."""
        return presets.load(self.preset, self.policy_overrides, extra_sources=tuple(self.extra_sources))

    @cached_property
    def isolation(self) -> Isolation:
        """Container limits that are the same for everyone."""
        return Isolation(pids=self.pids_limit, runtime=self.oci_runtime)

    @cached_property
    def rejected_forms(self) -> dict[str, FormState]:
        """What a person typed in a form that was refused, by user name, until the form is shown again."""
        return {}

    def build_settings(self) -> BuildSettings:
        """Return the build limits as one value."""
        return BuildSettings(
            state_dir=Path(self.state_dir).absolute(),
            builder_image=self.builder_image,
            base_image=self.singleuser_image,
            images=tuple(self.base_images),
            network=self.build_network,
            extra_sources=tuple(self.extra_sources),
            memory=self.build_memory,
            cpus=self.build_cpus,
            pids=self.build_pids,
            timeout=self.build_timeout,
            log_limit=self.build_log_limit,
            disk=self.build_disk,
            disk_free=self.build_disk_free,
            concurrent=self.concurrent_builds,
        )
