"""What the owner of a server may: asked here by form, REST, start and rename, so that all get one answer.

It is the owner's policy whoever acts, narrowed by what an administrator set on the spawner itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dockerspawner import DockerSpawner

from versatilehub import policy
from versatilehub.errors import VersatileHubError
from versatilehub.policy import OWN_IMAGES, Entitlement, Grant, Policy, Usage, format_memory
from versatilehub.spec_values import image_path
from versatilehub.web.errors import to_web_error
from versatilehub.web.record_guard import guard_display_names

if TYPE_CHECKING:
    from versatilehub.runtime import VersatileHub

#: Where a value comes from that stands on the spawner.
BY_SPAWNER = "the spawner's {name} in this hub's configuration"


class PolicyMixin(DockerSpawner):
    """The owner's policy and what they have, for every way a server is made, renamed or started."""

    runtime: VersatileHub
    #: Whether this start has passed, and so counts for the owner's other servers while it is under way.
    admitted = False
    #: See `ContainerMixin`.
    ran_out_of: int
    #: `mem_limit` and `cpu_limit` as the administrator set them, and as a start replaced them.
    _configured: tuple[int, float] = (0, 0)
    _granted: Grant | None = None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.user is not None and getattr(self.user, "db", None) is not None:
            guard_display_names(self.user.db, self.runtime)

    # -- what the owner may ------------------------------------------------------------------

    def entitlement(self, image: str = "") -> Entitlement:
        """Return what the owner of this server may, and where it comes from.

        `mem_limit`, `cpu_limit` and `allowed_images` of stock DockerSpawner are in the place of the site's own values. The image list
        ``"*"`` allows *image*, unless it is one of this project's own: a wildcard never covers those.
        """
        found = self.runtime.entitlement(group.name for group in self.user.groups)
        memory, cpus = self._limits_configured()
        found = found.with_limits(memory=memory, cpus=cpus, origin=BY_SPAWNER)
        images = self._images_configured(found.policy, image)
        return (
            found if images is None else found.with_images(images, BY_SPAWNER.format(name="allowed_images"))
        )

    def owner_policy(self, image: str = "") -> Policy:
        """Return the policy of `entitlement`."""
        return self.entitlement(image).policy

    def _limits_configured(self) -> tuple[int, float]:
        ours = self._granted
        if ours is None or (self.mem_limit, self.cpu_limit) != (ours.memory, ours.cpus):
            self._configured = (int(self.mem_limit or 0), float(self.cpu_limit or 0))
        return self._configured

    def _images_configured(self, usual: Policy, image: str) -> tuple[str, ...] | None:
        allowed = self._get_allowed_images()
        if not allowed:
            return None
        if isinstance(allowed, Mapping):
            return tuple(allowed.values())
        if not image or image_path(image).startswith(OWN_IMAGES):
            return None
        return (*usual.images, image)

    # -- what the owner has ------------------------------------------------------------------

    def admit(self) -> None:
        """Count this start as running; raise `Refusal` when the owner's policy has no room for it.

        Synchronous, so that of parallel starts none slips in between.
        """
        mine = self.owner_policy()
        if not (mine.admin_may_exceed and self.acting_admin()):
            policy.check_running(mine, usage_of(self.user, self.name))
        self.runtime.check_known_budget(
            self.user.name, mine
        )  # what the ledger says is asked once the start is on
        self.admitted = True

    def acting_admin(self) -> bool:
        """Tell whether the start under way was asked for by an administrator."""
        return bool(getattr(getattr(self.handler, "current_user", None), "admin", False))

    def clear_state(self) -> None:
        """Begin anew, or end."""
        super().clear_state()
        self.admitted = False

    def ran_out(self) -> str:
        """Return how much memory the server had when it ended for the lack of more, "" for any other end; for the page."""
        return format_memory(self.ran_out_of) if self.ran_out_of else ""

    # -- changing a name ---------------------------------------------------------------------

    async def rename(self, old_name: str, new_name: str) -> None:
        """Refuse a new name the owner's policy does not allow: JupyterHub asks nobody else before a PATCH renames."""
        try:
            policy.check_names(new_name, "", self.owner_policy())
        except VersatileHubError as error:
            self.runtime.note_refusal(self.user.name, old_name, error)
            raise to_web_error(error) from error
        await super().rename(old_name, new_name)


def usage_of(owner: Any, name: str | None = None) -> Usage:
    """Return what *owner* has: their named servers, and which servers other than *name* run or start.

    A start that was not admitted yet is no running server: of several at once, as many pass as there is room for.
    """
    spawners = owner.spawners
    others = [other for other in owner.orm_spawners if other != name]
    running = tuple(sorted(other for other in others if other in spawners and counts(spawners[other])))
    return Usage(
        named_servers=tuple(sorted(other for other in owner.orm_spawners if other)),
        running=len(running),
        running_names=running,
    )


def counts(spawner: Any) -> bool:
    """Tell whether a server of the same owner runs, stops, or starts by leave of the policy."""
    if spawner.pending == "spawn":
        return bool(getattr(spawner, "admitted", True))
    return bool(spawner.active)
