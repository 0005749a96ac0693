"""An address where something answers HTTP, for a case that makes up its server's address."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class _NotFound(SimpleHTTPRequestHandler):
    """Answers 404, which is an answer."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """Print nothing."""


@contextmanager
def answering() -> Iterator[int]:
    """Answer on a free port of 127.0.0.1 and give the port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _NotFound) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
