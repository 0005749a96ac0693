"""``python -m versatilehub_builder.sizes``: how many bytes the folders /v/0, /v/1 … hold, for volumes nothing else measures."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from versatilehub_builder.lines import JSON, Failure, Lines, main

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLACE: Final = Path("/v")
_BLOCK: Final = 512
"""Unit of `st_blocks`."""


def command(values: Mapping[str, JSON], lines: Lines) -> Mapping[str, JSON]:
    """Measure the volumes named in order by ``names``."""
    names = values.get("names")
    if not isinstance(names, list):
        raise Failure("bad_job", "names is no list.")
    lines.phase(f"Measuring {len(names)} volumes")
    return {"used": [size(_PLACE / str(index)) for index in range(len(names))]}


def size(folder: Path) -> int:
    """Return the bytes *folder* takes on disk; a file of several names counts once, another file system not at all."""
    seen: set[int] = set()
    total, device = 0, folder.stat().st_dev
    waiting = [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    found = entry.stat(follow_symlinks=False)
                    if found.st_dev != device or (found.st_nlink > 1 and found.st_ino in seen):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif found.st_nlink > 1:
                        seen.add(found.st_ino)
                    total += found.st_blocks * _BLOCK
        except OSError:
            continue  # deleted while we look
    return total


if __name__ == "__main__":
    sys.exit(main(command))
