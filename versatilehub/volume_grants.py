"""Who may mount what: the volumes an administrator registers, and the grants one person has.

An entry names nobody by itself: without `groups` and `users` no one may mount it. A person who is named more than once
gets the widest mode. Host folders that would hand over the machine are refused when the configuration is read.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal, NoReturn, cast

from versatilehub.errors import InvalidInput, InvalidSpec
from versatilehub.spec_values import check_at, check_volume, parse_size
from versatilehub.text import nearest, quoted

Mode = Literal["ro", "rw"]
Kind = Literal["home", "disk", "shared", "data", "module", "scratch"]
Lifetime = Literal["server", "user", "workspace", "admin"]

#: What a policy's `mount_kinds` may name; a home and a server's disk come by themselves.
MOUNT_KINDS: tuple[Kind, ...] = ("shared", "data", "module", "scratch")
#: What an administrator registers.
REGISTERED: tuple[Kind, ...] = ("shared", "data", "module")
#: Names with a meaning of their own.
RESERVED = frozenset({"home", "disk", "scratch"})
#: The group everybody is in.
EVERYONE = "*"
#: Host folders nobody mounts, nor anything below them.
HOST_SECRETS = ("/boot", "/dev", "/etc", "/proc", "/root", "/run", "/sys", "/var/lib/docker", "/var/run")
_KEYS = ("name", "path", "volume", "description", "at", "groups", "users", "jupyter_path", "size")
_DOCKER_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredVolume:
    """A volume the administrator offers: a host folder (*path*), a Docker volume (*docker*), or one of ours, made at first use.

    *at* is where a module must appear; for others it is only proposed. *groups* and *users* say who, and how.
    *jupyter_path* are folders of a module with kernels, relative to it. *size* in bytes caps one of ours, 0 for the policy's.
    """

    name: str
    kind: Kind
    path: str = ""
    docker: str = ""
    description: str = ""
    at: str = ""
    groups: Mapping[str, Mode] = field(default_factory=dict)
    users: Mapping[str, Mode] = field(default_factory=dict)
    jupyter_path: tuple[str, ...] = ()
    size: int = 0

    def mode_for(self, user: str, groups: Collection[str]) -> Mode | None:
        """Return how *user* may mount it, None for not at all."""
        modes = {self.groups[group] for group in (*groups, EVERYONE) if group in self.groups}
        modes |= {self.users[user]} if user in self.users else set()
        if not modes:
            return None
        return "rw" if "rw" in modes and self.kind != "module" else "ro"


@dataclass(frozen=True, slots=True, kw_only=True)
class MountGrant:
    """What one person may mount under *name*, at most in *mode*.

    *source* is a Docker volume's name or a host folder (*bind*), "" for a volume that is made when it is first mounted.
    """

    name: str
    kind: Kind
    mode: Mode
    source: str = ""
    bind: bool = False
    lifetime: Lifetime = "admin"
    at: str = ""
    description: str = ""
    owner: str = ""
    jupyter_path: tuple[str, ...] = ()
    size: int = 0


def grants_for(
    user: str, groups: Collection[str], registered: Sequence[RegisteredVolume]
) -> tuple[MountGrant, ...]:
    """Return what of *registered* a person may mount."""
    found = []
    for one in registered:
        mode = one.mode_for(user, groups)
        if mode is not None:
            grant = MountGrant(
                name=one.name,
                kind=one.kind,
                mode=mode,
                source=one.path or one.docker,
                bind=bool(one.path),
                at=one.at,
                description=one.description,
                jupyter_path=one.jupyter_path,
                size=one.size,
            )
            found.append(grant)
    return tuple(found)


def parse_registered(tables: Mapping[str, object], origin: str = "volumes") -> tuple[RegisteredVolume, ...]:
    """Return the volumes of ``{"data": [...], "shared": [...], "module": [...]}``.

    Raises `InvalidInput`, code ``invalid_volumes``, with the entry and the reason.
    """
    found: list[RegisteredVolume] = []
    for kind, rows in tables.items():
        if kind not in REGISTERED:
            _wrong(origin, f"has an unknown table {quoted(kind)}", f"The tables are {', '.join(REGISTERED)}.")
        if not isinstance(rows, (list, tuple)):
            _wrong(origin, f"{kind} is a list of tables", f"Write [[{kind}]].")
        found.extend(_read(row, kind, origin) for row in rows)
    names = [one.name for one in found]
    twice = next((name for name in names if names.count(name) > 1), "")
    if twice:
        _wrong(origin, f"has two volumes called {twice}", "Give each its own name.")
    return tuple(found)


def parse_toml(text: str, origin: str = "volumes") -> dict[str, object]:
    """Return the tables of a TOML *text* for `parse_registered`."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidInput(f"{origin} is not TOML: {error}.", code="invalid_volumes") from error


