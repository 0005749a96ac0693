"""Whether a person worked in a ``.git``: one mark over what commits, staging, stashes and settings change.

Read as files, never with git: the home's configuration could make git run anything. What ``git status`` and
``git fetch`` refresh (times in the index, remote branches) does not count.
"""

from __future__ import annotations

import hashlib
import struct

from versatilehub_builder.homefs import Blocked, Tree

_INDEX_BYTES = 256 << 20
_FILE_BYTES = 1 << 20
_COUNTED = (
    "HEAD",
    "config",
    "packed-refs",
    "MERGE_HEAD",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "BISECT_LOG",
    "info/exclude",
    "info/attributes",
)
_FOLDERS = (
    "refs/heads/",
    "refs/tags/",
    "refs/stash",
    "hooks/",
    "rebase-merge/",
    "rebase-apply/",
    "worktrees/",
    "modules/",
)


def work_mark(git: Tree) -> str:
    """Return the mark of the ``.git`` folder *git*; equal marks mean that nothing of the person's is in it."""
    parts = [f"{name}\0{_short(git.read(name, _FILE_BYTES))}" for name in _COUNTED if name != "packed-refs"]
    packed = (git.read("packed-refs", _FILE_BYTES) or b"").decode("utf-8", "surrogateescape")
    refs = [
        line for line in packed.splitlines() if line[:1] not in {"#", "^"} and " refs/remotes/" not in line
    ]
    parts.append("\n".join(refs))
    parts += [f"{path}\0{_short(git.read(path, _FILE_BYTES))}" for path in sorted(_paths(git))]
    parts.append(index_mark(git.read("index", _INDEX_BYTES)))
    return hashlib.sha256("\1".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def _paths(git: Tree) -> list[str]:
    try:
        return [
            path for path, _ in git.walk(frozenset({"objects", "lfs", "logs"})) if path.startswith(_FOLDERS)
        ]
    except (OSError, Blocked):
        return ["?"]


def _short(content: bytes | None) -> str:
    return "" if content is None else hashlib.sha256(content).hexdigest()


def index_mark(index: bytes | None) -> str:
    """Return a mark of what is staged: paths, modes and objects, without the times git refreshes by itself."""
    if index is None:
        return ""
    try:
        signature, version, count = struct.unpack_from(">4sII", index)
        if signature != b"DIRC" or version not in {2, 3} or count > len(index) // 62:
            return hashlib.sha256(index).hexdigest()
        return _entries_mark(index, count, version)
    except (struct.error, ValueError):
        return hashlib.sha256(index).hexdigest()


def _entries_mark(index: bytes, count: int, version: int) -> str:
    """Walk the entries (gitformat-index): 40 bytes of stat data, 20 of object, 2 of flags, the path, 1 to 8 NULs."""
    mark, at = hashlib.sha256(), 12
    for _ in range(count):
        mode = index[at + 24 : at + 28]
        flags = struct.unpack_from(">H", index, at + 60)[0]
        extended = flags & 0x4000 and version == 3
        name = at + (64 if extended else 62)
        end = index.index(b"\0", name)
        mark.update(mode + index[at + 40 : at + 60] + struct.pack(">H", flags & 0x3000))
        mark.update(index[at + 62 : name] + index[name:end] + b"\0")
        at += (end - at + 8) & ~7
    return mark.hexdigest()
