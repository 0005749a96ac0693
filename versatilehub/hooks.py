"""The planner and the volumes alone, as hooks of a stock DockerSpawner: ``pre_spawn_hook`` and ``post_stop_hook``.

A server gets a volume of its own at its home, and the mounts in its user options that its owner was granted. DockerSpawner tells nobody
that a server was deleted: the reconciler finds out within its grace period and trashes the volume.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from versatilehub.errors import InvalidSpec, VersatileHubError
from versatilehub.hub_records import owner_of
from versatilehub.mounts import USUAL_HOME, grant_mounts, module_environment, plan_mounts
from versatilehub.runtime import VersatileHub
from versatilehub.spawner_storage import grants_of, kinds_of
from versatilehub.spec import LaunchSpec
from versatilehub.web.errors import to_web_error

if TYPE_CHECKING:
    from versatilehub.mounts import PlannedMount
    from versatilehub.spec import Mount

#: What `LaunchSpec` wants to start from; only the mounts of it are used here.
_ANY = "stock/image:1"


async def mount_volumes(spawner: Any) -> None:
    """Give the server its volume and what it asks for in ``user_options["mounts"]``; a `pre_spawn_hook`.

    Raises what JupyterHub shows, for a mount that is not granted and for storage that cannot be had.
    """
    hub = VersatileHub.of(spawner.user.settings, config=spawner.config, log=spawner.log)
    hub.look_after_volumes()
    try:
        await _mount(spawner, hub)
    except VersatileHubError as error:
        raise to_web_error(error) from error


def look_again(spawner: Any) -> None:
    """Have what ended compared with the records soon; a `post_stop_hook`."""
    hub = VersatileHub.of(spawner.user.settings, config=spawner.config, log=spawner.log)
    hub.look_after_volumes()
    hub.reconciler.nudge()


async def _mount(spawner: Any, hub: VersatileHub) -> None:
    owner, limits = owner_of(spawner.user), hub.policy_of(spawner.user)
    wanted = _wanted(spawner.user_options)
    grants = await grants_of(hub, spawner.user, limits) if wanted else ()
    granted = grant_mounts(wanted, grants, kinds=kinds_of(limits))
    home = await hub.volumes.ensure(owner, spawner.name, cap=limits.server_volume_max)
    extra = [one.planned(await hub.mountable.serve(one, owner, spawner.name)) for one in granted]
    plan = plan_mounts(home=USUAL_HOME, home_volume=home.name, extra=extra)
    await hub.volumes.ready([one.source for one in plan.mounts if one.kind == "volume"])
    targets = {one.target for one in plan.mounts}
    kept = [one for one in spawner.mounts if one.get("target") not in targets]
    spawner.mounts = [*kept, *(_as_docker(one) for one in plan.mounts)]
    spawner.environment = {**spawner.environment, **module_environment(granted, spawner.environment)}


def _wanted(options: Any) -> tuple[Mount, ...]:
    """Return the mounts in user options, whatever else is in them."""
    mounts = options.get("mounts", []) if isinstance(options, dict) else []
    try:
        return LaunchSpec.from_json({"image": _ANY, "mounts": mounts}).mounts
    except InvalidSpec as error:
        raise InvalidSpec(error.message, hint=error.hint, field="mounts") from error


def _as_docker(mount: PlannedMount) -> dict[str, Any]:
    # DockerSpawner runs str.format over both texts.
    texts = {"source": mount.source, "target": mount.target}
    doubled = {key: text.replace("{", "{{").replace("}", "}}") for key, text in texts.items()}
    return {"type": mount.kind, "read_only": mount.read_only, **doubled}
