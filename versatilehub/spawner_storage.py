"""The storage of one server: what is mounted where, what becomes of it when the server is renamed or deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from versatilehub.errors import VersatileHubError
from versatilehub.hardening import ContainerMount
from versatilehub.hub_records import owner_of
from versatilehub.mounts import USUAL_HOME, MountPlan, grant_mounts, module_environment, plan_mounts
from versatilehub.spawner_engine import UNKNOWN
from versatilehub.spawner_record import RecordMixin
from versatilehub.volume_grants import MOUNT_KINDS, MountGrant, grants_for

if TYPE_CHECKING:
    from versatilehub.builds.probe import Environment
    from versatilehub.mounts import GrantedMount
    from versatilehub.policy import Policy
    from versatilehub.runtime import VersatileHub
    from versatilehub.spec import LaunchSpec
    from versatilehub.storage.owners import Owner
    from versatilehub.volume_grants import Kind


class StorageMixin(RecordMixin):
    """Volumes of a server, from grant to trash."""

    runtime: VersatileHub
    if TYPE_CHECKING:  # of `PolicyMixin`

        def owner_policy(self, image: str = "") -> Policy:
            """Return the policy of this server's owner."""

    #: What this start mounts beside the home.
    granted: tuple[GrantedMount, ...] = ()
    #: The volume this start has at its home; "" without one, whatever volume the server had before.
    home_now: str = ""

    @property
    def owner(self) -> Owner:
        """The account whose server this is."""
        return owner_of(self.user)

    # -- what may be mounted -----------------------------------------------------------------

    async def grants(self) -> tuple[MountGrant, ...]:
        """Return all that this server's owner may mount, whoever asks: registered volumes first, then people's own."""
        return await grants_of(self.runtime, self.user, self.owner_policy())

    @property
    def mount_kinds(self) -> tuple[Kind, ...]:
        """Kinds of volumes the owner's policy lets them mount; a server's disk comes with a volume of its own."""
        return kinds_of(self.owner_policy())

    async def grant(self, spec: LaunchSpec | None, home: str = USUAL_HOME) -> tuple[GrantedMount, ...]:
        """Return what of the spec's mounts appears and how; `Refusal` for what may not. Stands before any build."""
        if spec is None or not spec.mounts:
            return ()
        content = spec.source.name if spec.source is not None and spec.placement == "home" else ""
        return grant_mounts(
            spec.mounts, await self.grants(), kinds=self.mount_kinds, home=home, content=content
        )

    # -- a start -----------------------------------------------------------------------------

    async def have_storage(self, spec: LaunchSpec | None, environment: Environment) -> tuple[str, MountPlan]:
        """Make what is to be mounted; return the home's volume ("" for none) and the plan."""
        home_volume = self.home_now = await self._home(spec)
        self.granted = await self.grant(spec, environment.home)
        extra = [one.planned(await self._source(one)) for one in self.granted]
        plan = plan_mounts(
            home=environment.home, home_volume=home_volume, image_volumes=environment.volumes, extra=extra
        )
        await self.runtime.volumes.ready([one.source for one in plan.mounts if one.kind == "volume"])
        return home_volume, plan

    async def _home(self, spec: LaunchSpec | None) -> str:
        """Have the home's volume; its name is on record before it exists."""
        volumes, owner, limits = self.runtime.volumes, self.owner, self.owner_policy()
        kind = "home" if self.runtime.home_lifetime == "user" else "server"
        if kind not in limits.mount_kinds or (spec is not None and spec.placement == "image"):
            return ""
        if kind == "home":
            record = await volumes.ensure(owner, None, cap=limits.home_max)
            if self.volume != record.name:
                self.volume, self.placed, self.points = record.name, "", []
        elif not (self.volume and await volumes.usable(self.volume, owner)):
            back = "" if self.volume else await self.runtime.trash.restored(owner, self.name)
            self.volume = self.volume or back or volumes.new_name(owner.name, self.name)
            self.placed, self.points = "", []
            self.save_state()
            record = await volumes.ensure(owner, self.name, name=self.volume, cap=limits.server_volume_max)
            self.volume = record.name
        self.save_state()
        return self.volume

    async def _source(self, mount: GrantedMount) -> str:
        if mount.grant.kind != "disk":
            return await self.runtime.mountable.serve(mount, self.owner, self.name)
        volumes, owner, limits = self.runtime.volumes, self.owner, self.owner_policy()
        self.disk = self.disk or volumes.new_name(owner.name, self.name)
        self.save_state()
        record = await volumes.ensure(
            owner,
            self.name,
            name=self.disk,
            cap=limits.server_volume_max,
            kind="disk",
            title="disk",
        )
        self.disk = record.name
        return self.disk

    def get_env(self) -> dict[str, str]:
        """Return the server's environment, with the way to the kernels of mounted modules."""
        found: dict[str, str] = super().get_env()
        return {**found, **module_environment(self.granted, found)}

    async def own_mount_points(self, environment: Environment) -> None:
        """Make the folders in the home at which volumes appear; Docker would make them root's, and what leads to them too.

        After the container was created, for Docker copies the image's home into a volume only while it is empty.
        """
        home = environment.home
        inside = [one.at.removeprefix(f"{home}/") for one in self.granted if one.at.startswith(f"{home}/")]
        wanted = [path for path in inside if path not in self.points]
        if wanted and self.home_now:
            uid, _, gid = environment.user.partition(":")
            await self.runtime.volume_files.have_folders(
                self.home_now, wanted, uid=int(uid), gid=int(gid or 0)
            )
            self.points = sorted({*self.points, *wanted})
            self.save_state()

    # -- the end -----------------------------------------------------------------------------

    async def rename(self, old_name: str, new_name: str) -> None:
        """Keep the storage: its volumes belong to the server, whatever it is called."""
        await super().rename(old_name, new_name)
        await self.runtime.volumes.move(self.owner, old_name, new_name)

    async def delete_forever(self) -> None:
        """The server's record goes: no container of it may stay, and its volumes go into the trash.

        JupyterHub goes on whatever happens here. What the engine does not do now, the reconciler does later.
        """
        try:
            await self.clear_the_way()
        except UNKNOWN:
            self.log.exception("%s: container not removed with its server", self._log_name)
        try:
            names = await self.runtime.trash.trash_server(
                self.owner, self.name, days=self.owner_policy().trash_days, also=self.volume
            )
            self.log.info("%s: deleted with %s", self._log_name, ", ".join(names) or "no volume")
        except VersatileHubError:
            self.log.exception("%s: volumes not trashed with their server yet", self._log_name)
        self.runtime.look_after_volumes()
        self.runtime.reconciler.nudge()


