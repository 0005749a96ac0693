"""Can a server run in this image? Found by reading its files, and only if they do not tell, by a few lines of sh in it.

The image is not trusted: no network, no capability, read-only, as its own user but never as root. Found once for an
image, for one of one id never changes. An image no server can run in is `ImageUnusable`, now.
"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from versatilehub.errors import EngineFailure, EngineUnavailable, ImageUnusable

from .look import ImageFiles

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from versatilehub.engine import Engine, Image

REPO_DIR: Final = "/srv/repo"
"""Where an image keeps the pristine content of its repository."""
FORCED_USER: Final = "1000:100"
"""Who runs in an image whose own user is root: the user of our images."""
_HOME: Final = "/home/jovyan"
_LIMIT: Final = 20.0
"""Seconds the look may take; a command of the image that hangs is as good as none."""

# Built-ins of sh, and the command itself for its version: only asked when its files do not tell.
_SCRIPT: Final = r"""
while read -r key value rest; do case "$key" in Uid:) echo "uid=$value";; Gid:) echo "gid=$value";; esac; done </proc/self/status
echo "home=$HOME"
[ -d /srv/repo ] && echo "repo=yes"
p=$(command -v jupyterhub-singleuser) || exit 0
echo "command=$p"
echo "version=$("$p" --version 2>/dev/null)"
"""
_VALUES: Final[Mapping[str, re.Pattern[str]]] = {
    "uid": re.compile(r"\d{1,10}"),
    "gid": re.compile(r"\d{1,10}"),
    "home": re.compile(r"/[\w./+@-]{0,255}"),
    "repo": re.compile(r"yes"),
    "command": re.compile(r"/[^\x00-\x1f]{1,255}"),
    "version": re.compile(r"[\w.+-]{1,40}"),
    "python": re.compile(r"3\.\d{1,2}"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """An image a server can run in. *user* is uid:gid, *version* jupyterhub's in it, *size* bytes.

    *reads* are the private submodules in it, which whoever starts it must be able to read.
    *repo_dir* is "" for an image without repository content; *warnings* are sentences for whoever starts it.
    """

    image: str
    image_id: str
    commit: str = ""
    pack: str = ""
    user: str = ""
    home: str = ""
    version: str = ""
    python: str = ""
    volumes: tuple[str, ...] = ()
    entrypoint: bool = False
    size: int = 0
    repo_dir: str = ""
    reads: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Probes:
    """Looks at images; what was found is kept on disk by image id, for an image of one id never changes."""

    def __init__(self, engine: Engine, folder: Path, *, hub_version: str) -> None:
        self._engine = engine
        self._folder = folder
        self._hub_version = hub_version
        self._known: dict[str, Mapping[str, str]] = {}
        self._looking: dict[str, asyncio.Task[Mapping[str, str]]] = {}
        self._leavings: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Wait for looks under way, and until their containers are gone."""
        await asyncio.gather(*self._looking.values(), return_exceptions=True)
        await asyncio.gather(*self._leavings, return_exceptions=True)

    async def look(self, name: str) -> Environment:
        """Return what the image *name* offers; `ImageUnusable` when no server can run in it."""
        image = await self._engine.images.inspect(name)
        if image.id not in self._known:
            if image.id not in self._looking:
                self._looking[image.id] = asyncio.create_task(self._find(image))
                self._looking[image.id].add_done_callback(lambda _: self._looking.pop(image.id))
            # One look for all who ask; one who leaves does not cut it off, for its container must be removed.
            self._known[image.id] = await asyncio.shield(self._looking[image.id])
        found = self._known[image.id]
        return judge(_environment(image, name, found), self._hub_version, command=found.get("command", ""))

    async def _find(self, image: Image) -> Mapping[str, str]:
        kept = self._folder / f"{image.id.removeprefix('sha256:')}.json"
        found = await asyncio.to_thread(_load, kept)
        if found is None:
            found = await self._run(image)
            await asyncio.to_thread(_save, kept, found)
        return found

    async def _run(self, image: Image) -> dict[str, str]:
        user = str(image.config.get("User") or "")
        forced = user.split(":", maxsplit=1)[0] in {"", "0", "root"}
        found = await self._look_as(image, FORCED_USER if forced else user)
        if found.get("uid") == "0":  # another name for root
            found = await self._look_as(image, FORCED_USER)
        return found

    async def _look_as(self, image: Image, user: str) -> dict[str, str]:
        containers = self._engine.containers
        spec = {
            **_SPEC,
            "Image": image.id,
            "User": user,
            "Labels": self._engine.labels("helper", extra={"versatilehub.role": "probe"}),
        }
        name = await containers.create(f"vh-probe-{uuid.uuid4().hex[:20]}", spec)
        try:
            files = ImageFiles(containers, name)
            found = checked(await files.facts(image.config, user, expected=self._hub_version))
            if "command" in found and "version" not in found and found.get("uid") != "0":
                found |= await self._ask(name)
            return found
        finally:
            self._leavings.add(removal := asyncio.create_task(containers.remove(name)))
            removal.add_done_callback(self._leavings.discard)

    async def _ask(self, container: str) -> dict[str, str]:
        """Run the script; without a shell there is nothing more to be known."""
        lines: list[str] = []
        try:
            await self._engine.containers.start(container)
            async with asyncio.timeout(_LIMIT), aclosing(self._engine.containers.logs(container)) as batches:
                async for batch in batches:
                    lines.extend(batch)
        except EngineUnavailable:
            raise
        except (EngineFailure, TimeoutError):
            return parse(lines)
        return parse(lines)


