"""Debian's docker-registry on a free port of this machine, with a password; installed by set-up (scripts/steps/registry.py)."""

from __future__ import annotations

import shutil
import socket
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING, Self

import requests

from tests.hubprocess import wait_for

if TYPE_CHECKING:
    from pathlib import Path

USER = "hub"
PASSWORD = "registry-password-1"
#: What `htpasswd -nbB hub registry-password-1` says: the registry takes bcrypt only.
HTPASSWD = "hub:$2y$05$/h.bJBoeF8xsCl5cCAjq1OY1EPqz7sLriJfPpWIy8lbptYGGKfYFG\n"
CONFIG = """\
version: 0.1
log: {{level: error}}
storage:
  filesystem: {{rootdirectory: {folder}/blobs}}
  delete: {{enabled: true}}
http: {{addr: "{address}"}}
auth:
  htpasswd: {{realm: tests, path: {folder}/htpasswd}}
"""


class RegistryServer:
    """A registry that can be stopped and started again; what was pushed stays."""

    def __init__(self, folder: Path) -> None:
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self._config = folder / "registry.yml"
        self._config.write_text(CONFIG.format(folder=folder, address=self.address))
        (folder / "htpasswd").write_text(HTPASSWD)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it and wait until it answers."""
        program = shutil.which("docker-registry")
        assert program, "There is no docker-registry: run `python3 scripts/prepare.py test`."
        self._process = subprocess.Popen(
            [program, "serve", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(self._answers, "the registry to answer", seconds=20)
        return self

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def tags(self, repository: str) -> list[str]:
        """Return the tags of a repository in it."""
        answer = requests.get(
            f"http://{self.address}/v2/{repository}/tags/list", auth=(USER, PASSWORD), timeout=10
        )
        return sorted(answer.json().get("tags") or ())

    def _answers(self) -> bool:
        try:
            return requests.get(f"http://{self.address}/v2/", timeout=5).status_code == 401
        except requests.ConnectionError:
            return False
