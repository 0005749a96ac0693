"""What `versatilehub doctor` looks at: each check is one line with what was found and, if it is not well, what to do.

Checks only look; nothing is changed. "warn" is a protection that is missing, "fail" something that keeps servers from starting.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from versatilehub import firewall, naming
from versatilehub.errors import EngineFailure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from versatilehub.engine import Engine

Level = Literal["ok", "warn", "fail"]
#: Oldest versions without a known way out of a container or into the machine (CVE-2024-21626; CVE-2024-32002).
RUNC_FLOOR = (1, 1, 12)
GIT_FLOOR = (2, 39, 4)
#: File in the state folder with what the last start chose.
STORAGE = "storage.json"
#: File in the state folder with what the last comparison of volumes found.
RECONCILED = "reconcile.json"
#: Below this much free disk a build is likely to end for lack of it.
FREE_BYTES = 5 * 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line: what was looked at, how it is, what was found and what to do."""

    name: str
    level: Level
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What is looked at: the engine, and the hub's state folder and id ("" before the first start)."""

    engine: Engine
    state: Path
    hub_id: str


def version_of(text: str) -> tuple[int, ...]:
    """Return the first dotted number in *text* as integers, () when there is none."""
    found = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(int(part) for part in found.group().split(".")) if found else ()


async def _engine(patient: Patient) -> Finding:
    try:
        facts = await patient.engine.info()
    except EngineFailure as error:
        return Finding(
            name="engine", level="fail", found=error.message, advice="Start Docker, then look again."
        )
    found = f"Docker {facts['ServerVersion']}, {facts['Driver']}, cgroup v{facts.get('CgroupVersion', '1')}"
    return Finding(name="engine", level="ok", found=found)


async def _seccomp(patient: Patient) -> Finding:
    try:
        options = (await patient.engine.info()).get("SecurityOptions") or []
    except EngineFailure:
        return Finding(name="seccomp", level="fail", found="unknown")
    if any("seccomp" in option for option in options):
        return Finding(name="seccomp", level="ok", found="on")
    return Finding(name="seccomp", level="warn", found="off", advice="Use an engine built with seccomp.")


async def _runc(patient: Patient) -> Finding:
    del patient
    text = _output("runc", "--version")
    version = version_of(text)
    if not version:
        return Finding(
            name="runc", level="warn", found="not found on PATH", advice="Check that runc is 1.1.12 or newer."
        )
    shown = ".".join(map(str, version))
    if version < RUNC_FLOOR and "deb12u" not in text:
        return Finding(
            name="runc", level="warn", found=shown, advice="Older than 1.1.12: see CVE-2024-21626, update it."
        )
    return Finding(name="runc", level="ok", found=shown)


async def _git(patient: Patient) -> Finding:
    del patient
    version = version_of(_output("git", "--version"))
    shown = ".".join(map(str, version)) or "not found"
    if version < GIT_FLOOR:
        return Finding(
            name="git",
            level="fail" if not version else "warn",
            found=shown,
            advice="Install git 2.39.4 or newer.",
        )
    return Finding(name="git", level="ok", found=shown)


async def _firewall(patient: Patient) -> Finding:
    reason = firewall.unavailable()
    if not reason and patient.hub_id:
        rules = _output("iptables", "-w", "-S", "INPUT")
        if f"VH-{patient.hub_id}-S-IN" not in rules:
            reason = "the hub's rules are not in the INPUT chain; they are set when it starts"
    if reason:
        return Finding(
            name="firewall",
            level="warn",
            found=reason,
            advice="Without rules, servers reach this machine's ports and the cloud's metadata service.",
        )
    return Finding(name="firewall", level="ok", found="rules for the servers' network are in force")


async def _images(patient: Patient) -> Finding:
    missing = []
    for image in ("versatilehub/singleuser:latest", "versatilehub/builder:latest"):
        try:
            if await patient.engine.images.find(image) is None:
                missing.append(image)
        except EngineFailure as error:
            return Finding(name="images", level="fail", found=error.message)
    if missing:
        return Finding(
            name="images", level="fail", found=f"missing: {', '.join(missing)}", advice="Run `make images`."
        )
    return Finding(name="images", level="ok", found="singleuser and builder are there")


