"""Where storage appears in a container: a plan of values, made without Docker.

- No two mounts share a path, and none is on a path the system or the server itself needs.
- A person gets the least of wish, grant and policy; what was not granted is refused as what does not exist.
- Every path the image declares as a VOLUME has something mounted on it: Docker would make an anonymous volume of no limit there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NoReturn

from versatilehub.errors import InvalidSpec, Refusal
from versatilehub.spec_values import UNITS, check_at
from versatilehub.text import nearest, quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from versatilehub.spec import Mount
    from versatilehub.volume_grants import Kind, MountGrant

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
#: More that a person's mount may not hide; an image may declare what it likes there.
PERSONAL_PATHS = ("/root", "/tmp", "/var/tmp")  # noqa: S108  # in the container
#: The home of the images, until the one that will run is known.
USUAL_HOME = "/home/jovyan"
#: Size of the tmpfs over one declared volume, in bytes. It counts as memory of the container.
TMPFS_SIZE = 64 * UNITS["M"]
#: Mounts of one container.
MOUNTS_MAX = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMount:
    """One mount. *source* is a Docker volume's name or a host folder ("bind"), "" for a tmpfs; *size* is the tmpfs's, else 0."""

    target: str
    kind: Literal["volume", "tmpfs", "bind"]
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
        return tuple(mount.target for mount in self.mounts if mount.kind != "tmpfs" and not mount.read_only)

    @property
    def fleeting(self) -> tuple[str, ...]:
        """Targets whose content a stop drops."""
        return tuple(mount.target for mount in self.mounts if mount.kind == "tmpfs")


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantedMount:
    """A mount somebody asked for and may have: *at* is its path, *read_only* the least of wish, grant and policy."""

    grant: MountGrant
    at: str
    read_only: bool

    def planned(self, source: str) -> PlannedMount:
        """Return it for `plan_mounts`, with the Docker volume or folder it is of."""
        kind: Literal["volume", "bind"] = "bind" if self.grant.bind else "volume"
        return PlannedMount(target=self.at, kind=kind, source=source, read_only=self.read_only)


def grant_mounts(
    wanted: Sequence[Mount],
    grants: Sequence[MountGrant],
    *,
    kinds: Collection[Kind] | Mapping[Kind, str],
    home: str = USUAL_HOME,
    content: str = "",
) -> tuple[GrantedMount, ...]:
    """Return what of *wanted* appears and how; raise `Refusal` for the first that may not.

    *kinds* are those the policy allows, or each with "ro" or "rw"; *content* is the name of the folder in the home that
    repository content goes to, "" for none. Nothing is asked of Docker: this stands before any build.
    """
    known = {grant.name: grant for grant in grants if grant.kind in kinds}
    found: list[GrantedMount] = []
    for mount in wanted:
        grant = known.get(mount.volume)
        if grant is None:
            _refuse_volume(mount.volume, known)
        at = personal_target(mount.at, home, content)
        if grant.kind == "module" and at != grant.at:
            _refuse(
                f"The module {grant.name} appears at {grant.at}, and nowhere else.",
                f"Ask for it there: its programs know their own place. Not at {quoted(at)}.",
            )
        limit = kinds.get(grant.kind, "ro") if isinstance(kinds, Mapping) else "rw"
        read_only = "ro" in {mount.mode, grant.mode, limit}
        found.append(GrantedMount(grant=grant, at=at, read_only=read_only))
    _check_apart(found)
    return tuple(found)


def personal_target(path: str, home: str = USUAL_HOME, content: str = "") -> str:
    """Return the normal form of a path at which a person's volume may appear, or raise `Refusal`."""
    target = _allowed_target(path)
    hidden = (*SYSTEM_PATHS, home)
    hides = next((one for one in hidden if f"{one}/".startswith(f"{target}/")), "")
    if hides:
        _refuse(f"A volume at {quoted(target)} would hide {hides}.", f"Use a path below {home}.")
    first = target.split("/")[1]
    if first.startswith(".") or any(f"{target}/".startswith(f"{one}/") for one in PERSONAL_PATHS):
        _refuse(
            f"Nothing may be mounted at {quoted(target)}: the server needs what is there.",
            f"Use a path below {home}.",
        )
    inside = target.removeprefix(f"{home}/") if target.startswith(f"{home}/") else ""
    if inside.startswith("."):
        _refuse(
            f"Nothing may be mounted at {quoted(target)}: hidden folders of the home hold settings of the server.",
            "Use a folder whose name begins with no dot.",
        )
    if content and inside == content:
        _refuse(
            f"A volume at {quoted(target)} would hide the repository's files.",
            f"Use another folder, for example {home}/{content}-data.",
        )
    return target


def _check_apart(found: Sequence[GrantedMount]) -> None:
    for number, mount in enumerate(found):
        for other in found[:number]:
            if mount.at == other.at:
                _refuse(f"Two volumes would appear at {quoted(mount.at)}.", "Give each its own path.")
            if mount.grant.name == other.grant.name:
                _refuse(f"The volume {mount.grant.name} is asked for twice.", "Leave one out.")
            outer, inner = sorted((mount, other), key=lambda one: len(one.at))
            if inner.at.startswith(f"{outer.at}/"):
                _refuse(
                    f"The volume at {quoted(inner.at)} would be inside the one at {quoted(outer.at)}.",
                    "Put them side by side.",
                )


def module_environment(mounts: Sequence[GrantedMount], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that make the kernels of mounted modules appear, added to those of *environment*.

    JUPYTER_PATH leads to kernel specs, CONDA_ENVS_PATH lets nb_conda_kernels and conda find whole environments.
    """
    modules = [mount for mount in mounts if mount.grant.kind == "module"]
    if not modules:
        return {}
    paths = [f"{mount.at}/{folder}" for mount in modules for folder in mount.grant.jupyter_path]
    wanted = {"JUPYTER_PATH": paths, "CONDA_ENVS_PATH": [f"{mount.at}/envs" for mount in modules]}
    return {
        key: ":".join([*filter(None, [environment.get(key, "")]), *values])
        for key, values in wanted.items()
        if values
    }


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
        mounts[target] = replace(mount, target=target)
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


def _refuse_volume(name: str, known: Mapping[str, MountGrant]) -> NoReturn:
    near = nearest(name, tuple(known))
    yours = ", ".join(sorted(known)) or "none"
    raise Refusal(
        f"You may not mount a volume called {quoted(name)}.",
        hint=f"Did you mean {near}?" if near else f"Volumes you may mount: {yours}.",
        field="mounts",
        code="volume_not_granted",
        limit=yours,
        actual=name,
    )