def _read(row: object, kind: Kind, origin: str) -> RegisteredVolume:
    if not isinstance(row, Mapping):
        _wrong(origin, f"{kind}: an entry is a table, and is {quoted(row)}", 'For example {"name": "sky"}.')
    unknown = next((str(key) for key in row if key not in _KEYS), "")
    if unknown:
        near = nearest(unknown, _KEYS)
        hint = f"Did you mean {near}?" if near else f"The keys are {', '.join(_KEYS)}."
        _wrong(origin, f"{kind}: there is no key {quoted(unknown)}", hint)
    try:
        name = check_volume(row.get("name"))
        where = f"{origin}: {kind} {name}"
        at = check_at(row["at"]) if row.get("at") else ""
        size = parse_size(row["size"]) if row.get("size") else 0
    except InvalidSpec as error:
        _wrong(f"{origin}: {kind}", error.message.rstrip("."), error.hint)
    if name in RESERVED:
        _wrong(where, "the name has a meaning of its own", f"Not {', '.join(sorted(RESERVED))}.")
    path, docker = _place(row, kind, where)
    return RegisteredVolume(
        name=name,
        kind=kind,
        path=path,
        docker=docker,
        description=_text(row.get("description", ""), where, "description"),
        at=at or (f"/opt/modules/{name}" if kind == "module" else ""),
        groups=_modes(row.get("groups", ()), where, "groups"),
        users=_modes(row.get("users", ()), where, "users"),
        jupyter_path=_folders(row.get("jupyter_path", ("share/jupyter",)), where) if kind == "module" else (),
        size=size,
    )


def _place(row: Mapping[str, object], kind: Kind, where: str) -> tuple[str, str]:
    path, docker = row.get("path", ""), row.get("volume", "")
    if path and docker:
        _wrong(where, "has both a path and a volume", "Leave one out.")
    if kind != "shared" and not (path or docker):
        _wrong(where, "has neither a path nor a volume", "Say where its files are.")
    if docker and not (isinstance(docker, str) and len(docker) > 1 and set(docker) <= _DOCKER_NAME):
        _wrong(
            where,
            f"Docker has no volume called {quoted(docker)}",
            "Give the name that docker volume ls shows.",
        )
    return (check_host_path(path, where) if path else ""), (str(docker) if docker else "")


def check_host_path(value: object, where: str = "path") -> str:
    """Return the normal form of a host folder that may be mounted; `InvalidInput` for one that hands over the machine."""
    if not isinstance(value, str) or not value.startswith("/") or ".." in value.split("/") or "\0" in value:
        _wrong(where, f"path {quoted(value)} is no absolute path", "For example /srv/data.")
    path = str(PurePosixPath("/" + value.lstrip("/")))
    near = [
        one for one in HOST_SECRETS if f"{path}/".startswith(f"{one}/") or f"{one}/".startswith(f"{path}/")
    ]
    if path == "/" or near or path.endswith(".sock"):
        _wrong(where, f"path {quoted(path)} holds what runs this machine", "Give a folder made for data.")
    return path


def _modes(value: object, where: str, key: str) -> dict[str, Mode]:
    """Return name → mode; a list means read-only for each."""
    if isinstance(value, (list, tuple)):
        value = dict.fromkeys(value, "ro")
    if not isinstance(value, Mapping):
        _wrong(where, f"{key} is a table of name and ro or rw", 'For example {"physics": "ro"}.')
    for name, mode in value.items():
        if not isinstance(name, str) or not name or mode not in {"ro", "rw"}:
            _wrong(
                where, f"{key}: {quoted(name)} is to have ro or rw, and has {quoted(mode)}", "Write ro or rw."
            )
    return {name: cast("Mode", mode) for name, mode in value.items()}


def _folders(value: object, where: str) -> tuple[str, ...]:
    folders = [value] if isinstance(value, str) else value
    if not isinstance(folders, Sequence):
        _wrong(where, "jupyter_path is a list of folders", 'For example ["share/jupyter"].')
    for folder in folders:
        parts = folder.split("/") if isinstance(folder, str) else [".."]
        if ".." in parts or folder.startswith("/") or ":" in folder or not folder:
            _wrong(
                where, f"jupyter_path: {quoted(folder)} is no folder of it", 'For example "share/jupyter".'
            )
    return tuple(folders)


def _text(value: object, where: str, key: str) -> str:
    if not isinstance(value, str) or len(value) > 200:
        _wrong(where, f"{key} is a text of at most 200 characters", "Make it shorter.")
    return value


def _wrong(where: str, what: str, hint: str) -> NoReturn:
    raise InvalidInput(f"{where}: {what}.", hint=hint, field="volumes", code="invalid_volumes")
