"""For the tests: a Chromium (on PATH, else Debian's when root, else Playwright's own), and packages from npm."""

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
# The judge of accessibility, and the client of BinderHub's API: a new version finds new things, so it is taken on purpose.
NPM = {"axe-core": "4.14.1", "@jupyterhub/binderhub-client": "0.5.0"}


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


def ensure_npm(step: Step, contract: Contract) -> None:
    """Return when the packages that tests drive, in the versions they are written for, are below <state>/node."""
    folder = contract.state / "node"
    wanted = [f"{name}@{version}" for name, version in NPM.items()]
    if all(_version(folder, name) == version for name, version in NPM.items()):
        step.already(" ".join(wanted))
        return
    npm.install(wanted, folder, contract)  # at once: npm removes what it was not asked for this time
    step.did(f"installed {' '.join(wanted)}")


def _version(folder: Path, name: str) -> str:
    try:
        described = json.loads((folder / "node_modules" / name / "package.json").read_text("utf-8"))
    except (OSError, ValueError):
        return ""
    return str(described.get("version", ""))
