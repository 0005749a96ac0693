"""What Docker is told about each container of a build: command, job, labels, walls, limits.

fetch has a network and nothing else, render has neither network nor socket, build has the socket and runs no code of
the repository itself. Their environment is one variable, their root is read-only, all they share is the work volume.
"""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING, Any, Final

from versatilehub import naming
from versatilehub.source_address import is_under, split_url

from .attempt import GIB, Attempt, BuildSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from versatilehub.engine import Engine
    from versatilehub.engine.images import Image

ROLES: Final = ("fetch", "render", "build")
RENDER_ONLINE: Final = "render-online"
"""The second rendering of a pack that has to look versions up."""
USER: Final = 1000
"""Who fetch and render run as, and whose the builder image's /work is: Docker gives a fresh volume its owner."""
_LOG_ROOM: Final = 16
"""Bytes Docker's log file may have for each byte of build log: a line of one letter grows to that much."""
_ROOM: Final = 64 << 10
"""Bytes of names of local images: a variable of a container's environment has room for 128 KiB in all."""
_LOG_SPARE: Final = 4 << 20
"""Bytes for what the builder says itself. Docker must never turn the log over: lines are counted from its first."""


class Specs:
    """Docker's specs of the containers of builds."""

    def __init__(self, engine: Engine, settings: BuildSettings) -> None:
        self._engine = engine
        self._settings = settings
        self._network_id = ""

    async def spec(self, attempt: Attempt, role: str) -> dict[str, Any]:
        """Return Docker's spec of one container."""
        command = role.removesuffix("-online")
        job = self.job(attempt, role)
        if command == "render":
            job["local"] = local_names(await self._engine.images.list({}))
        binds = {"build": self._build_mounts(attempt)}
        mounts = binds.get(command) or [_volume(attempt.volume, read_only=False, copy=command == "fetch")]
        network = await self._network_of(attempt, role)
        host = {
            **_HOST,
            "Mounts": mounts,
            "Memory": GIB,
            "MemorySwap": GIB,
            "NanoCpus": int(self._settings.cpus * 1e9),
            "NetworkMode": network,
            "LogConfig": {
                "Type": "json-file",
                "Config": {
                    "max-size": str(_LOG_ROOM * self._settings.log_limit + _LOG_SPARE),
                    "max-file": "1",
                },
            },
        }
        # A login comes by this pipe once the container runs: all else that Docker is told, it shows and keeps.
        pipe = {"OpenStdin": True, "StdinOnce": False} if role == "fetch" and attempt.reader else {}
        return {
            **pipe,
            "Image": attempt.builder,
            "Entrypoint": ["python", "-m", f"versatilehub_builder.{command}"],
            "Cmd": [],
            "User": "0:0" if command == "build" else f"{USER}:{USER}",
            "WorkingDir": "/tmp",  # noqa: S108  # the container's own tmpfs
            "Env": ["HOME=/tmp", f"VERSATILEHUB_JOB={json.dumps(job)}"],
            "Labels": self.labels(attempt, role),
            "Healthcheck": {"Test": ["NONE"]},
            # With "none" alone Docker still sets a network up and starts itself anew for it: a tenth of a second.
            "NetworkDisabled": network == "none",
            "HostConfig": host,
        }

    def labels(self, attempt: Attempt, role: str) -> dict[str, str]:
        """Return the labels of what one attempt has in Docker."""
        return self._engine.labels(
            "build",
            source=attempt.source.url,
            commit=attempt.source.commit,
            digest=attempt.identity,
            extra={"versatilehub.attempt": attempt.id, "versatilehub.role": role},
        )

    def job(self, attempt: Attempt, role: str) -> dict[str, Any]:
        """Return the input of one command, as docs/design.md says."""
        settings, source = self._settings, attempt.source
        where = {"url": source.url, "commit": source.commit, "subdir": source.subdir}
        match role:
            case "fetch":
                limits = {
                    "seconds": settings.fetch_timeout,
                    "bytes": settings.tree_bytes,
                    "files": settings.tree_files,
                }
                prefixes = [f"{top.origin}{top.path}" for top in map(split_url, settings.extra_sources)]
                record = {"record": source.record.packed()} if source.record else {}
                asks = {"login": bool(attempt.reader), "private": source.private}
                allowed = {"prefixes": prefixes, "hosts": list(settings.hosts)}
                return {**where, **asks, **allowed, "ref": source.ref, "limits": limits, **record}
            case "build":
                limits = {
                    "seconds": settings.timeout,
                    "idle_seconds": settings.idle_timeout,
                    "memory": settings.memory,
                    "cpus": settings.cpus,
                    "pids": settings.pids,
                    "log_bytes": settings.log_limit,
                    "disk": settings.disk,
                    "free": settings.disk_free,
                    "builds": settings.concurrent,
                }
                build = {**where, "labels": self.image_labels(attempt), "limits": limits}
                return {**build, "fresh": True} if attempt.fresh else build
            case _:
                job = {
                    **where,
                    "base": settings.base_image,
                    "images": list(settings.images),
                    "network": role == RENDER_ONLINE,
                    "limits": {"seconds": settings.render_timeout},
                }
                return job | ({"python": attempt.python} if attempt.python else {})

    def image_labels(self, attempt: Attempt) -> dict[str, str]:
        """Return the record an image of this attempt carries; the builder adds the pack."""
        source = attempt.source
        extra = {
            "versatilehub.subdir": source.subdir,
            "versatilehub.builder": attempt.builder,
            "versatilehub.base": attempt.base,
            "versatilehub.attempt": attempt.id,
            # For people who look: who may use an image is asked of its repository at each start, never of a label.
            "versatilehub.visibility": "private" if source.private else "public",
        }
        return self._engine.labels(
            "image", source=source.url, commit=source.commit, digest=attempt.identity, extra=extra
        )

    def _build_mounts(self, attempt: Attempt) -> list[dict[str, Any]]:
        url = self._engine.url
        socket = url.removeprefix("unix://") if url.startswith("unix://") else "/var/run/docker.sock"
        return [
            _volume(attempt.volume, read_only=True),
            {"Type": "bind", "Source": socket, "Target": "/var/run/docker.sock"},
            {"Type": "bind", "Source": "/sys/fs/cgroup", "Target": "/sys/fs/cgroup"},
        ]

    async def _network_of(self, attempt: Attempt, role: str) -> str:
        if role not in {"fetch", RENDER_ONLINE}:
            return "none"
        record = attempt.source.record
        urls = [file.url for file in record.files] if record else [attempt.source.url]
        if role == "fetch" and any(map(self._is_on_this_machine, urls)):
            return "host"  # no bridge reaches the host's loopback, and the administrator named this source
        if not self._network_id:
            name = self._settings.network or f"{naming.network_name(self._engine.hub)}-build"
            options = {"com.docker.network.bridge.enable_icc": "false"}
            self._network_id = await self._engine.networks.ensure(
                name, self._engine.labels("network"), options
            )
        return self._network_id

    def _is_on_this_machine(self, url: str) -> bool:
        """Whether *url* is on the loopback and below a prefix the administrator named."""
        address = split_url(url)
        return _is_loopback(address.host) and any(
            is_under(address, prefix) for prefix in self._settings.extra_sources
        )


