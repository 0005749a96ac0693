"""Which steps each command needs, in which order, and how a failure is told."""

from __future__ import annotations

import fcntl
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from steps import browser, engine, images, packages, proxy, registry, state, venv
from steps.contract import ROOT, Contract, read_contract
from steps.report import StepFailed, step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

EXIT_NEEDS_A_PERSON = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What the set-up found or made, as far as the command asked for it."""

    contract: Contract
    accounts: state.Accounts | None = None
    proxy: Path | None = None


def prepare_venv(contract: Contract) -> Ready:
    """Set up what `make check` needs: no engine."""
    _venv(contract, "dev", "test")
    return Ready(contract=contract)


def prepare_images(contract: Contract) -> Ready:
    """Set up what a build needs: an engine and our images."""
    with step("engine") as current:
        engine.ensure(current, log=contract.log, environ=os.environ)
    for name in images.NAMES:
        with step(f"image {name}") as current:
            images.ensure(current, contract, name)
    return Ready(contract=contract)


def prepare_run(contract: Contract, *extras: str) -> Ready:
    """Set up what a hub needs; *extras* of the package are installed too."""
    with step("state") as current:
        accounts = state.ensure(current, contract)
    with step("git") as current:
        if packages.ensure_program("git", "git", log=contract.log):
            current.did("installed")
        else:
            current.already()
    _venv(contract, *extras)
    with step("proxy") as current:
        binaries = proxy.ensure(current, contract)
    prepare_images(contract)
    return Ready(contract=contract, accounts=accounts, proxy=binaries)


def prepare_test(contract: Contract) -> Ready:
    """Set up what `make test` needs: what a hub needs, the tools, a browser and its judge, a registry."""
    ready = prepare_run(contract, "dev", "test")
    with step("browser") as current:
        browser.ensure(current, contract)
    with step("npm packages") as current:
        browser.ensure_npm(current, contract)
    with step("registry") as current:
        registry.ensure(current, contract)
    return ready


def carry_out(prepare: Callable[[Contract], Ready]) -> Ready:
    """Run *prepare* for the contract of the environment; end the program with a plain message when it cannot."""
    try:
        contract = read_contract(os.environ)
        contract.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone():
            return prepare(contract)
    except StepFailed as failure:
        for line in failure.lines:
            print(f"  | {line}", file=sys.stderr)
        print(f"\n{failure}", file=sys.stderr)
        if failure.hint:
            print(failure.hint, file=sys.stderr)
        raise SystemExit(EXIT_NEEDS_A_PERSON) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _venv(contract: Contract, *extras: str) -> None:
    with step("venv") as current:
        venv.ensure(current, contract, extras=extras)


@contextmanager
def _alone() -> Iterator[None]:
    """One set-up at a time in a checkout: a second one waits, then finds everything there."""
    descriptor = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another set-up of this checkout is running; waiting for it", flush=True)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
