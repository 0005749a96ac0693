"""What an administrator sets about builds, and one attempt of one: the two values every part of a build is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from versatilehub.record_plan import RecordPlan
from versatilehub.sources import ResolvedSource

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from versatilehub.policy import Policy

Lane = Literal["people", "prebuild"]

MIB: Final = 1 << 20
GIB: Final = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSettings:
    """What an administrator sets about builds. Sizes are bytes, times seconds; *grace* None means never.

    *images* are the local images a Dockerfile may build from, beside *base_image*: names with a tag, or for every tag.
    *hosts* narrow the public hosts a submodule may be on, as `SourceRules.hosts` does. *disk* is how far the free space of Docker's disk may fall during a build, *disk_free* what must stay free.
    """

    state_dir: Path
    builder_image: str = "versatilehub/builder:latest"
    base_image: str = "versatilehub/singleuser:latest"
    images: tuple[str, ...] = ("versatilehub/singleuser",)
    network: str = ""
    extra_sources: tuple[str, ...] = ()
    memory: int = 4 * GIB
    cpus: float = 2.0
    pids: int = 1024
    timeout: float = 1800.0
    idle_timeout: float = 600.0
    fetch_timeout: float = 300.0
    render_timeout: float = 120.0
    tree_bytes: int = 2 * GIB
    tree_files: int = 100_000
    log_limit: int = 16 * MIB
    disk: int = 20 * GIB
    disk_free: int = GIB
    hosts: tuple[str, ...] = ()
    concurrent: int = 2
    grace: float | None = 1.0
    hub_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How somebody asks for an environment. *user* is who ("" for the site itself), *lane* people or prebuilds behind them.

    *at_once* and *per_day* are how many builds of theirs may run, and begin within 24 hours; None is no limit. *force* builds
    although the image exists, and without cached steps. *reader* is the person whose login for the source's host a fetch may use,
    "" for nobody's; whether they may have the environment is asked before.
    """

    user: str = ""
    reader: str = ""
    lane: Lane = "people"
    at_once: int | None = None
    per_day: int | None = None
    force: bool = False

    @classmethod
    def of(cls, user: str, policy: Policy, *, force: bool = False, reader: str = "") -> Wish:
        """Return how a person asks under their policy."""
        return cls(
            user=user,
            reader=reader,
            at_once=policy.builds_at_once,
            per_day=policy.builds_per_day,
            force=force,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try to make one environment: *id* tells its containers from those of other tries.

    *builder* and *base* are the image ids the identity was made of; *python* is the base's ("3.13", "" unknown);
    *created* is seconds since the epoch; *fresh* uses no cached step. *at_once* is how many
    builds of its owner may run side by side.
    *reader* is whose login for the source's host the fetch is given, "" for nobody's: the name only, for the login itself is
    looked up each time it is asked for.
    """

    id: str
    identity: str
    source: ResolvedSource
    builder: str
    base: str
    created: float
    python: str = ""
    fresh: bool = False
    at_once: int | None = None
    reader: str = ""

    @property
    def volume(self) -> str:
        """Return the name of the work volume."""
        return f"vh-build-{self.identity[:12]}-{self.id}"

    def container(self, role: str) -> str:
        """Return the name of one of its containers."""
        return f"{self.volume}-{role}"

    def to_json(self) -> dict[str, Any]:
        """Return what a hub that comes back needs to go on."""
        source: dict[str, Any] = {
            name: getattr(self.source, name)
            for name in ("provider", "url", "commit", "ref", "subdir", "open", "private")
        }
        if self.source.record:
            source["record"] = self.source.record.to_json()
        names = ("id", "identity", "builder", "base", "created", "python", "reader", "fresh", "at_once")
        return {**{name: getattr(self, name) for name in names}, "source": source}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Attempt:
        """Read what `to_json` wrote."""
        record = raw["source"].get("record")
        plan = RecordPlan.from_json(record) if record else None
        return cls(**{**raw, "source": ResolvedSource(**{**raw["source"], "record": plan})})
