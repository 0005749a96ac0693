"""User names and passwords of registries, read from a file when they are needed and kept nowhere.

The file has the form of Docker's own ``config.json`` (``docker login`` writes one), so one file serves Docker's command too.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from versatilehub.engine import Login
from versatilehub.errors import RegistryFailure
from versatilehub.images.references import HUB

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_HUB_KEY = "https://index.docker.io/v1/"


class Credentials:
    """Logins by registry. *path* None: nobody logs in anywhere; not *needed*: a file that is missing or odd is the same."""

    def __init__(self, path: Path | None = None, *, needed: bool = True) -> None:
        self._path = path
        self._needed = needed

    async def of(self, host: str) -> Login | None:
        """Return the login for a registry, None where there is none; `RegistryFailure` when the file cannot be read."""
        if self._path is None:
            return None
        return await asyncio.to_thread(self._read, self._path, host)

    def _read(self, path: Path, host: str) -> Login | None:
        try:
            auths = json.loads(path.read_text("utf-8"))["auths"]
            entry = _entry(auths, host)
            return _login(entry, host) if entry else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            if not self._needed:
                return None
            # The error may quote the file: only its kind is told.
            raise RegistryFailure(
                f"The logins of registries in {path} cannot be read ({type(error).__name__}).",
                hint='It must look like {"auths": {"registry.example.org": {"username": "…", "password": "…"}}}.',
                code="registry_logins_unreadable",
            ) from None


def _entry(auths: Mapping[str, Any], host: str) -> Mapping[str, Any] | None:
    keys = [host, f"https://{host}", f"http://{host}", *([_HUB_KEY] if host == HUB else [])]
    return next((auths[key] for key in keys if key in auths), None)


def _login(entry: Mapping[str, Any], host: str) -> Login:
    if "auth" in entry:
        try:
            name, _, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
        except binascii.Error as error:
            raise ValueError("auth is not base64") from error
    else:
        name, password = str(entry["username"]), str(entry["password"])
    return Login(username=name, password=password.strip("\x00\n"), server=host)
