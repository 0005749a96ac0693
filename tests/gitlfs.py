"""The large-file half of a git host for tests: the batch API of git-lfs and its objects, for `tests.gitserver`.

https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

BATCH = "/info/lfs/objects/batch"
OBJECTS = "/lfs-objects/"


@dataclass(slots=True)
class LargeFiles:
    """What a host keeps for git-lfs: contents by object id; `lies` makes it send another content than was asked for."""

    contents: dict[str, bytes] = field(default_factory=dict)
    lies: bool = False

    def pointer(self, content: bytes, *, size: int | None = None) -> str:
        """Keep *content* and return the pointer a repository holds in its place, with its *size* or another."""
        name = hashlib.sha256(content).hexdigest()
        self.contents[name] = content
        length = len(content) if size is None else size
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{name}\nsize {length}\n"

    def batch(self, body: bytes, base: str) -> bytes:
        """Return the answer to a batch request: where each object is to be had."""
        objects = []
        for one in json.loads(body)["objects"]:
            name = one["oid"]
            found = {"actions": {"download": {"href": f"{base}{OBJECTS[1:]}{name}"}}}
            missing = {"error": {"code": 404, "message": "Object does not exist"}}
            objects.append({**one, **(found if name in self.contents else missing)})
        return json.dumps({"transfer": "basic", "objects": objects}).encode()

    def content(self, path: str) -> bytes | None:
        """Return the object at *path*, None when there is none."""
        content = self.contents.get(path.rpartition("/")[2])
        return content if content is None or not self.lies else b"x" * len(content)
