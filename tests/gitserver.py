"""A real git host on a real socket, for tests: smart HTTP in front of ``git upload-pack``, no leaks.

Repositories are made by ``server.repo(name, files)`` and changed by ``repo.commit``. A `Behaviour` makes one
of them private, slow, silent, redirecting or broken, as the hosts of the world are. `GitServer` is a context
manager; bind ``0.0.0.0`` and give ``name`` (the bridge's gateway, say) where containers are to reach it.
"""

from __future__ import annotations

import base64
import gzip
import math
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self, cast
from urllib.parse import parse_qs, urlsplit

from tests.gitlfs import BATCH, OBJECTS, LargeFiles
from tests.gitrepos import Files, Repo, make_repo, scrubbed_env

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

__all__ = ["Behaviour", "GitServer", "Repo", "RequestSeen"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How the host answers for one repository; the default is a healthy public one."""

    status: int = HTTPStatus.OK  # any other is answered as it is, with no content
    redirect: str = ""  # 302 to this URL + the rest of the path
    login: tuple[str, str] | None = None  # (name, password) asked for with 401
    delay: float = 0.0  # seconds before the first byte; math.inf: never answers
    trickle: float = 0.0  # seconds between two bytes of the content
    garbage: bytes = b""  # sent as the content in place of git's
    old: bool = False  # knows protocol 0 only, and gives no commit that is no end of a branch or tag


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSeen:
    """One request the server was sent."""

    method: str
    path: str
    protocol: str  # the Git-Protocol header
    authorization: str


class GitServer:
    """A git host; use it as a context manager. Every attribute may be used from any thread."""

    def __init__(
        self, bind: str = "127.0.0.1", *, name: str = "", port: int = 0, certificate: str = ""
    ) -> None:
        """*name* is the host part of `url`; *certificate* the path of a PEM file (key, chain) for https."""
        self.folder = Path(tempfile.mkdtemp(prefix="gitserver-"))
        self.requests: list[RequestSeen] = []
        self.large = LargeFiles()
        self.closing = threading.Event()
        self._behaviours: dict[str, Behaviour] = {}
        self._http = _Http((bind, port), _Handler)
        self._http.git = self
        self._scheme = "https" if certificate else "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._http.tls = context
        self._name = name or ("127.0.0.1" if bind == "0.0.0.0" else bind)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), name="gitserver")

    @property
    def port(self) -> int:
        """The TCP port it listens on."""
        return self._http.server_address[1]

    @property
    def base(self) -> str:
        """The URL all repositories are below, with "/" at the end: what ``SourceRules.extra`` takes."""
        return f"{self._scheme}://{self._name}:{self.port}/"

    def url(self, name: str) -> str:
        """Return the clone URL of the repository *name* (which need not exist)."""
        return self.base + name

    def repo(
        self,
        name: str,
        files: Files | None = None,
        *,
        branch: str = "main",
        branches: Mapping[str, Files] | None = None,
        tags: Sequence[str] = (),
        behaviour: Behaviour | None = None,
        sha256: bool = False,
    ) -> Repo:
        """Make a repository: *files* on *branch*, a commit on top for each of *branches*, light *tags*."""
        repo = make_repo(self.folder / name, branch=branch, sha256=sha256)
        if files is not None:
            first = repo.commit(files)
            for other, more in (branches or {}).items():
                repo.commit(more, branch=other, parent=first)
            for tag in tags:
                repo.tag(tag)
        if behaviour is not None:
            self.behave(name, behaviour)
        return repo

    def behave(self, name: str, behaviour: Behaviour | None = None, **changes: object) -> None:
        """From now on answer for *name* as *behaviour* says, or as before but for *changes*."""
        before = behaviour or self._behaviours.get(name, Behaviour())
        self._behaviours[name] = replace(before, **changes)  # type: ignore[arg-type]  # checked by the dataclass

    def behaviour(self, name: str) -> Behaviour:
        """How it answers for *name*."""
        return self._behaviours.get(name, Behaviour())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every connection, thread and child process, and remove the repositories."""
        self.closing.set()
        self._http.shutdown()
        self._http.drop_connections()
        self._http.server_close()
        self._thread.join()
        shutil.rmtree(self.folder, ignore_errors=True)


class _Http(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close() joins them
    request_queue_size = 128
    git: GitServer
    tls: ssl.SSLContext | None = None

    def __init__(self, *args: object) -> None:
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(*args)  # type: ignore[arg-type]  # passed on as they came

    def process_request_thread(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        with self._lock:
            self._open.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._open.discard(request)

    def finish_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        with self.tls.wrap_socket(request.dup(), server_side=True) as secure:
            super().finish_request(secure, client_address)
            secure.unwrap()  # libcurl calls an end without TLS's own goodbye an attack

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that hang up, or refuse our certificate, are what the tests are about."""

    def drop_connections(self) -> None:
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the client was first


class _Handler(BaseHTTPRequestHandler):
    server: _Http
    timeout = 60

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path.startswith(OBJECTS):
            self._large(self.server.git.large.content(parts.path))
            return
        name = parts.path.removesuffix("/info/refs").strip("/")
        folder = self._admit(name)
        if folder is None:
            return
        if not parts.path.endswith("/info/refs") or parse_qs(parts.query).get("service") != [
            "git-upload-pack"
        ]:
            self._status(404)
            return
        command = ["git", "upload-pack", "--stateless-rpc", "--http-backend-info-refs", str(folder)]
        advert = subprocess.run(command, env=self._env(name), stdout=subprocess.PIPE, check=True).stdout
        if "version=2" not in self._env(name)["GIT_PROTOCOL"]:
            advert = b"001e# service=git-upload-pack\n0000" + advert
        self._content("application/x-git-upload-pack-advertisement", iter([advert]), name)

    def do_POST(self) -> None:
        if self.path.endswith(BATCH):
            name = self.path.removesuffix(BATCH).strip("/")
            if not (self.server.git.folder / name).is_dir():
                name = name.removesuffix(".git")
            if self._admit(name):
                asked = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                self._large(self.server.git.large.batch(asked, self.server.git.base))
            return
        name = self.path.removesuffix("/git-upload-pack").strip("/")
        folder = self._admit(name)
        if folder is None:
            return
        with tempfile.TemporaryFile() as body:
            self._spool(body)
            command = ["git", "upload-pack", "--stateless-rpc", str(folder)]
            with subprocess.Popen(command, env=self._env(name), stdin=body, stdout=subprocess.PIPE) as child:
                assert child.stdout is not None
                try:
                    self._content("application/x-git-upload-pack-result", _chunks(child.stdout), name)
                finally:
                    child.kill()

    def _admit(self, name: str) -> Path | None:
        """Answer for what is not healthy about *name*; return its folder when content may follow."""
        git, headers = self.server.git, self.headers
        authorization = headers.get("Authorization", "")
        git.requests.append(
            RequestSeen(
                method=self.command,
                path=self.path,
                protocol=headers.get("Git-Protocol", ""),
                authorization=authorization,
            )
        )
        how = git.behaviour(name)
        if how.delay and git.closing.wait(None if how.delay == math.inf else how.delay):
            return None
        if how.redirect:
            self._status(302, Location=how.redirect + self.path[len(name) + 1 :])
        elif how.login and authorization != _basic(how.login):
            self._status(401, **{"WWW-Authenticate": 'Basic realm="git"'})
        elif how.status != HTTPStatus.OK:
            self._status(how.status)
        elif not (git.folder / name / "HEAD").is_file() or ".." in name:
            self._status(404)
        else:
            return git.folder / name
        return None

    def _content(self, kind: str, chunks: Iterator[bytes], name: str) -> None:
        how = self.server.git.behaviour(name)
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-cache")
        self.end_headers()
        for chunk in [how.garbage] if how.garbage else chunks:
            if not how.trickle:
                self.wfile.write(chunk)
                continue
            for byte in chunk:
                self.wfile.write(bytes([byte]))
                if self.server.git.closing.wait(how.trickle):
                    return

    def _spool(self, body: BinaryIO) -> None:
        """Write the request's content to *body*, whichever way it was sent, and rewind it."""
        if self.headers.get("Transfer-Encoding", "") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body.write(self.rfile.read(size))
                self.rfile.readline()
        else:
            content = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            packed = self.headers.get("Content-Encoding", "") in ("gzip", "x-gzip")
            body.write(gzip.decompress(content) if packed else content)
        body.flush()
        body.seek(0)

    def _large(self, content: bytes | None) -> None:
        if content is None:
            self._status(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.git-lfs+json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _env(self, name: str) -> dict[str, str]:
        asked = self.headers.get("Git-Protocol", "")
        if not self.server.git.behaviour(name).old:
            return {**scrubbed_env(), "GIT_PROTOCOL": asked}
        strict = {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "uploadpack.allowAnySHA1InWant",
            "GIT_CONFIG_VALUE_0": "false",
        }
        return {**scrubbed_env(), **strict, "GIT_PROTOCOL": ""}

    def _status(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Keep the tests' output clean; `GitServer.requests` is the log."""


def _basic(login: Iterable[str]) -> str:
    return "Basic " + base64.b64encode(":".join(login).encode()).decode()


def _chunks(stream: object) -> Iterator[bytes]:
    return iter(lambda: cast("BinaryIO", stream).read1(65536), b"")  # type: ignore[attr-defined]
