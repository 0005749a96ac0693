"""The jobs, read: one frozen dataclass for each command, made from the JSON object the hub gives.

Both sides are ours, so a wrong type is a bug and ends with ``bad_job``; keys we do not know are left alone, so that
hub and builder may differ by a release. Sizes are bytes, times seconds; 0 is no limit only where it is said.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from versatilehub_builder.hosts import is_under, pinned
from versatilehub_builder.lines import JSON, Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

GIB = 1024**3
WORK = Path("/work")


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """Bounds of a checkout (security review §3)."""

    seconds: float = 300.0
    bytes: int = 2 * GIB
    files: int = 100_000
    free: int = GIB // 4  # what must stay free on the disk of the work volume
    submodules: int = 10
    nesting: int = 3  # submodules of submodules of submodules


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchJob:
    """Bring *commit* of *url*, or what the plan *record* of an archive names; http only below one of *prefixes*.

    Other hosts only if they are public, and among *hosts*. *login*: a line with the person's login for the host comes at
    standard input; *private*: this repository needs it.
    """

    url: str
    commit: str
    ref: str = ""
    subdir: str = ""
    record: str = ""
    prefixes: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    login: bool = False
    private: bool = False
    limits: FetchLimits = field(default_factory=FetchLimits)

    @property
    def http_allowed(self) -> bool:
        """Whether the admin named this URL's prefix, the only way to a source without TLS."""
        return any(is_under(self.url, prefix) for prefix in self.prefixes if prefix.startswith("http://"))

    def pin(self, url: str) -> str:
        """Return the addresses git must use for *url*: none below the site's prefixes, or where a proxy looks names up."""
        proxied = any(os.environ.get(name) for name in ("https_proxy", "HTTPS_PROXY"))
        return "" if proxied or any(is_under(url, prefix) for prefix in self.prefixes) else pinned(url)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderJob:
    """Choose the pack of the tree in the work volume and write its Dockerfile."""

    url: str
    commit: str
    subdir: str = ""
    base: str = "versatilehub/singleuser:latest"
    python: str = "3.13"  # of *base*
    images: tuple[str, ...] = ("versatilehub/singleuser",)  # local images a Dockerfile may build from
    local: tuple[str, ...] = ()  # names of images that are on this machine only, and not among *images*
    network: bool = False
    seconds: float = 600.0  # to wait for the fetch, and to render

    def cache_id(self, tree: Path) -> str:
        """Return the id of a package cache that only builds of equal trust write into, for a build script can.

        It is the repository's own for the end of a branch of it, where fetch leaves HEAD on that branch. Any other commit
        has one to itself: forges serve those of strangers' forks and requests under the repository's address, too.
        """
        head = tree / ".git" / "HEAD"
        on_branch = head.is_file() and head.read_text("utf-8", "replace").startswith("ref: refs/heads/")
        key = self.url if on_branch else f"{self.url} {self.commit}"
        return "vh-" + hashlib.sha256(key.encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildLimits:
    """Bounds of a build: the figures are for each step, the parent group holds *builds* times as much."""

    seconds: float = 1800.0
    idle_seconds: float = 0.0  # 0: no limit
    memory: int = 4 * GIB
    cpus: float = 2.0
    pids: int = 1024
    log_bytes: int = 16 * 1024 * 1024
    disk: int = 20 * GIB  # how far the free space of the engine's disk may fall meanwhile
    free: int = GIB  # what must stay free there
    builds: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildJob:
    """Hand the rendered context to BuildKit."""

    url: str = ""
    commit: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    fresh: bool = False  # use no cached step
    limits: BuildLimits = field(default_factory=BuildLimits)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceJob:
    """Bring the image's content into the folder *name* of a home."""

    name: str
    commit: str
    uid: int = 1000
    gid: int = 1000
    content: Path = Path("/content")
    volume: Path = Path("/volume")


def fetch_job(job: Mapping[str, JSON]) -> FetchJob:
    """Read a fetch job."""
    limits, default = _table(job, "limits"), FetchLimits()
    return FetchJob(
        url=_text(job, "url"),
        commit=_text(job, "commit"),
        ref=_text(job, "ref", ""),
        subdir=_text(job, "subdir", ""),
        record=_text(job, "record", ""),
        prefixes=_texts(job, "prefixes"),
        hosts=_texts(job, "hosts"),
        login=bool(job.get("login", False)),
        private=bool(job.get("private", False)),
        limits=FetchLimits(
            seconds=_number(limits, "seconds", default.seconds),
            bytes=int(_number(limits, "bytes", default.bytes)),
            files=int(_number(limits, "files", default.files)),
            free=int(_number(limits, "free", default.free)),
            submodules=int(_number(limits, "submodules", default.submodules)),
            nesting=int(_number(limits, "nesting", default.nesting)),
        ),
    )


def render_job(job: Mapping[str, JSON]) -> RenderJob:
    """Read a render job."""
    default = RenderJob(url="", commit="")
    base = _text(job, "base", default.base)
    return RenderJob(
        url=_text(job, "url"),
        commit=_text(job, "commit"),
        subdir=_text(job, "subdir", ""),
        base=base,
        python=_text(job, "python", default.python),
        local=_texts(job, "local"),
        images=(*(_texts(job, "images") or default.images), base),
        network=bool(job.get("network", False)),
        seconds=_number(_table(job, "limits"), "seconds", default.seconds),
    )


def build_job(job: Mapping[str, JSON]) -> BuildJob:
    """Read a build job."""
    limits, default = _table(job, "limits"), BuildLimits()
    return BuildJob(
        url=_text(job, "url", ""),
        commit=_text(job, "commit", ""),
        labels={key: _text(_table(job, "labels"), key) for key in _table(job, "labels")},
        fresh=job.get("fresh") is True,
        limits=BuildLimits(
            seconds=_number(limits, "seconds", default.seconds),
            idle_seconds=_number(limits, "idle_seconds", default.idle_seconds),
            memory=int(_number(limits, "memory", default.memory)),
            cpus=_number(limits, "cpus", default.cpus),
            pids=int(_number(limits, "pids", default.pids)),
            log_bytes=int(_number(limits, "log_bytes", default.log_bytes)),
            disk=int(_number(limits, "disk", default.disk)),
            free=int(_number(limits, "free", default.free)),
            builds=int(_number(limits, "builds", default.builds)),
        ),
    )


def place_job(job: Mapping[str, JSON]) -> PlaceJob:
    """Read a place job; the name is one path part, never a way out of the home."""
    name = _text(job, "name")
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise Failure("bad_job", f"The folder name {name!r} is not one path part.")
    return PlaceJob(
        name=name,
        commit=_text(job, "commit"),
        uid=int(_number(job, "uid", 1000)),
        gid=int(_number(job, "gid", 1000)),
        content=Path(_text(job, "content", "/content")),
        volume=Path(_text(job, "volume", "/volume")),
    )


def _text(job: Mapping[str, JSON], key: str, default: str | None = None) -> str:
    value = job.get(key, default)
    if not isinstance(value, str):
        raise Failure("bad_job", f"The key {key!r} of the job is not text.")
    return value


def _texts(job: Mapping[str, JSON], key: str) -> tuple[str, ...]:
    value = job.get(key, [])
    if not isinstance(value, list):
        raise Failure("bad_job", f"The key {key!r} of the job is not a list.")
    return tuple(_text({key: item}, key) for item in value)


def _number(job: Mapping[str, JSON], key: str, default: float) -> float:
    value = job.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Failure("bad_job", f"The key {key!r} of the job is not a number.")
    return value


def _table(job: Mapping[str, JSON], key: str) -> Mapping[str, JSON]:
    value = job.get(key, {})
    if not isinstance(value, dict):
        raise Failure("bad_job", f"The key {key!r} of the job is not an object.")
    return value