_HOST: Final[Mapping[str, Any]] = {
    "CapDrop": ["ALL"],
    "SecurityOpt": ["no-new-privileges:true"],
    "PidsLimit": 256,
    "ReadonlyRootfs": True,
    "Tmpfs": {"/tmp": "rw,nosuid,nodev,size=256m,mode=1777"},  # noqa: S108  # in the container
    "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}],
    "OomScoreAdj": 500,
    "IpcMode": "private",
    "RestartPolicy": {"Name": "no"},
}


def local_names(images: Iterable[Image]) -> list[str]:
    """Return the names of *images* that no registry is known to serve: a Dockerfile would get this machine's own for them.

    Names of ours are left out, which the builder refuses by their form. Too many for one variable, they lose their tags: more is
    refused then, not less.
    """
    found = set()
    for image in images:
        served = {digest.partition("@")[0] for digest in image.digests}
        found |= {name for name in image.tags if name.rpartition(":")[0] not in served}
    names = sorted(name for name in found if not name.startswith((f"{naming.BUILT}/", "versatilehub/")))
    if len(json.dumps(names)) > _ROOM:
        names = sorted({name.rpartition(":")[0] for name in names})
    return names


def _volume(name: str, *, read_only: bool, copy: bool = False) -> dict[str, Any]:
    options = {"NoCopy": not copy}
    return {
        "Type": "volume",
        "Source": name,
        "Target": "/work",
        "ReadOnly": read_only,
        "VolumeOptions": options,
    }


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
