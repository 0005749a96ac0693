"""`Engine`: Docker's API in five parts, and the one maker of labels.

Whoever reaches Docker's socket is root on the machine: only the hub holds an `Engine`, no server does.
Nothing here decides anything; a label says what an object is, never who may use it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .cache import StepCache
from .containers import Containers
from .images import Images
from .networks import Networks
from .pipes import Pipes
from .registries import Registries
from .stats import Stats
from .transport import QUICK, Transport
from .volumes import Volumes

if TYPE_CHECKING:
    from collections.abc import Mapping


class Engine:
    """Docker's API in five parts: `images`, `registries`, `containers`, `volumes`, `networks`.

    *hub* marks whose objects these are; *url* is a `unix://` or `tcp://` address, "" for DOCKER_HOST or the
    usual socket; *labels* go on everything made (tests add theirs). The connection opens with the first call.
    """

    def __init__(self, *, hub: str = "", url: str = "", labels: Mapping[str, str] | None = None) -> None:
        self.hub = hub
        self.extra_labels = dict(labels or {})
        self._docker = Transport(url)
        self.images = Images(self._docker)
        self.registries = Registries(self._docker)
        self.containers = Containers(self._docker)
        self.volumes = Volumes(self._docker)
        self.networks = Networks(self._docker)
        self.cache = StepCache(self._docker)
        self.pipes = Pipes(self._docker)
        self.stats = Stats(self._docker)

    @property
    def url(self) -> str:
        """Return the address of Docker's API."""
        return self._docker.url

    def labels(  # one optional field per label of the contract
        self,
        kind: str,
        *,
        owner: str = "",
        server: str | None = None,
        source: str = "",
        commit: str = "",
        digest: str = "",
        extra: Mapping[str, str] | None = None,
    ) -> dict[str, str]:
        """Return the labels of a new object, without empty fields (*server*: "" is the default server)."""
        ours = {"owner": owner, "source": source, "commit": commit, "digest": digest}
        fields = {f"versatilehub.{key}": value for key, value in ours.items() if value}
        if server is not None:
            fields["versatilehub.server"] = server
        created = datetime.now(UTC).isoformat(timespec="seconds")
        identity = {"versatilehub.hub": self.hub, "versatilehub.kind": kind, "versatilehub.created": created}
        return {**self.extra_labels, **(extra or {}), **fields, **identity}

    async def ping(self) -> None:
        """Raise `EngineUnavailable` unless Docker answers."""
        await self._docker.call("GET", "_ping", limit=QUICK)

    async def info(self) -> dict[str, Any]:
        """Return what Docker says of itself (versions, drivers, cgroup version)."""
        answer: dict[str, Any] = await self._docker.json("GET", "info", limit=QUICK)
        return answer

    async def close(self) -> None:
        """Close the connections; the next call opens them again."""
        await self._docker.close()
