"""The virtual environment with versatilehub in it, editable; a no-op while pyproject.toml stays the same."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from steps import packages
from steps.contract import ROOT, VENV, Contract
from steps.report import Step, run

if TYPE_CHECKING:
    from collections.abc import Collection

STAMP = VENV / ".versatilehub-setup.json"
PYTHON = VENV / "bin" / "python"


def ensure(step: Step, contract: Contract, *, extras: Collection[str] = ()) -> None:
    """Make .venv hold the package and at least *extras* of it."""
    digest = _digest()
    there = _stamped(digest)
    if there is not None and set(extras) <= there:
        step.already()
        return
    wanted = sorted(set(extras) | (there or set()))
    if not _works():
        _create(contract)
    target = f"{ROOT}[{','.join(wanted)}]" if wanted else str(ROOT)
    run(
        (str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "-q", "-e", target),
        log=contract.log,
        hint="Check that pip reaches a package index (PIP_INDEX_URL, PIP_CERT).",
        env={"PIP_CERT": str(contract.ca_bundle)} if contract.ca_bundle else None,
    )
    STAMP.write_text(json.dumps({"digest": digest, "extras": wanted}), "utf-8")
    step.did("installed" + (f" with {', '.join(wanted)}" if wanted else ""))


def _digest() -> str:
    """What an installation depends on; the folder is in it because scripts in .venv name it."""
    parts = ((ROOT / "pyproject.toml").read_bytes(), str(ROOT).encode(), sys.version.encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _stamped(digest: str) -> set[str] | None:
    """Return the extras an up-to-date installation has, None when there is none."""
    try:
        stamp = json.loads(STAMP.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return set(stamp["extras"]) if stamp.get("digest") == digest and PYTHON.exists() else None


def _works() -> bool:
    """Tell whether .venv has a Python of this version and a pip that start."""
    code = f"import pip, sys; sys.exit(sys.version_info[:2] != {tuple(sys.version_info[:2])})"
    try:
        return subprocess.run((str(PYTHON), "-c", code), capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _create(contract: Contract) -> None:
    try:
        import ensurepip  # noqa: F401, PLC0415  # Debian's python3 leaves it out; this asks whether it did
    except ImportError:
        name = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        packages.install(name, log=contract.log, why="This Python cannot make virtual environments")
    if VENV.exists():
        shutil.rmtree(VENV)
    run((sys.executable, "-m", "venv", str(VENV)), log=contract.log, hint="Install Python's venv module.")
