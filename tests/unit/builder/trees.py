"""Trees of the corpus on disk: ``symlink:<target>`` is a link, "10^6 files" and "3 GiB file" are what they say."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from versatilehub_builder.tree import TreeRules

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

URL = "https://github.com/owner/repo"
RULES = TreeRules(url=URL, bytes=2 * 1024**3, files=2_000)  # the rule is the same for 100 000


def make_tree(root: Path, files: Mapping[str, str]) -> Path:
    """Write *files* below *root* and return it."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content.startswith("symlink:"):
            path.symlink_to(content.removeprefix("symlink:"))
        elif content == "10^6 files":
            path.mkdir()
            for number in range(RULES.files + 1):  # more are refused alike, and would only take time
                os.close(os.open(path / str(number), os.O_CREAT))
        elif content == "3 GiB file":
            path.touch()
            os.truncate(path, 3 * 1024**3)
        else:
            path.write_bytes(content.encode("utf-8", "surrogateescape"))
    return root
