"""The first admin: a users.csv in the state folder that only this account can read.

The hub's secrets are in the same folder; `versatilehub.config` makes them when it first needs them.
"""

from __future__ import annotations

import csv
import io
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from steps.contract import Contract
    from steps.report import Step

ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """Where the accounts are; *password* of the admin when this run made them, else ""."""

    file: Path
    password: str = ""


def ensure(step: Step, contract: Contract) -> Accounts:
    """Make the folder, and a users.csv with one admin in it unless VERSATILEHUB_USERS names another."""
    contract.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    if contract.users is not None:
        step.already(f"accounts of {contract.users}")
        return Accounts(file=contract.users)
    path = contract.state / "users.csv"
    if path.exists():
        step.already(str(contract.state))
        return Accounts(file=path)
    password = secrets.token_urlsafe(12)
    _write_private(path, _csv(("name", "password", "admin"), (ADMIN, password, "true")))
    step.did(str(contract.state))
    return Accounts(file=path, password=password)


def _csv(*rows: tuple[str, ...]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _write_private(path: Path, text: str) -> None:
    """Write *text* so that no other account can read it at any moment, and no half file is left by a crash."""
    scratch = path.with_name(f".{path.name}.new")
    scratch.unlink(missing_ok=True)
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    scratch.rename(path)
