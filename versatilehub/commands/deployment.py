"""The deployment a command is about: what its hub wrote down in the state folder when it started."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from versatilehub.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from versatilehub.runtime import VersatileHub

#: File in the state folder with the traits of `VersatileHub` a deployment runs with.
SETTINGS = "settings.json"


def hub_id(state: Path) -> str:
    """Return the id of the hub whose state folder this is, "" when none has started with it."""
    try:
        return (state / "hub_id").read_text().strip()
    except OSError:
        return ""


def write(state: Path, settings: Mapping[str, Any]) -> None:
    """Keep *settings* for the commands, readable by the owner only: an address of a database may hold a password."""
    plain = {name: value for name, value in settings.items() if _is_plain(value)}
    fresh = state / f".{SETTINGS}.{os.getpid()}"
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(plain, indent=1, sort_keys=True))
    fresh.replace(state / SETTINGS)


def load(state: Path) -> VersatileHub:
    """Return what the hub of *state* shares, as it was last started; close it with `VersatileHub.close`.

    Raises `InvalidInput` when no hub has started with that folder.
    """
    try:
        settings = json.loads((state / SETTINGS).read_text())
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"No hub has started with the state folder {state} yet.",
            hint="Name its folder: versatilehub --state FOLDER …, or set VERSATILEHUB_STATE.",
            code="no_hub",
        ) from error
    from versatilehub.runtime import VersatileHub  # noqa: PLC0415  # takes a second, which --help need not wait for

    return VersatileHub(**settings)


def _is_plain(value: object) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):  # a callable, say: no command can have it
        return False
    return True
