"""For the browser tests: a Chromium (on PATH, else Debian's when root, else Playwright's own), and axe-core."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

from steps import npm, packages
from steps.report import Step, run
from steps.venv import PYTHON

if TYPE_CHECKING:
    from pathlib import Path

    from steps.contract import Contract

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The judge of accessibility: a new version finds new things, so it is taken on purpose.
AXE = "4.14.1"


def ensure(step: Step, contract: Contract) -> None:
    """Return when a browser the tests can drive is there."""
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found:
        step.already(found)
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        packages.install("chromium", log=contract.log, why="There is no Chromium for the browser tests")
        step.did("installed chromium")
        return
    run(
        (str(PYTHON), "-m", "playwright", "install", "chromium"),
        log=contract.log,
        hint="Install Chromium (Debian: `sudo apt-get install chromium`), then start again.",
    )
    step.did("Playwright's chromium")


def ensure_axe(step: Step, contract: Contract) -> None:
    """Return when axe-core, in the version the tests are written for, is below <state>/node."""
    folder = contract.state / "node"
    if _axe_version(folder) == AXE:
        step.already(AXE)
        return
    npm.install(f"axe-core@{AXE}", folder, contract)
    step.did(f"installed axe-core@{AXE}")


def _axe_version(folder: Path) -> str:
    try:
        described = json.loads((folder / "node_modules" / "axe-core" / "package.json").read_text("utf-8"))
    except (OSError, ValueError):
        return ""
    return str(described.get("version", ""))
