"""A stand-in for a person's single-user server, for tests of what surrounds one.

It answers the paths the hub, the spawner and a browser ask for, and shows tests the container from inside. Standard
library only, few imports: it must answer within 0.3 s of its container's start. It checks nobody's identity.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import socketserver
import sys
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = os.environ.get("STUB_VERSION", "0")
HOME = os.environ.get("HOME", "/home/jovyan")
PAGES = frozenset({"", "lab", "tree", "notebooks", "doc", "retro", "edit", "git-pull"})
MAX_BODY = 64 * 1024 * 1024

Answer = tuple[int, str, bytes]


def as_json(value: object, status: int = 200) -> Answer:
    """Return *value* as a JSON answer."""
    return status, "application/json", json.dumps(value).encode()


def home_path(name: str) -> str:
    """Return the path below the home directory that *name* means, or "" when it leads out of it."""
    path = os.path.realpath(os.path.join(HOME, name))  # noqa: PTH118  # pathlib costs 10 ms of the start
    return path if path == HOME or path.startswith(HOME + os.sep) else ""


def change(method: str, path: str, body: bytes) -> Answer:
    """Write *body* to the file *path*, or delete the file."""
    if method == "DELETE":
        os.unlink(path)  # noqa: PTH108  # as in home_path
        return as_json({"path": path})
    os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120  # as in home_path
    with open(path, "wb") as file:  # noqa: PTH123  # as in home_path
        file.write(body)
    return as_json({"path": path, "size": len(body)}, 201)


def read(path: str) -> Answer:
    """Return a file's bytes, or the names in a folder."""
    if os.path.isdir(path):  # noqa: PTH112  # as in home_path
        return as_json(sorted(os.listdir(path)))  # noqa: PTH208  # as in home_path
    with open(path, "rb") as file:  # noqa: PTH123  # as in home_path
        return 200, "application/octet-stream", file.read()


def files(method: str, name: str, body: bytes) -> Answer:
    """Read (GET), write (PUT) or delete (DELETE) a file below the home directory; GET of a folder lists it."""
    path = home_path(name)
    if not path:
        return as_json({"message": "outside the home directory"}, 403)
    try:
        return change(method, path, body) if method in {"PUT", "DELETE"} else read(path)
    except FileNotFoundError:
        return as_json({"message": "no such file"}, 404)
    except OSError as error:
        return as_json({"message": str(error)}, 507)


def own_status() -> dict[str, object]:
    """Return what a test of the container's settings wants to know: ids, capabilities, limits, mounts."""
    with open("/proc/self/status", encoding="utf-8") as file:  # noqa: PTH123
        status = dict(line.rstrip().split(":\t", 1) for line in file if ":\t" in line)
    with open("/proc/self/limits", encoding="utf-8") as file:  # noqa: PTH123
        limits = file.read()
    with open("/proc/self/mounts", encoding="utf-8") as file:  # noqa: PTH123
        mounts = file.read().splitlines()
    return {
        "pid": os.getpid(),
        "argv": sys.argv,
        "uid": os.getuid(),
        "gid": os.getgid(),
        "groups": os.getgroups(),
        "cwd": os.getcwd(),  # noqa: PTH109
        "hostname": socket.gethostname(),
        "status": status,
        "limits": limits,
        "mounts": mounts,
    }


def connect_to(query: str) -> Answer:
    """Try one TCP connection from inside the container (``?host=…&port=…``) and say how it ended."""
    asked = parse_qs(query)
    try:
        with socket.create_connection((asked["host"][0], int(asked["port"][0])), timeout=2):
            return as_json({"connected": True})
    except OSError as error:
        return as_json({"connected": False, "error": str(error)})


def page() -> Answer:
    """Return what a browser that opens Lab, Notebook or the server's root gets."""
    return 200, "text/html; charset=utf-8", f"<!doctype html><title>Stub</title><p>{HOME}</p>".encode()


def answer(method: str, target: str, body: bytes) -> Answer:
    """Return the answer to one request; *target* is the request's path and query without the server's prefix."""
    parts = urlsplit(target)
    path = unquote(parts.path).strip("/")
    first, _, rest = path.partition("/")
    status = {"started": "", "last_activity": "", "connections": 0, "kernels": 0}
    routes: dict[str, Callable[[], Answer]] = {
        "api": lambda: as_json({"version": VERSION} if not rest else status),
        "env": lambda: as_json(os.environ.get(rest) if rest else dict(os.environ)),
        "proc": lambda: as_json(own_status()),
        "connect": lambda: connect_to(parts.query),
        "files": lambda: files(method, rest, body),
    }
    known = first in PAGES or (first in routes and (first != "api" or rest in {"", "status"}))
    return routes.get(first, page)() if known else as_json({"message": "not found"}, 404)


class Connection(socketserver.StreamRequestHandler):
    """One HTTP/1.1 request and its answer; the connection closes after it."""

    timeout = 30

    def handle(self) -> None:
        """Read the request, answer it, close."""
        words = self.rfile.readline(65536).decode("latin-1").split()
        if len(words) < 2:
            return
        method, target = words[0], words[1]
        length = 0
        while line := self.rfile.readline(65536).strip():
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-length":
                length = min(int(value), MAX_BODY)
        body = self.rfile.read(length)
        prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "/").rstrip("/")
        status, kind, payload = answer(method, target.removeprefix(prefix), body)
        head = (
            f"HTTP/1.1 {status} Stub\r\nContent-Type: {kind}\r\nContent-Length: {len(payload)}\r\n"
            f"X-JupyterHub-Version: {VERSION}\r\nConnection: close\r\n\r\n"
        )
        self.wfile.write(head.encode() + (b"" if method == "HEAD" else payload))


class StubServer(socketserver.ThreadingTCPServer):
    """Serves each connection in a thread that dies with the process."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


def listen_port() -> int:
    """Return the port of ``--port=N``, else of the URL the hub gave, else 8888."""
    for argument in sys.argv[1:]:
        if argument.startswith("--port="):
            return int(argument.removeprefix("--port="))
    return urlsplit(os.environ.get("JUPYTERHUB_SERVICE_URL", "")).port or 8888


def main() -> None:
    """Print the version when asked to, else serve until SIGTERM, which ends the process at once."""
    if "--version" in sys.argv:
        sys.stdout.write(f"{VERSION}\n")
        return
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    with StubServer(("0.0.0.0", listen_port()), Connection) as server:  # noqa: S104  # a container's own address
        server.serve_forever()
