"""Many small images in one call, with the labels a build of ours would give: loaded from an archive that shares layers."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from versatilehub.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One image: *name* is repository:tag, "" for none; *built* seconds since the epoch; *layers* contents, the first lowest."""

    name: str
    built: float
    layers: tuple[str, ...] = ("base",)
    source: str = ""
    digest: str = ""


def _tar(files: dict[str, bytes]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return raw.getvalue()


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _config(engine: Engine, image: Wanted) -> bytes:
    created = datetime.fromtimestamp(image.built, UTC).isoformat()
    labels = engine.labels("image", source=image.source, commit="c" * 40, digest=image.digest)
    labels["versatilehub.created"] = created
    described = {
        "architecture": "amd64",
        "os": "linux",
        "created": created,
        "config": {"Labels": {**labels, "name": image.name}},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_sha(_layer(text))}" for text in image.layers]},
        "history": [{"created": created, "created_by": f"COPY {text}"} for text in image.layers],
    }
    return json.dumps(described).encode()


def _layer(text: str) -> bytes:
    return _tar({f"file-{text}": text.encode() * 100})


async def make_images(engine: Engine, images: Sequence[Wanted]) -> list[str]:
    """Load *images* and return their ids in that order."""
    files: dict[str, bytes] = {}
    manifest, ids = [], []
    for image in images:
        config = _config(engine, image)
        ids.append(f"sha256:{_sha(config)}")
        files[f"{_sha(config)}.json"] = config
        files |= {f"{_sha(text.encode())}/layer.tar": _layer(text) for text in image.layers}
        manifest.append(
            {
                "Config": f"{_sha(config)}.json",
                "RepoTags": [image.name] if image.name else None,
                "Layers": [f"{_sha(text.encode())}/layer.tar" for text in image.layers],
            }
        )
    archive = _tar({**files, "manifest.json": json.dumps(manifest).encode()})
    kind = {"Content-Type": "application/x-tar"}
    async with engine._docker._connected()._query(
        "images/load", "POST", data=archive, headers=kind
    ) as answer:
        said = (await answer.read()).decode()
    if "error" in said:
        raise RuntimeError(said)
    return ids


async def make_image(
    engine: Engine, name: str, *, built: float, layer: str = "base", digest: str = ""
) -> str:
    """Load one image of one layer and return its id."""
    (made,) = await make_images(engine, [Wanted(name=name, built=built, layers=(layer,), digest=digest)])
    return made
