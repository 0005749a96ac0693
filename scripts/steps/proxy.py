"""JupyterHub's configurable-http-proxy: the one on PATH, else installed by npm into the state folder."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from steps import npm
from steps.report import Step, StepFailed

if TYPE_CHECKING:
    from pathlib import Path

    from steps.contract import Contract

PROGRAM = "configurable-http-proxy"


def ensure(step: Step, contract: Contract) -> Path | None:
    """Return the folder to add to the hub's PATH, None when the proxy is on PATH as it is."""
    found = shutil.which(PROGRAM)
    if found:
        step.already(found)
        return None
    folder = contract.state / "proxy"
    binaries = folder / "node_modules" / ".bin"
    if (binaries / PROGRAM).exists():
        step.already()
        return binaries
    major = _node_major()
    # Version 5 needs Node 20; Debian 12 ships Node 18.
    wanted = f"{PROGRAM}@{5 if major >= 20 else 4}"
    npm.install([wanted], folder, contract)
    step.did(f"installed {wanted}")
    return binaries


def _node_major() -> int:
    try:
        text = subprocess.run(("node", "--version"), capture_output=True, text=True, check=True).stdout
        return int(text.removeprefix("v").split(".")[0])
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        raise StepFailed(
            "There is no working Node on this machine, which JupyterHub's proxy needs.",
            hint="Install Node 18 or newer (Debian: `sudo apt-get install nodejs npm`), then start again.",
        ) from error