def parse(lines: list[str]) -> dict[str, str]:
    """Return the answers of the script, the first of each key."""
    found: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition("=")
        found.setdefault(key, value)
    return checked(found)


def checked(found: Mapping[str, str]) -> dict[str, str]:
    """Return what has the form of an answer: an image may hold anything."""
    return {key: value for key, value in found.items() if key in _VALUES and _VALUES[key].fullmatch(value)}


def judge(environment: Environment, hub_version: str, *, command: str) -> Environment:
    """Return the environment with its warnings; `ImageUnusable` when a server of this hub cannot run in it.

    The hub talks to single-user servers of its own and the previous major version; other differences are warned of.
    """
    ours = _numbers(hub_version)
    add = (
        f"Add `RUN pip install jupyterhub=={ours[0]}.{ours[1]}.*` to its Dockerfile."
        if ours
        else "Install jupyterhub in it."
    )
    if not command:
        message = "The image has no `jupyterhub-singleuser` command, so no server can run in it."
        raise ImageUnusable(message, hint=add)
    theirs = _numbers(environment.version)
    if not ours or theirs == ours:
        return environment
    if not theirs:
        return _warned(environment, "The version of jupyterhub in the image could not be found out.")
    if theirs[0] < ours[0] - 1:
        message = f"The image has jupyterhub {environment.version}; this hub ({hub_version}) works with {ours[0] - 1} or newer."
        raise ImageUnusable(message, hint=add)
    return _warned(environment, f"The image has jupyterhub {environment.version}, this hub is {hub_version}.")


def _warned(environment: Environment, sentence: str) -> Environment:
    return replace(environment, warnings=(*environment.warnings, sentence))


def _numbers(version: str) -> tuple[int, int] | None:
    found = re.fullmatch(r"(\d{1,4})\.(\d{1,4})(?:[.\w+-]*)", version)
    return (int(found[1]), int(found[2])) if found else None


def _environment(image: Image, name: str, found: Mapping[str, str]) -> Environment:
    home = found.get("home", _HOME)
    return Environment(
        image=name,
        image_id=image.id,
        commit=image.labels.get("versatilehub.commit", ""),
        pack=image.labels.get("versatilehub.pack", ""),
        user=f"{found.get('uid', '1000')}:{found.get('gid', '100')}",
        home=_HOME if home == "/" else home,
        version=found.get("version", ""),
        python=found.get("python", ""),
        volumes=tuple(sorted(image.config.get("Volumes") or ())),
        entrypoint=bool(image.config.get("Entrypoint")),
        size=image.size,
        repo_dir=REPO_DIR if "repo" in found else "",
        reads=_reads(image.labels.get("versatilehub.reads", "")),
    )


def _reads(label: str) -> tuple[str, ...]:
    """Return the private submodules that our builder says an image holds: a label of ours only ever narrows who may use it."""
    try:
        urls = json.loads(label or "[]")
    except ValueError:
        return ()
    return tuple(url for url in urls if isinstance(url, str)) if isinstance(urls, list) else ()


_SPEC: Final[Mapping[str, Any]] = {
    "Entrypoint": ["/bin/sh", "-c", _SCRIPT],
    "Cmd": [],
    "Healthcheck": {"Test": ["NONE"]},
    "NetworkDisabled": True,
    "HostConfig": {
        "NetworkMode": "none",
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "ReadonlyRootfs": True,
        "Tmpfs": {"/tmp": "rw,nosuid,nodev,size=16m,mode=1777"},  # noqa: S108  # in the container
        "Memory": 256 << 20,
        "MemorySwap": 256 << 20,
        "PidsLimit": 64,
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "100k", "max-file": "1"}},
    },
}


def _load(path: Path) -> dict[str, str] | None:
    try:
        raw = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return raw if isinstance(raw, dict) else None


def _save(path: Path, found: Mapping[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(dict(found)))
    fresh.replace(path)


def to_json(environment: Environment) -> dict[str, Any]:
    """Return the environment as JSON, for a page or a script."""
    return asdict(environment)
