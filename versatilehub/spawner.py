"""VersatileSpawner: a repository or an image becomes a person's server.

`start()` is five steps: read the spec, check it, have the image, have the storage, run and wait until it answers.
Everything that needs no spawner lives elsewhere.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from dockerspawner import DockerSpawner
from traitlets import Integer, default

from versatilehub.builds.attempt import Wish
from versatilehub.errors import VersatileHubError
from versatilehub.hardening import ContainerShape
from versatilehub.landing import open_url
from versatilehub.readiness import wait_until_answers
from versatilehub.runtime import VersatileHub
from versatilehub.spawner_engine import UNKNOWN, as_ours
from versatilehub.spawner_images import ImagesMixin
from versatilehub.spawner_lifetime import LifetimeMixin
from versatilehub.spawner_options import OptionsMixin
from versatilehub.spawner_storage import StorageMixin, container_mounts
from versatilehub.web.errors import to_web_error

if TYPE_CHECKING:
    from versatilehub.builds.probe import Environment
    from versatilehub.sources import ResolvedSource
    from versatilehub.spec import LaunchSpec


class VersatileMixin(OptionsMixin, ImagesMixin, LifetimeMixin, StorageMixin):
    """Everything versatilehub adds to a DockerSpawner; put it before DockerSpawner or one of its subclasses."""

    ready_timeout = Integer(
        60,
        min=1,
        config=True,
        help="""Seconds a started container has until its server answers.

        Building does not count: a build has limits of its own. Default: 60. Example: ``c.VersatileSpawner.ready_timeout = 120``
        """,
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.resolved: ResolvedSource | None = None
        self._shape = ContainerShape()
        self._placing: asyncio.Task[None] | None = None
        self._to_place: tuple[Environment, ResolvedSource] | None = None
        self._environment_now: Environment | None = None

    @property
    def runtime(self) -> VersatileHub:  # type: ignore[override]
        """What this hub's spawners share."""
        settings = self.user.settings if self.user is not None else {}
        return VersatileHub.of(settings, config=self.config, log=self.log)

    # -- defaults that differ from DockerSpawner's -------------------------------------------

    @default("image")
    def _image_default(self) -> str:
        return self.runtime.singleuser_image

    @default("cmd")
    def _default_cmd(self) -> list[str]:
        # Images of repositories start something else by themselves (repo2docker's: `jupyter notebook`).
        return ["jupyterhub-singleuser"]

    @default("remove")
    def _remove_default(self) -> bool:
        return True

    @default("network_name")
    def _network_name_default(self) -> str:
        return self.runtime.network

    @default("start_timeout")
    def _start_timeout_default(self) -> int:
        # JupyterHub ends a start after this long; it holds waiting in line and building, which have their own limits.
        return 4 * self.runtime.build_timeout

    # -- the five steps --------------------------------------------------------------------

    async def start(self) -> Any:
        """Start the server; return the address it answers at. Failures are `SpawnException`s that say what to do."""
        try:
            self.runtime.look_after_volumes()
            spec = self.spec or self.read_options(self.user_options)
            if not self.admitted:  # an administrator's own `apply_user_options` was asked
                self.admit()
            await self.grant(spec)
            self.begin_lifetime(spec)
            await self.check_budget()
            environment = await self.held(lambda: self._environment(spec))
            await self._storage(spec, environment)
            address = await self._run(spec, environment)
            await self._ready(address)
            self.count_start()
        except (VersatileHubError, *UNKNOWN) as error:
            await self._clean_up()
            raise to_web_error(as_ours(error)) from error
        except BaseException:  # a cancelled start, too, must leave no container
            await asyncio.shield(asyncio.ensure_future(self._clean_up()))
            raise
        finally:
            self.launch.close()
        return address

    async def _environment(self, spec: LaunchSpec | None) -> Environment:
        """Return the image to run: built from the repository, or the one named, checked to be usable."""
        if spec is not None and spec.source is not None:
            newest = "its default branch" if spec.source.is_git else "its newest version"
            self.say("resolve", f"Asking {spec.source.url} for {spec.source.ref or newest}")
            self.resolved, reader = await self.runtime.resolve_for(self.user, spec.source)
            said = self.resolved.version
            self.say("resolve", said[:1].upper() + said[1:], outcome="ok")
            wish = Wish.of(self.user.name, self.owner_policy(), reader=reader)
            environment = await self.runtime.builds.ensure(self.resolved, self.launch.add, wish)
            await self.runtime.check_reads(self.user, environment.reads)
            return environment
        self.resolved = None
        image = spec.image if spec is not None and spec.image else self.image
        self.say("resolve", f"Image {image}")
        await self.pull_image(image)
        return await self.runtime.builds.examine(image)

    async def _storage(self, spec: LaunchSpec | None, environment: Environment) -> None:
        """Have the volumes and decide what appears where."""
        volume, plan = await self.have_storage(spec, environment)
        self._shape = ContainerShape(
            labels={**self._labels(), **self._origin(environment)},
            mounts=container_mounts(plan),
            user=environment.user,
            working_dir=environment.home if volume else environment.repo_dir,
        )

    def _origin(self, environment: Environment) -> dict[str, str]:
        record = {"environment": environment.image_id}
        if self.resolved is not None:
            record |= {"source": self.resolved.url, "commit": self.resolved.commit}
        return {f"versatilehub.{key}": value for key, value in record.items()}

    async def _run(self, spec: LaunchSpec | None, environment: Environment) -> tuple[str, int]:
        """Create and start the container, content placed beside it while the server boots."""
        self.say("start", "Starting the server")
        self._environment_now = environment
        self.set_limits(spec)
        if spec is not None and spec.open:
            folder = self.resolved.name if self.resolved and self.home_now else ""
            self.default_url = "/" + open_url(spec.open, folder)
        await self.make_way(environment)
        if self.resolved is not None and self.home_now and self.placed != _content_of(self.resolved):
            self._to_place = environment, self.resolved
            self.placing = _content_of(self.resolved)
            self.save_state()
        address: tuple[str, int] = await self.start_container(environment.image)
        self.save_state()
        return address

    async def start_object(self) -> None:
        """Start the container; place repository content at the same time, for the server needs a second to boot."""
        if self._environment_now is not None:
            await self.own_mount_points(self._environment_now)
        if self._to_place is not None:
            self._placing = asyncio.create_task(self._place(*self._to_place))
            self._to_place = None
        await super().start_object()

    async def _place(self, environment: Environment, resolved: ResolvedSource) -> None:
        placed = await self.runtime.placement.place(environment, self.volume, name=resolved.name)
        self.placed = _content_of(resolved)
        if placed.kept:
            kept = len(placed.kept)
            changed = "1 file you changed was" if kept == 1 else f"{kept} files you changed were"
            self.say("start", f"{changed} kept as before")
        if placed.count:
            came = "1 file" if placed.count == 1 else f"{placed.count} files"
            origin = resolved.version if resolved.record else f"commit {resolved.commit[:7]}"
            self.say("start", f"{came} came from {origin}")

    def _interrupted(self) -> bool:
        return bool(self.placing) and self._placing is None and self._to_place is None

    async def _ready(self, address: tuple[str, int]) -> None:
        """Return when the server answers and its content is in place."""
        self.say("ready", "Waiting for the server to answer")
        ip, port = address
        url = f"http://{ip}:{port}{self.server.base_url if self.server else '/'}api"
        if not self.internal_ssl:  # the hub has the certificates for that and looks itself
            await wait_until_answers(
                self.runtime.http, url, seconds=self.ready_timeout, ended=self.how_it_ended
            )
        if self._placing is not None:
            await self._placing
            self._placing, self.placing = None, ""
            self.save_state()
        self.say("ready", "The server answers", outcome="ok")

    async def _clean_up(self) -> None:
        """Remove what a failed or cancelled start made; the volume stays, it is the person's."""
        self.admitted = False
        if self._placing is not None:
            self._placing.cancel()
            await asyncio.wait([self._placing])
            self._placing = None
        self._to_place, self.placing = None, ""
        try:
            await self.undo_start()
        except UNKNOWN:
            self.log.exception("%s: the container of a failed start could not be removed", self._log_name)


def _content_of(resolved: ResolvedSource) -> str:
    """Return what tells one placed content from another: two repositories may share a commit and not a folder's name."""
    return f"{resolved.url} {resolved.commit} {resolved.subdir}".strip()


class VersatileSpawner(VersatileMixin, DockerSpawner):
    """A DockerSpawner that builds from repositories and keeps your files; entry point ``versatilehub``."""
