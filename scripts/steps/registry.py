"""For the tests of registries: Debian's docker-registry. Tests start it themselves, on a free port of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from steps import packages

if TYPE_CHECKING:
    from steps.contract import Contract
    from steps.report import Step


def ensure(step: Step, contract: Contract) -> None:
    """Return when a registry can be started."""
    if packages.ensure_program("docker-registry", "docker-registry", log=contract.log):
        step.did("installed docker-registry")
    else:
        step.already()
