"""Limits of single build steps, written into the control groups BuildKit makes for them.

Engine 20.10 ignores a build's memory, cpu and pids flags, but runs each step below ``…/docker/buildkit/<id>``. The
parent bounds all builds together from before their first step; each step's own group gets its limits as it appears.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from versatilehub_builder.jobs import BuildLimits

_PERIOD = 100_000  # microseconds, the kernel's default
_PARENTS = ("docker/buildkit", "buildkit", "system.slice/docker.service/buildkit")
_PIDS_SECONDS = 3.0  # at its limit for longer: it does not get out by itself
_REMEMBERED = 5.0  # seconds for which a group counts after it has gone


@dataclass(slots=True)
class Group:
    """One step's group as last seen. Its name does not say whose build it is of: who asks needs further evidence."""

    name: str
    limited: bool = False
    oom_kills: int = 0
    full_since: float = 0.0
    refused: int = 0
    gone_at: float = 0.0


@dataclass(slots=True)
class StepGroups:
    """The groups of all running steps. *root* is the cgroup mount; call `look` often (≤ 50 ms)."""

    root: Path
    limits: BuildLimits
    groups: dict[str, Group] = field(default_factory=dict)
    gone: list[Group] = field(default_factory=list)
    parent: str = _PARENTS[0]

    @property
    def unified(self) -> bool:
        """Whether this is cgroup v2."""
        return (self.root / "cgroup.controllers").exists()

    @property
    def usable(self) -> bool:
        """Whether there is a tree in which limits can be written."""
        return self.unified or (self.root / "memory").is_dir()

    def prepare(self) -> None:
        """Bound the parent of all steps before the first of them exists."""
        found = [each for each in _PARENTS if self._path("memory", each).is_dir()]
        self.parent = found[0] if found else _PARENTS[0]
        for controller in ("memory", "cpu", "pids"):
            path = self._path(controller, self.parent)
            if path.parent.is_dir():
                path.mkdir(exist_ok=True)
        self._limit(self.parent, times=self.limits.builds)

    def look(self, now: float) -> None:
        """Limit new groups and read the counters of all."""
        base = self._path("memory", self.parent)
        names = {entry.name for entry in base.iterdir() if entry.is_dir()} if base.is_dir() else set()
        for name in names - self.groups.keys():
            self.groups[name] = Group(name=name)
        for name in self.groups.keys() - names:
            group = self.groups.pop(name)
            group.gone_at = now
            self.gone.append(group)
        self.gone = [group for group in self.gone if now - group.gone_at < _REMEMBERED]
        for group in self.groups.values():
            if not group.limited:
                group.limited = self._limit(f"{self.parent}/{group.name}", times=1)
            self._count(group, now)

    def out_of_memory(self) -> bool:
        """Whether the kernel ended a process of some step at the memory limit a moment ago."""
        return any(group.oom_kills for group in (*self.gone, *self.groups.values()))

    def processes_refused(self) -> bool:
        """Whether some step was refused a process a moment ago."""
        return any(group.refused for group in (*self.gone, *self.groups.values()))

    def too_many_processes(self, now: float) -> bool:
        """Whether some step has been at its process limit for seconds."""
        since = [group.full_since for group in self.groups.values() if group.full_since]
        return any(now - each > _PIDS_SECONDS for each in since)

    def _count(self, group: Group, now: float) -> None:
        here = f"{self.parent}/{group.name}"
        if self.unified:
            group.oom_kills = max(group.oom_kills, self._field("memory", here, "memory.events", "oom_kill"))
        else:
            group.oom_kills = max(
                group.oom_kills, self._field("memory", here, "memory.oom_control", "oom_kill")
            )
        current = self._number("pids", here, "pids.current")
        refused = self._field("pids", here, "pids.events", "max")
        if refused > group.refused or (group.full_since and current >= self.limits.pids):
            group.full_since = group.full_since or now
        else:
            group.full_since = 0.0
        group.refused = max(group.refused, refused)

    def _limit(self, group: str, *, times: int) -> bool:
        """Write the limits, *times* over; return whether all were taken (a busy group is tried again)."""
        memory = str(self.limits.memory * times)
        quota = int(self.limits.cpus * times * _PERIOD)
        pids = str(self.limits.pids * times)
        if self.unified:
            rows = [
                ("memory", "memory.max", memory),
                ("memory", "memory.swap.max", "0"),
                ("cpu", "cpu.max", f"{quota} {_PERIOD}"),
                ("pids", "pids.max", pids),
            ]
        else:
            rows = [
                ("memory", "memory.limit_in_bytes", memory),
                ("memory", "memory.memsw.limit_in_bytes", memory),
                ("memory", "memory.limit_in_bytes", memory),  # the first is refused while memsw is lower
                ("cpu", "cpu.cfs_period_us", str(_PERIOD)),
                ("cpu", "cpu.cfs_quota_us", str(quota)),
                ("pids", "pids.max", pids),
            ]
        taken = [self._write(controller, group, name, value) for controller, name, value in rows]
        return all(taken[-3:])

    def _write(self, controller: str, group: str, name: str, value: str) -> bool:
        try:
            (self._path(controller, group) / name).write_text(value)
        except OSError:
            return False
        return True

    def _path(self, controller: str, group: str) -> Path:
        return self.root / group if self.unified else self.root / controller / group

    def _field(self, controller: str, group: str, file: str, name: str) -> int:
        for line in self._read(controller, group, file).splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
        return 0

    def _number(self, controller: str, group: str, file: str) -> int:
        text = self._read(controller, group, file).strip()
        return int(text) if text.isdecimal() else 0

    def _read(self, controller: str, group: str, file: str) -> str:
        try:
            return (self._path(controller, group) / file).read_text()
        except OSError:
            return ""
