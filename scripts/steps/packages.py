"""Debian packages, for the steps that need one: installed when root, else named in an instruction."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from steps.report import StepFailed, run

if TYPE_CHECKING:
    from pathlib import Path

# Another apt (unattended-upgrades on a new machine) may hold the lock for a while.
APT = ("apt-get", "-o", "DPkg::Lock::Timeout=300")
QUIET = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}


def install(*names: str, log: Path, why: str) -> None:
    """Install Debian packages *names* without their recommendations; *why* begins the message when that cannot be."""
    by_hand = f"Run `sudo apt-get update && sudo apt-get install {' '.join(names)}`, then start again."
    if shutil.which("apt-get") is None:
        raise StepFailed(
            f"{why}, and this machine has no apt-get.", hint=f"Install {', '.join(names)} first."
        )
    if os.geteuid() != 0:
        raise StepFailed(f"{why}, and installing needs root.", hint=by_hand)
    command = (*APT, "install", "-y", "-q", "--no-install-recommends", "--", *names)
    try:
        # The lists of a new machine are empty or old; asking for them only then saves seconds each other time.
        run(command, log=log, hint=by_hand, env=QUIET)
    except StepFailed:
        run(
            (*APT, "update", "-q"),
            log=log,
            hint="Check this machine's package mirror and network.",
            env=QUIET,
        )
        run(command, log=log, hint=by_hand, env=QUIET)


def known(name: str) -> bool:
    """Tell whether this release of Debian has a package *name*."""
    if shutil.which("apt-cache") is None:
        return False
    command = ("apt-cache", "show", "--", name)
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def ensure_program(program: str, package: str, *, log: Path) -> bool:
    """Install *package* if *program* is not on PATH; return whether it had to."""
    if shutil.which(program):
        return False
    install(package, log=log, why=f"There is no {program!r} on this machine")
    return True
