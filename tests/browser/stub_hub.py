"""A real JupyterHub with our pages and a spawner that only tells a story, for tests of the pages alone.

No Docker is needed: the spawner emits a scripted list of events and answers with a one-line server. The proxy is a
process apart, so a test can kill the hub and see what the page does meanwhile.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONFIG = Path(__file__).parent / "stub_hub_config.py"
STARTUP_SECONDS = 60


def state_folder() -> Path:
    """Return the state folder of the checkout, where set-up puts Node packages."""
    return Path(os.environ.get("VERSATILEHUB_STATE") or ROOT / ".state")


def proxy_program() -> str:
    """Return the path of configurable-http-proxy: on PATH, else where set-up installs it."""
    installed = state_folder() / "proxy" / "node_modules" / ".bin" / "configurable-http-proxy"
    return shutil.which("configurable-http-proxy") or str(installed)


def free_port() -> int:
    """Return a TCP port that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@dataclass(kw_only=True)
class StubHub:
    """The processes of one hub under ``/base/``; its files and logs are in *folder*."""

    folder: Path
    port: int = field(default_factory=free_port)
    hub_port: int = field(default_factory=free_port)
    api_port: int = field(default_factory=free_port)
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    cookie_secret: str = field(default_factory=lambda: secrets.token_hex(32))
    hub: subprocess.Popen[bytes] | None = None
    proxy: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The hub's base URL as a browser sees it."""
        return f"http://127.0.0.1:{self.port}/base/"

    def start_proxy(self) -> None:
        """Start the proxy; routes stay while it runs."""
        arguments = ["--ip", "127.0.0.1", "--port", str(self.port), "--api-ip", "127.0.0.1"]
        arguments += [
            "--api-port",
            str(self.api_port),
            "--error-target",
            f"http://127.0.0.1:{self.hub_port}/base/hub/error",
        ]
        self.proxy = self._spawn("proxy", [proxy_program(), *arguments])

    def start_hub(self) -> None:
        """Start the hub and return once it answers through the proxy."""
        self.hub = self._spawn("hub", [sys.executable, "-m", "jupyterhub", "-f", str(CONFIG)])
        deadline = time.monotonic() + STARTUP_SECONDS
        while not self._answers():
            if self.hub.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the hub did not come up:\n{self.log()}")
            time.sleep(0.1)

    def kill_hub(self) -> None:
        """End the hub as a power cut would."""
        self._end(self.hub, signal.SIGKILL)

    def stop(self) -> None:
        """End both processes."""
        self._end(self.hub, signal.SIGTERM)
        self._end(self.proxy, signal.SIGTERM)

    def log(self) -> str:
        """Return the end of the hub's log."""
        path = self.folder / "hub.log"
        return path.read_text(encoding="utf-8", errors="replace")[-8000:] if path.exists() else ""

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}hub/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def _spawn(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "CONFIGPROXY_AUTH_TOKEN": self.token,
            "JPY_COOKIE_SECRET": self.cookie_secret,
            "STUB_PORT": str(self.port),
            "STUB_HUB_PORT": str(self.hub_port),
            "STUB_API_PORT": str(self.api_port),
            "PYTHONPATH": str(ROOT),
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=log, stderr=subprocess.STDOUT
            )

    @staticmethod
    def _end(process: subprocess.Popen[bytes] | None, how: signal.Signals) -> None:
        if process is None or process.poll() is not None:
            return
        process.send_signal(how)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
