"""What to do with each path when a new commit meets a home: bring, keep, remove. Values in, values out.

The rule is git's three ways without a conflict: what the person did not change becomes the new content, what they
changed or deleted stays as it is. A placement killed half-way gives the same plan for what is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Kind(StrEnum):
    """What stands at a path."""

    FILE = "file"
    LINK = "link"
    FOLDER = "folder"
    OTHER = "other"
    BLOCKED = "blocked"  # a parent is a file or a link; `Entry.mark` says which path


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """*mark* is a file's sha256, a link's target or the path that blocks; *executable* counts for files only."""

    kind: Kind
    mark: str = ""
    executable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """*remove* before *write*; *kept* are the paths where the person's version wins over a new one."""

    write: tuple[str, ...]
    remove: tuple[str, ...]
    kept: tuple[str, ...]


def plan_placement(
    old: Mapping[str, Entry], new: Mapping[str, Entry], home: Callable[[str], Entry | None]
) -> Plan:
    """Return what turns *home* from the content *old* into *new*; *home* tells what stands at a path now.

    *old* is empty at a first placement: then what stands in the way was the person's before us, and stays.
    """
    remove: list[str] = []
    kept: list[str] = []
    for path in sorted(old.keys() - new.keys()):
        here = home(path)
        if here == old[path]:
            remove.append(path)
        elif here is not None and here.kind is not Kind.BLOCKED:
            kept.append(path)
    going = set(remove)
    write: list[str] = []
    for path in sorted(new):
        verdict = _verdict(old.get(path), new[path], home(path), going)
        if verdict == "write":
            write.append(path)
        elif verdict == "keep":
            kept.append(path)
    return Plan(write=tuple(write), remove=tuple(remove), kept=tuple(sorted(kept)))


def _verdict(old: Entry | None, new: Entry, here: Entry | None, going: set[str]) -> str:
    if new in {here, old}:
        return ""  # there already, or nothing new to bring over whatever the person did
    if here is not None and here.kind is Kind.BLOCKED and here.mark in going:
        here = None  # what stands where the folder must be goes first
    if old is None:
        # A folder where a file must be may be empty once the old files have gone: writing finds out.
        return "write" if here is None or here.kind is Kind.FOLDER else "keep"
    return "write" if here == old else "keep"


def note(name: str, commit: str, brought: tuple[str, ...], kept: tuple[str, ...]) -> str:
    """Return the text of the file that tells a person what an update did."""
    lines = [
        NOTE_HEAD,
        "",
        f"The folder {name} was updated to commit {commit[:12]}.",
        "",
        f"{len(brought)} files came or changed:",
        *_listed(brought),
    ]
    if kept:
        lines += [
            "",
            f"{len(kept)} files stayed as you left them; the new commit has other versions:",
            *_listed(kept),
        ]
    return "\n".join(lines) + "\n"


NOTE_HEAD = "This file was written by versatilehub; it is safe to delete."
_SHOWN = 200


def _listed(paths: tuple[str, ...]) -> list[str]:
    rows = [f"  {ascii(path)[1:-1] if not path.isprintable() else path}" for path in paths[:_SHOWN]]
    return [*rows, f"  … and {len(paths) - _SHOWN} more"] if len(paths) > _SHOWN else rows