async def _network(patient: Patient) -> Finding:
    if not patient.hub_id:
        return Finding(name="network", level="ok", found="made at the hub's first start")
    name = naming.network_name(patient.hub_id)
    try:
        gateway = await patient.engine.networks.gateway(name)
    except EngineFailure as error:
        return Finding(
            name="network", level="warn", found=error.message, advice="It is made when the hub starts."
        )
    return Finding(name="network", level="ok", found=f"{name}, the hub at {gateway}")


async def _disk(patient: Patient) -> Finding:
    try:
        root = Path(str((await patient.engine.info())["DockerRootDir"]))
    except EngineFailure:
        root = Path("/")
    free = shutil.disk_usage(root if root.exists() else Path("/")).free
    found = f"{free / 1024**3:.1f} GiB free for images and volumes"
    if free < FREE_BYTES:
        return Finding(name="disk", level="warn", found=found, advice="Remove images nobody uses.")
    return Finding(name="disk", level="ok", found=found)


async def _storage(patient: Patient) -> Finding:
    try:
        choice = json.loads((patient.state / STORAGE).read_text())
        name, hard = str(choice["name"]), bool(choice["hard"])
        rejected = [f"{one['name']}: {one['reason']}" for one in choice["rejected"]]
    except (OSError, ValueError, KeyError, TypeError):
        return Finding(name="storage", level="ok", found="tried at the hub's first start")
    why = f" ({'; '.join(rejected)})" if rejected else ""
    if not name:
        return Finding(
            name="storage",
            level="fail",
            found=f"the backend that is set does not work{why}",
            advice="Remove the reason, or set storage_backend to auto.",
        )
    if not hard:
        return Finding(
            name="storage",
            level="warn",
            found=f"{name}: volumes are only measured{why}",
            advice="A server can fill the disk. docs/how-to/storage-caps.md says what holds a cap.",
        )
    return Finding(name="storage", level="ok", found=f"{name}: the file system keeps every cap{why}")


async def _volumes(patient: Patient) -> Finding:
    try:
        report = json.loads((patient.state / RECONCILED).read_text())
        waiting = [one for one in report["findings"] if not one["done"]]
    except (OSError, ValueError, KeyError, TypeError):
        return Finding(name="volumes", level="ok", found="not compared with the hub's records yet")
    if report.get("problem"):
        found = f"not compared with the hub's records: {report['problem']}"
        return Finding(
            name="volumes", level="warn", found=found, advice="Look at the engine; it is tried again."
        )
    if not waiting:
        return Finding(name="volumes", level="ok", found="Docker and the hub's records agree")
    codes = ", ".join(sorted({str(one["code"]) for one in waiting}))
    return Finding(
        name="volumes",
        level="warn",
        found=f"{len(waiting)} do not fit the hub's records: {codes}",
        advice="versatilehub volumes ls says which, and why.",
    )


async def _state(patient: Patient) -> Finding:
    if not patient.state.exists():
        return Finding(name="state", level="ok", found=f"{patient.state} is made at the first start")
    mode = patient.state.stat().st_mode & 0o077
    if mode:
        return Finding(
            name="state",
            level="warn",
            found=f"{patient.state} can be read by other accounts",
            advice=f"chmod 700 {patient.state}",
        )
    return Finding(name="state", level="ok", found=f"{patient.state} belongs to this account only")


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


CHECKS: tuple[Callable[[Patient], Awaitable[Finding]], ...] = (
    _engine,
    _seccomp,
    _runc,
    _git,
    _images,
    _network,
    _firewall,
    _disk,
    _storage,
    _volumes,
    _state,
)


async def examine(patient: Patient) -> list[Finding]:
    """Return the findings of every check, in order."""
    return [await check(patient) for check in CHECKS]
