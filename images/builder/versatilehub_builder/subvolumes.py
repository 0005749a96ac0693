"""Capped volumes as btrfs subvolumes with a quota, in a store that is on btrfs; each step may be repeated."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from typing import TYPE_CHECKING, Any, Final

from versatilehub_builder.lines import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_ROOT_INODE: Final = 256
"""Inode of every subvolume's own root."""


class Subvolumes:
    """The subvolumes of one store."""

    def __init__(self, store: Path) -> None:
        self._store = store

    def check(self) -> Mapping[str, object]:
        """Raise `Failure` unless the store is on btrfs and keeps quotas."""
        kind = _run("stat", "--file-system", "--format=%T", str(self._store))
        if kind != "btrfs":
            raise Failure("not_btrfs", f"The volume store is on {kind}, not on btrfs.")
        _run("btrfs", "quota", "enable", str(self._store))
        return {"free": self._free()}

    def create(self, name: str, *, size: int, free: int) -> Mapping[str, str]:
        """Make the subvolume with its quota if there is none; *free* bytes stay free in the store."""
        path, half = self._store / name, self._store / f"{name}.half"
        if path.exists():
            return self.ready(name)
        self._drop(half)
        self.check()
        there = self._free()
        if there - size < free:
            raise Failure(
                "store_full",
                f"The volume store has {there} bytes free, and {size} are wanted with {free} to stay free.",
                hint="Delete a server you no longer need, or ask an administrator for space.",
            )
        _run("btrfs", "subvolume", "create", str(half))
        _run("btrfs", "qgroup", "limit", str(size), str(half))
        half.chmod(0o755)  # root's, as Docker's own volumes are: who fills it gives it away
        half.rename(path)
        return {}

    def ready(self, name: str) -> Mapping[str, str]:
        """Raise `Failure` unless the subvolume is there and capped."""
        path = self._store / name
        self._present(path)
        if self._quota(path)["max_referenced"] <= 0:
            raise Failure(
                "cap_lost",
                f"The subvolume {name} has no quota.",
                hint=f"An administrator can set it: btrfs qgroup limit <size> <store>/{name}.",
            )
        return {}

    def grow(self, name: str, *, size: int) -> Mapping[str, str]:
        """Raise the quota."""
        path = self._store / name
        self._present(path)
        now = self._quota(path)["max_referenced"]
        if size < now:
            raise Failure("cap_lowered", f"The volume has {now} bytes and cannot be made smaller, to {size}.")
        _run("btrfs", "qgroup", "limit", str(size), str(path))
        return {}

    def remove(self, name: str) -> Mapping[str, str]:
        """Delete the subvolume; one that is gone is fine."""
        self._drop(self._store / name)
        self._drop(self._store / f"{name}.half")
        return {}

    def measure(self, names: Iterable[str]) -> Mapping[str, Mapping[str, int]]:
        """Return used and total bytes of each volume; one that cannot be read is left out."""
        found = {}
        for name in names:
            with contextlib.suppress(Failure, OSError):
                quota = self._quota(self._store / name)
                found[name] = {"used": quota["referenced"], "total": quota["max_referenced"]}
        return found

    def _present(self, path: Path) -> None:
        if not path.exists() or path.stat().st_ino != _ROOT_INODE:
            raise Failure(
                "volume_lost",
                f"The subvolume {path.name} is not in the volume store.",
                hint="An administrator can mount the store's file system, then restart the hub.",
            )

    def _drop(self, path: Path) -> None:
        if path.exists():
            _run("btrfs", "subvolume", "delete", str(path))

    def _free(self) -> int:
        space = os.statvfs(self._store)
        return space.f_bavail * space.f_frsize

    @staticmethod
    def _quota(path: Path) -> Mapping[str, int]:
        rows: list[dict[str, Any]] = json.loads(
            _run("btrfs", "--format=json", "qgroup", "show", "--raw", "-re", "-f", str(path))
        )["qgroup-show"]
        row = rows[0]
        limit = str(row.get("max_referenced"))  # "none" without one
        return {
            "referenced": int(row["referenced"]),
            "max_referenced": int(limit) if limit.isdigit() else 0,
        }


def _run(*command: str) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        words = " ".join((done.stderr or done.stdout).split())[-400:]
        raise Failure("storage_failed", f"{command[0]} ended with {done.returncode}: {words}")
    return done.stdout.strip()
