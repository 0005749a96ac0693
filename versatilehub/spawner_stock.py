"""What stock DockerSpawner's options mean here, so that a configuration written for it keeps working.

`allowed_images` are the admin's word and stand in the place of the policy's images, `mem_limit` and `cpu_limit` in that of its sizes
(see `spawner_policy`); with `remove=False` a stopped container is resumed while it still fits.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple, replace
from typing import TYPE_CHECKING, Any

from versatilehub import networks, policy
from versatilehub.spawner_container import ContainerMixin
from versatilehub.spawner_policy import PolicyMixin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from versatilehub.builds.probe import Environment
    from versatilehub.spec import LaunchSpec

#: Says what a container was made for; one that stopped is resumed only for the same.
RESUME = "versatilehub.resume"


class StockMixin(PolicyMixin, ContainerMixin):
    """Options of DockerSpawner whose stock meaning needs help."""

    #: The image step two settled on, while DockerSpawner's own `start` asks about images again.
    _settled: str = ""
    _resumed: bool = False

    async def start_container(self, image: str) -> Any:
        """Run the `start` of the class under the mixins with *image* as the answer to its questions."""
        if self.network_name == self.runtime.network:
            # `configure` has made it; on a stock hub the first server does.
            await networks.ensure_servers(self.runtime.engine, self.network_name, self.runtime.hub_id)
        self.image = self._settled = image
        try:
            return await super().start()
        finally:
            self._settled = ""

    async def check_allowed(self, image: str) -> str:
        """Return the image that a name of `allowed_images` stands for."""
        return self._settled or str(await super().check_allowed(image))

    def set_limits(self, spec: LaunchSpec | None) -> None:
        """Give the container what was granted: memory, CPUs, processes and graphics cards."""
        granted = policy.grant(spec, self.owner_policy())
        self.mem_limit, self.cpu_limit = granted.memory, granted.cpus
        self._granted = granted
        pids = min(granted.pids, self.runtime.pids_limit or granted.pids)
        self._shape = replace(self._shape, pids=pids, gpus=granted.gpus)

    # -- remove=False ------------------------------------------------------------------------

    async def make_way(self, environment: Environment) -> None:
        """Remove what an earlier start left, but for a stopped container that `remove=False` keeps and that still fits.

        Stock resumes whatever has the name: a new image, limit or commit then changes nothing, and says nothing.
        """
        key = self._resume_key(environment)
        self._shape = replace(self._shape, labels={**self._shape.labels, RESUME: key})
        found = None if self.remove else await self.get_object()
        self._resumed = found is not None and _rests(found) and _labels_of(found).get(RESUME) == key
        if not self._resumed:
            await self.clear_the_way()

    def _resume_key(self, environment: Environment) -> str:
        mounts = [astuple(mount) for mount in self._shape.mounts]
        commit = self._shape.labels.get("versatilehub.commit", "")
        made_of = [environment.image_id, commit, self.mem_limit, self.cpu_limit, self.default_url, mounts]
        made_of += [self._shape.pids, self._shape.gpus]
        return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16]

    async def undo_start(self) -> None:
        """End the container of a failed start: one that was resumed keeps what is in it, any other is removed."""
        if self._resumed:
            await super().stop_object()
        else:
            await self.clear_the_way()


def _rests(found: Mapping[str, Any]) -> bool:
    return bool(found["State"].get("Status") == "exited")


def _labels_of(found: Mapping[str, Any]) -> Mapping[str, str]:
    return (found.get("Config") or {}).get("Labels") or {}
