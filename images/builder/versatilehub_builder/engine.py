"""repo2docker's packs without a Docker engine: the pack hands us what it would build, and we write it down.

The packs run unchanged. In place of its docker engine they get `CapturingEngine`, which builds nothing.
"""

from __future__ import annotations

import os
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from versatilehub_builder.lines import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BUILD_ARGS: Mapping[str, str] = {"NB_USER": "jovyan", "NB_UID": "1000", "REPO_DIR": "/srv/repo"}


@dataclass(slots=True)
class CapturingEngine:
    """What repo2docker calls an engine, as far as a pack's ``build`` uses one."""

    string_output = True
    asked: dict[str, Any] = field(default_factory=dict)

    def build(self, **asked: Any) -> Iterator[str]:
        """Keep what is asked for and yield no log."""
        self.asked = asked
        yield from ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """*dockerfile* is its text; *context* the folder beside it; *name* the class of the pack."""

    dockerfile: str
    context: Path
    build_args: Mapping[str, str]
    name: str


def capture(tree: Path, context: Path, *, labels: Mapping[str, str]) -> Captured:
    """Let repo2docker pick its pack for *tree*, which has no Dockerfile; its context is unpacked into *context*."""
    from repo2docker.app import Repo2Docker  # noqa: PLC0415 - slow, and few trees need it

    before = Path.cwd()
    os.chdir(tree)
    try:
        return _capture(Repo2Docker(), context, labels)
    finally:
        os.chdir(before)


def _capture(app: Any, context: Path, labels: Mapping[str, str]) -> Captured:
    packs = [pack(base_image=app.base_image) for pack in app.buildpacks]
    picked = next((pack for pack in packs if pack.detect()), None) or app.default_buildpack(
        base_image=app.base_image
    )
    picked.platform, picked.appendix = app.platform, app.appendix
    picked.labels.update(labels)
    engine = CapturingEngine()
    for _ in picked.build(engine, "versatilehub", 0, dict(BUILD_ARGS), [], {}, platform=app.platform):
        pass
    name = type(picked).__name__
    text = _unpack(engine.asked["fileobj"], context)
    return Captured(dockerfile=text, context=context, build_args=BUILD_ARGS, name=name)


def _unpack(packed: IO[bytes], context: Path) -> str:
    context.mkdir()
    with tarfile.open(fileobj=packed) as archive:
        archive.extractall(context, filter="tar")
    dockerfile = context / "Dockerfile"
    if dockerfile.is_symlink():
        raise Failure("builder_bug", "The rendered Dockerfile is a link.")
    text = dockerfile.read_text(encoding="utf-8")
    dockerfile.unlink()
    return text
