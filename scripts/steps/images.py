"""The project's images, each by `images/make.py`, which builds what is missing and knows their order."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from steps.contract import ROOT
from steps.report import Step, run

if TYPE_CHECKING:
    from steps.contract import Contract

MAKE = ROOT / "images" / "make.py"
# `hub` is built only when named: `make run` and the tests run the hub from .venv.
NAMES = ("base", "builder", "singleuser", "test-server")


def ensure(step: Step, contract: Contract, name: str) -> None:
    """Make image *name* exist and be the one its folder describes."""
    command = [sys.executable, str(MAKE)]
    if contract.ca_bundle is not None:
        command += ["--ca-bundle", str(contract.ca_bundle)]
    output = run(
        (*command, "--", name), log=contract.log, hint=f"Try `{sys.executable} {MAKE} {name}` by hand."
    )
    # Its last line is this image's: name, how, seconds; the seconds are printed here already.
    how = re.sub(r"^\S+\s+|\s+[\d.]+ s$", "", (output.strip().splitlines() or [""])[-1].strip())
    if how == "up to date":
        step.already()
    else:
        step.did(how)
