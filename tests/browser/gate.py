"""A gate that builds wait at: a step asks it for a page, and it answers once the test has seen what it wanted."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

#: Lines of a Dockerfile whose repository has a Gate's script as prepare.py.
STEP = "COPY prepare.py /tmp/\nRUN python3 -u /tmp/prepare.py\n"


class Gate:
    """A context manager; closed until `open`. *name* is this machine's address as a build reaches it."""

    def __init__(self, name: str) -> None:
        self._opened = threading.Event()
        self._http = _Http(("0.0.0.0", 0), _Handler)
        self._http.opened = self._opened
        self._url = f"http://{name}:{self._http.server_address[1]}/"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), name="gate")

    @property
    def script(self) -> str:
        """A program that says a few lines and then waits here; the Dockerfile lines of `STEP` run it."""
        said = "".join(f"print('station {number:02}: 1440 values')\n" for number in range(1, 7))
        return f"import urllib.request\n{said}urllib.request.urlopen('{self._url}')\n"

    def open(self) -> None:
        """Let everything pass, now and later."""
        self._opened.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.open()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Http(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close() joins them
    opened: threading.Event

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a cancelled build hangs up, which is what is tested."""


class _Handler(BaseHTTPRequestHandler):
    server: _Http

    def do_GET(self) -> None:
        """Answer once the gate is open."""
        self.server.opened.wait()
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Keep the tests' output clean."""
