"""What Docker is told about a user's container: pure, from the arguments DockerSpawner made to the ones that are sent.

Guarantees: every default below holds unless the admin's own configuration set that key; our labels win over labels an
image brings; the result never carries a setting of `FORBIDDEN` unless the admin asked for it by name.
Source of the values: docs/explanation/isolation.md, one test inside a running server per row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MIB = 1024 * 1024
#: A bind of one of these hands over Docker's socket with it.
FOLDERS_WITH_SOCKET = frozenset({"/", "/run", "/var", "/var/run"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """The limits of one user container that are the same for everyone.

    Sizes are bytes. *runtime* is a Docker runtime such as ``runsc``, "" for the engine's own.
    """

    pids: int = 512
    open_files: int = 8192
    shm_size: int = 64 * MIB
    log_size: str = "10m"
    log_files: int = 2
    oom_score_adj: int = 500
    cgroup_parent: str = ""
    runtime: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerMount:
    """One mount of a container: a volume, a host folder (*bind*), or a tmpfs when *source* is ""."""

    target: str
    source: str = ""
    read_only: bool = False
    size: int = 0
    bind: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerShape:
    """What one start adds: labels, mounts, the user the process runs as and its working directory ("" = image's).

    *pids* are processes and threads (0: those of `Isolation`), *gpus* graphics cards.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    mounts: Sequence[ContainerMount] = ()
    user: str = ""
    working_dir: str = ""
    pids: int = 0
    gpus: int = 0


def _host_defaults(isolation: Isolation, shape: ContainerShape) -> dict[str, Any]:
    """Return HostConfig keys in the Engine API's own spelling."""
    host: dict[str, Any] = {
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "PidsLimit": shape.pids or isolation.pids,
        # `nproc` is left out: it counts per uid over every tenant of the host.
        "Ulimits": [
            {"Name": "nofile", "Soft": isolation.open_files, "Hard": isolation.open_files},
            {"Name": "core", "Soft": 0, "Hard": 0},
        ],
        "ShmSize": isolation.shm_size,
        "OomScoreAdj": isolation.oom_score_adj,
        "LogConfig": {
            "Type": "json-file",
            "Config": {"max-size": isolation.log_size, "max-file": str(isolation.log_files)},
        },
        "Init": True,
        "IpcMode": "private",
        "RestartPolicy": {"Name": "no"},
    }
    if shape.gpus:
        host["DeviceRequests"] = [{"Driver": "", "Count": shape.gpus, "Capabilities": [["gpu"]]}]
    if isolation.cgroup_parent:
        host["CgroupParent"] = isolation.cgroup_parent
    if isolation.runtime:
        host["Runtime"] = isolation.runtime
    return host


def _mounts(mounts: Sequence[ContainerMount]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for mount in mounts:
        if mount.bind:
            # Nothing mounted below it comes along read-only: engines before 25 would leave that writable.
            options: dict[str, Any] = {"Propagation": "rprivate", "NonRecursive": mount.read_only}
            row = {
                "Type": "bind",
                "Source": mount.source,
                "Target": mount.target,
                "ReadOnly": mount.read_only,
            }
            rows.append({**row, "BindOptions": options})
        elif mount.source:
            rows.append(
                {
                    "Type": "volume",
                    "Source": mount.source,
                    "Target": mount.target,
                    "ReadOnly": mount.read_only,
                }
            )
        else:
            options = {"SizeBytes": mount.size, "Mode": 0o1777} if mount.size else {"Mode": 0o1777}
            rows.append({"Type": "tmpfs", "Target": mount.target, "TmpfsOptions": options})
    return rows


def harden(create: Mapping[str, Any], isolation: Isolation, shape: ContainerShape) -> dict[str, Any]:
    """Return the arguments of ``create_container`` with our defaults below the admin's settings and our labels above all.

    *create* is what DockerSpawner would send (docker-py keywords; ``host_config`` in the Engine API's spelling).
    """
    made = dict(create)
    host = dict(made.get("host_config") or {})
    for key, value in _host_defaults(isolation, shape).items():
        if host.get(key) in (None, "", [], {}):
            host[key] = value
    if host.get("Memory") and not host.get("MemorySwap"):
        # Equal values mean no swap; Docker's own default lets a container swap as much again.
        host["MemorySwap"] = host["Memory"]
    # An exited container must stay until its exit reason and last lines have been read.
    host["AutoRemove"] = False
    host["Mounts"] = [*(host.get("Mounts") or []), *_mounts(shape.mounts)]
    made["host_config"] = host
    if shape.user:
        made.setdefault("user", shape.user)
    if shape.working_dir:
        made.setdefault("working_dir", shape.working_dir)
    made.setdefault("healthcheck", {"test": ["NONE"]})
    made.setdefault("stop_signal", "SIGTERM")
    made["labels"] = {**_as_labels(made.get("labels")), **shape.labels}
    return made


def _as_labels(labels: object) -> dict[str, str]:
    if isinstance(labels, Mapping):
        return {str(key): str(value) for key, value in labels.items()}
    if isinstance(labels, (list, tuple)):
        return {str(key): "" for key in labels}
    return {}


def dangers(create: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each setting that gives the container power over the host; [] when there is none."""
    host = create.get("host_config") or {}
    found = []
    if host.get("Privileged"):
        found.append("Privileged gives the container every right of root on the host.")
    if host.get("CapAdd"):
        found.append(f"CapAdd {', '.join(host['CapAdd'])} gives kernel rights back to the container.")
    if host.get("Devices"):
        found.append("Devices of the host are handed to the container.")
    shared = [key for key in ("PidMode", "NetworkMode", "IpcMode", "UsernsMode") if host.get(key) == "host"]
    found.extend(f"{key} host shares that namespace of the host." for key in shared)
    found.extend(
        f"SecurityOpt {option} switches a protection off."
        for option in host.get("SecurityOpt") or []
        if "unconfined" in option
    )
    sources = [str(bind).split(":", 1)[0] for bind in host.get("Binds") or []]
    sources += [str(row.get("Source")) for row in host.get("Mounts") or [] if row.get("Type") == "bind"]
    found.extend(
        f"{source} is root on the host."
        for source in sources
        if source.endswith("docker.sock") or source in FOLDERS_WITH_SOCKET
    )
    return found
