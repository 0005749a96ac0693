"""The traits of `VersatileHub` about builds: their images, their network, their limits."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from traitlets import Float, HasTraits, Integer, List, Unicode, default

from versatilehub import naming
from versatilehub.builds.attempt import BuildSettings
from versatilehub.builds.events import BuildState
from versatilehub.events import Kind

if TYPE_CHECKING:
    from versatilehub.builds.events import BuildEvent
    from versatilehub.ledger import Ledger
    from versatilehub.policy import Policy
    from versatilehub.store.builds import BuildRecord

GIB = 1024**3


class BuildTraits(HasTraits):
    """What an administrator sets about builds."""

    if TYPE_CHECKING:  # traits of `VersatileHub` itself
        hub_id: str
        state_dir: str
        extra_sources: list[str]

        @property
        def policy(self) -> Policy:
            """The site's policy."""

        @property
        def ledger(self) -> Ledger:
            """The record of what happened."""

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

    @cached_property
    def _noted_builds(self) -> set[str]:
        return set()

    def note_build(self, record: BuildRecord, event: BuildEvent) -> None:
        """Tell the ledger when a build begins to run and when it ends; one taken over from an earlier hub begins anew."""
        about = {"owner": record.owner, "source": record.source, "build": record.id}
        if event.kind == "done":
            self._noted_builds.discard(record.id)
            seconds = round(sum(record.seconds.values()), 3)
            self.ledger.append(
                Kind.BUILD_ENDED, **about, outcome=event.outcome, state=event.state.value, seconds=seconds
            )
        elif event.state is not BuildState.QUEUED and record.id not in self._noted_builds:
            self._noted_builds.add(record.id)
            self.ledger.append(Kind.BUILD_STARTED, **about)

    async def may_see_build(self, user: str, record: BuildRecord, *, admin: bool) -> bool:
        """Return whether a person may see a build, its log included: who asked for it, and administrators."""
        return admin or (user != "" and user in record.askers)

    @default("build_network")
    def _build_network_default(self) -> str:
        return naming.network_name(self.hub_id) + "-build"

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
            hosts=self.policy.sources.hosts,
            concurrent=self.concurrent_builds,
        )
