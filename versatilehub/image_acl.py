"""Who may run which image, for DockerSpawner's `allowed_images`: by user, by group of JupyterHub, and for everyone. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def images_by(
    *,
    groups: Mapping[str, Sequence[str]] | None = None,
    users: Mapping[str, Sequence[str]] | None = None,
    everyone: Sequence[str] = (),
) -> Callable[[Any], dict[str, str]]:
    """Return a callable for ``c.DockerSpawner.allowed_images``: the images of the server's owner, exact names with tag or digest.

    It is asked at each form and each start, so that a change of groups counts at once. A person for whom it gives nothing has the
    policy's list of images: leave that empty to give them none. Example::

        c.DockerSpawner.allowed_images = images_by(
            groups={"physics": ["quay.io/physics/lab:2026"]}, everyone=["versatilehub/singleuser:latest"]
        )
    """
    by_group, by_user, all_have = dict(groups or {}), dict(users or {}), tuple(everyone)

    def allowed(spawner: Any) -> dict[str, str]:
        mine = [group.name for group in spawner.user.groups]
        found = [*all_have, *by_user.get(spawner.user.name, ())]
        found += [image for group in by_group if group in mine for image in by_group[group]]
        return {image: image for image in found}

    return allowed
