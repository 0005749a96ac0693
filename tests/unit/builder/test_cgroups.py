"""Limits written into control groups, on folders laid out as the kernel's of either version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from versatilehub_builder.cgroups import StepGroups
from versatilehub_builder.jobs import BuildLimits

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = BuildLimits(memory=1000, cpus=1.5, pids=10, builds=2)
V1 = {
    "memory": ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.oom_control"),
    "cpu": ("cpu.cfs_period_us", "cpu.cfs_quota_us"),
    "pids": ("pids.max", "pids.current", "pids.events"),
}
V2 = ("memory.max", "memory.swap.max", "cpu.max", "pids.max", "memory.events", "pids.current", "pids.events")


def add_group(root: Path, name: str, *, unified: bool) -> None:
    """Make the files the kernel makes with a group."""
    for controller, files in {"": V2}.items() if unified else V1.items():
        folder = root / controller / name
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            (folder / file).touch()


def groups(root: Path, *, unified: bool) -> StepGroups:
    """Return the groups of a machine where one step of BuildKit runs."""
    if unified:
        (root / "cgroup.controllers").touch()
    add_group(root, "docker/buildkit", unified=unified)
    found = StepGroups(root=root, limits=LIMITS)
    found.prepare()
    found.look(0.0)
    add_group(root, "docker/buildkit/step", unified=unified)
    found.look(1.2)
    return found


@pytest.mark.parametrize("unified", [False, True], ids=["v1", "v2"])
def test_limits(tmp_path: Path, *, unified: bool) -> None:
    """A step gets the limits, all steps together a build's worth for each build."""
    groups(tmp_path, unified=unified)
    folder = "docker/buildkit"
    pids = tmp_path / ("" if unified else "pids")
    memory = tmp_path / ("" if unified else "memory")
    limit = "memory.max" if unified else "memory.memsw.limit_in_bytes"
    assert ("20", "10") == (
        (pids / folder / "pids.max").read_text(),
        (pids / folder / "step/pids.max").read_text(),
    )
    assert ("2000", "1000") == (
        (memory / folder / limit).read_text(),
        (memory / folder / "step" / limit).read_text(),
    )


@pytest.mark.parametrize("unified", [False, True], ids=["v1", "v2"])
def test_out_of_memory_is_remembered(tmp_path: Path, *, unified: bool) -> None:
    """The kernel's counter counts also after the step's group has gone."""
    found = groups(tmp_path, unified=unified)
    folder = tmp_path / ("" if unified else "memory") / "docker/buildkit/step"
    (folder / ("memory.events" if unified else "memory.oom_control")).write_text("low 0\noom_kill 1\n")
    found.look(1.3)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    found.look(1.4)
    assert found.out_of_memory()
    found.look(60.0)
    assert not found.out_of_memory()


def test_process_limit_for_seconds(tmp_path: Path) -> None:
    """A step that stays at its process limit is told from one that touched it."""
    found = groups(tmp_path, unified=False)
    folder = tmp_path / "pids/docker/buildkit/step"
    (folder / "pids.current").write_text("10")
    verdicts = []
    for refused, now in ((1, 2.0), (1, 3.0), (9, 6.0)):
        (folder / "pids.events").write_text(f"max {refused}\n")
        found.look(now)
        verdicts.append(found.too_many_processes(now))
    assert [False, False, True] == verdicts
