"""Where storage appears in a container: a plan of values, made without Docker.

- No two mounts share a path, and none is on a path the system or the server itself needs.
- Every path the image declares as a VOLUME has something mounted on it: Docker would otherwise make an anonymous volume
  there, as large as the host's disk, also under a read-only root.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NoReturn

from versatilehub.errors import InvalidSpec, Refusal
from versatilehub.spec_values import UNITS, check_at
from versatilehub.text import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Paths no mount may hide, nor anything below them.
SYSTEM_PATHS = (
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt/conda",
    "/proc",
    "/run",
    "/sbin",
    "/srv/repo",
    "/sys",
    "/usr",
    "/var/run",
)
#: Size of the tmpfs over one declared volume, in bytes. It counts as memory of the container.
TMPFS_SIZE = 64 * UNITS["M"]
#: Mounts of one container.
MOUNTS_MAX = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMount:
    """One mount. *source* is a Docker volume's name, "" for a tmpfs; *size* is the tmpfs's limit in bytes, else 0."""

    target: str
    kind: Literal["volume", "tmpfs"]
    source: str = ""
    read_only: bool = False
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MountPlan:
    """The mounts of one container, by target."""

    mounts: tuple[PlannedMount, ...] = ()

    @property
    def lasting(self) -> tuple[str, ...]:
        """Targets whose content is there after a stop."""
        return tuple(mount.target for mount in self.mounts if mount.kind == "volume" and not mount.read_only)

    @property
    def fleeting(self) -> tuple[str, ...]:
        """Targets whose content a stop drops."""
        return tuple(mount.target for mount in self.mounts if mount.kind == "tmpfs")


def plan_mounts(
    *,
    home: str,
    home_volume: str,
    image_volumes: Sequence[str] = (),
    extra: Sequence[PlannedMount] = (),
    tmpfs_size: int = TMPFS_SIZE,
) -> MountPlan:
    """Return the plan for a container; raise `Refusal` when it cannot be had.

    *home* is the image's home, *home_volume* the Docker volume for it ("" for none), *image_volumes* the paths the
    image declares, *extra* further volumes by policy's leave.
    """
    mounts: dict[str, PlannedMount] = {}
    wanted = [PlannedMount(target=home, kind="volume", source=home_volume)] if home_volume else []
    for mount in (*wanted, *extra):
        target = _allowed_target(mount.target)
        if target in mounts:
            _refuse(f"Two volumes would appear at {quoted(target)}.", "Give each its own path.")
        mounts[target] = PlannedMount(
            target=target, kind=mount.kind, source=mount.source, read_only=mount.read_only, size=mount.size
        )
    for path in image_volumes:
        target = _allowed_target(path)
        mounts.setdefault(target, PlannedMount(target=target, kind="tmpfs", size=tmpfs_size))
    if len(mounts) > MOUNTS_MAX:
        _refuse(f"A server has at most {MOUNTS_MAX} mounts; this one has {len(mounts)}.", "Leave some out.")
    return MountPlan(mounts=tuple(mounts[target] for target in sorted(mounts)))


def _allowed_target(path: str) -> str:
    """Return the normal form of *path* if something may be mounted there."""
    try:
        target = check_at(path)
    except InvalidSpec as error:
        raise Refusal(error.message, hint=error.hint, field="mounts", code="mount_refused") from error
    if target == "/" or any(f"{target}/".startswith(f"{system}/") for system in SYSTEM_PATHS):
        _refuse(
            f"Nothing may be mounted at {quoted(target)}: the system or the server needs what is there.",
            "Use a path below the home directory; in a Dockerfile, remove that VOLUME line.",
        )
    if target.endswith(".sock"):
        _refuse(
            f"Nothing may be mounted at a socket, {quoted(target)}.", "Use a path below the home directory."
        )
    return target


def _refuse(message: str, hint: str) -> NoReturn:
    raise Refusal(message, hint=hint, field="mounts", code="mount_refused")
