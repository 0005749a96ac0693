"""Packages from npm, each into a folder of the state that nothing else uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from steps import packages
from steps.report import run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from steps.contract import Contract


def install(wanted: Sequence[str], folder: Path, contract: Contract) -> None:
    """Install *wanted* ("name@version"), and nothing else, below *folder*/node_modules, with the site's certificates if it has its own."""
    packages.ensure_program("npm", "npm", log=contract.log)
    folder.mkdir(parents=True, exist_ok=True)
    run(
        ("npm", "install", "--prefix", str(folder), "--no-save", "--no-audit", "--no-fund", "--", *wanted),
        log=contract.log,
        hint="Check that npm reaches a package registry (`npm config get registry`).",
        env={"NODE_EXTRA_CA_CERTS": str(contract.ca_bundle)} if contract.ca_bundle else None,
    )
