"""What render writes: here, whose package cache a build may write into."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING

import pytest
from versatilehub_builder.jobs import RenderJob
from versatilehub_builder.lines import Lines
from versatilehub_builder.render import render

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://github.com/ada/course"


def cache_of(work: Path, commit: str, head: str) -> str:
    """Return the id of the cache that the rendered build of *commit* mounts; *head* is what fetch left."""
    git = work / "tree" / ".git"
    git.mkdir(parents=True, exist_ok=True)
    (git / "HEAD").write_text(head + "\n")
    (work / "tree" / "requirements.txt").write_text("six\n")
    result = render(RenderJob(url=URL, commit=commit), Lines(io.StringIO()), work)
    assert "uv" == result["pack"], json.dumps(result)
    found = re.search(r"--mount=type=cache,id=([\w-]+),", (work / "Dockerfile").read_text())
    assert found
    return found[1]


@pytest.mark.parametrize("head", ["a" * 40, "ref: refs/pull/1/head"], ids=["commit", "request"])
def test_a_strangers_commit_has_its_own_cache(tmp_path: Path, head: str) -> None:
    """A commit of a fork, which the forge serves under the repository's address, cannot write into its cache."""
    branch = cache_of(tmp_path, "b" * 40, "ref: refs/heads/main")
    stranger = cache_of(tmp_path, "a" * 40, head)

    assert branch == cache_of(tmp_path, "c" * 40, "ref: refs/heads/next")
    assert stranger != branch
    assert stranger != cache_of(tmp_path, "d" * 40, "d" * 40)