async def grants_of(runtime: VersatileHub, user: Any, limits: Policy) -> tuple[MountGrant, ...]:
    """Return all that a user of the hub with these limits may mount: registered volumes first, then people's own."""
    groups = [group.name for group in user.groups]
    found = list(grants_for(user.name, groups, runtime.registered_volumes))
    names = {grant.name for grant in found}
    people = await runtime.mountable.granted(owner_of(user), groups)
    found += [grant for grant in people if grant.name not in names]
    if limits.scratch:
        found.append(MountGrant(name="scratch", kind="scratch", mode="rw", lifetime="user"))
    if runtime.home_lifetime == "user":
        found.append(MountGrant(name="disk", kind="disk", mode="rw", lifetime="server"))
    kinds = kinds_of(limits)
    return tuple(grant for grant in found if grant.kind in kinds)


def kinds_of(limits: Policy) -> tuple[Kind, ...]:
    """Return the kinds of volumes a policy lets people mount; a server's disk comes with a volume of its own."""
    found: list[Kind] = [kind for kind in MOUNT_KINDS if kind in limits.mount_kinds]
    return (*found, "disk") if "server" in limits.mount_kinds else tuple(found)


def container_mounts(plan: MountPlan) -> tuple[ContainerMount, ...]:
    """Return a plan as Docker is told."""
    return tuple(
        ContainerMount(
            target=one.target,
            source=one.source,
            read_only=one.read_only,
            size=one.size,
            bind=one.kind == "bind",
        )
        for one in plan.mounts
    )
