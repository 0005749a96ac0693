"""A registry of two tiny images for the pull policy: stands in for somebody else's server, as no registry may be asked.

It speaks as much of the distribution API as `docker pull` asks for.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG: Final = "application/vnd.docker.container.image.v1+json"
LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _layer(text: str) -> tuple[bytes, str]:
    """Return a layer with one file, packed, and the digest of it unpacked."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        member = tarfile.TarInfo("version")
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text.encode()))
    return gzip.compress(raw.getvalue(), mtime=0), _digest(raw.getvalue())


class Registry:
    """Serves *name* in the given tags on a free port of 127.0.0.1, each tag an image of its own with *labels*."""

    def __init__(self, name: str, tags: tuple[str, ...], labels: Mapping[str, str]) -> None:
        self._answers: dict[str, tuple[str, bytes]] = {"/v2/": ("application/json", b"{}")}
        for tag in tags:
            self._add(name, tag, labels)
        answers = self._answers

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                missing = (
                    "application/json",
                    b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"unknown"}]}',
                )
                kind, content = answers.get(self.path, missing)
                self.send_response(200 if self.path in answers else 404)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Docker-Content-Digest", _digest(content))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content)

            do_HEAD = do_GET  # noqa: N815  # the base's way to name what answers a method

            def log_request(self, code: Any = "-", size: Any = "-") -> None:
                """Print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"

    def _add(self, name: str, tag: str, labels: Mapping[str, str]) -> None:
        layer, unpacked = _layer(tag)
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Labels": dict(labels)},
                "rootfs": {"type": "layers", "diff_ids": [unpacked]},
            }
        ).encode()
        parts = [(CONFIG, config), (LAYER, layer)]
        described = [{"mediaType": kind, "size": len(part), "digest": _digest(part)} for kind, part in parts]
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described[0],
            "layers": described[1:],
        }
        content = json.dumps(manifest).encode()
        for key in (tag, _digest(content)):
            self._answers[f"/v2/{name}/manifests/{key}"] = MANIFEST, content
        for _, part in parts:
            self._answers[f"/v2/{name}/blobs/{_digest(part)}"] = "application/octet-stream", part

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
