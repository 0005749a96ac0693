"""The environment variables of `make run`, and where a checkout keeps what it makes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from steps.report import StepFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What the set-up itself reads of the environment; jupyterhub_config.py reads the rest.

    *state* is absolute; *users* is None when the set-up makes the accounts file itself.
    """

    port: int
    state: Path
    users: Path | None
    ca_bundle: Path | None

    @property
    def api_port(self) -> int:
        """Port of the proxy's own API, on 127.0.0.1 only."""
        return self.port + 1

    @property
    def hub_port(self) -> int:
        """Port of the hub's API, which servers call."""
        return self.port + 81

    @property
    def log(self) -> Path:
        """File that gets the whole output of every command the set-up runs."""
        return self.state / "logs" / "setup.log"


def read_contract(environ: Mapping[str, str]) -> Contract:
    """Read VERSATILEHUB_PORT, _STATE, _USERS and _CA_BUNDLE; relative paths count from the current folder."""
    return Contract(
        port=_port(environ.get("VERSATILEHUB_PORT") or "8000"),
        state=Path(environ.get("VERSATILEHUB_STATE") or ROOT / ".state").resolve(),
        users=_file(environ, "VERSATILEHUB_USERS"),
        ca_bundle=_file(environ, "VERSATILEHUB_CA_BUNDLE"),
    )


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535 - 81:
        raise StepFailed(
            f"VERSATILEHUB_PORT is {text!r}, which is no port from 1 to {65535 - 81}.",
            hint="The hub also uses this port + 1 and + 81. Leave it unset for 8000.",
        )
    return int(text)


def _file(environ: Mapping[str, str], name: str) -> Path | None:
    text = environ.get(name)
    if not text:
        return None
    path = Path(text).resolve()
    if not path.is_file():
        raise StepFailed(f"{name} names {path}, which is no file.", hint=f"Create it, or unset {name}.")
    return path
