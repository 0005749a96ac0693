"""The `versatilehub` command: `doctor` looks for what is wrong, `status` says what there is.

Exit codes: 0 well, 1 something needs a person, 2 the command was typed wrongly.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from versatilehub import __version__
from versatilehub.doctor import Patient, examine
from versatilehub.engine import Engine
from versatilehub.errors import VersatileHubError

if TYPE_CHECKING:
    from collections.abc import Sequence

MARKS = {"ok": "ok  ", "warn": "WARN", "fail": "FAIL"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="versatilehub", description="Look after a versatilehub deployment.")
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument(
        "--state",
        type=Path,
        default=Path(os.environ.get("VERSATILEHUB_STATE") or ".state"),
        help="the hub's state folder (default: $VERSATILEHUB_STATE, else ./.state)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("doctor", help="check engine, images, network, firewall, disk and state folder")
    commands.add_parser("status", help="list this hub's servers, builds and volumes")
    return parser


def _hub_id(state: Path) -> str:
    try:
        return (state / "hub_id").read_text().strip()
    except OSError:
        return ""


async def doctor(state: Path, *, as_json: bool) -> int:
    """Print one line per check; return 1 when one failed."""
    engine = Engine(hub=_hub_id(state))
    try:
        findings = await examine(Patient(engine=engine, state=state, hub_id=engine.hub))
    finally:
        await engine.close()
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            print(f"{MARKS[finding.level]}  {finding.name:<9} {finding.found}")
            if finding.advice:
                print(f"{'':<16}{finding.advice}")
    return 1 if any(finding.level == "fail" for finding in findings) else 0


async def inventory(engine: Engine) -> dict[str, list[dict[str, str]]]:
    """Return this hub's servers, builds and volumes as Docker's labels have them."""
    ours = {"versatilehub.hub": engine.hub}
    found: dict[str, list[dict[str, str]]] = {}
    for title, kind in (("servers", "server"), ("builds", "build")):
        rows = await engine.containers.list({**ours, "versatilehub.kind": kind})
        found[title] = [_row(row.labels, name=row.name, state=row.state) for row in rows]
    volumes = await engine.volumes.list({**ours, "versatilehub.kind": "volume"})
    found["volumes"] = [_row(volume.labels, name=volume.name) for volume in volumes]
    return found


def _row(labels: Any, **more: str) -> dict[str, str]:
    keys = ("owner", "server", "source", "commit", "created")
    return {**more, **{key: labels[f"versatilehub.{key}"] for key in keys if f"versatilehub.{key}" in labels}}


async def status(state: Path, *, as_json: bool) -> int:
    """Print what this hub has in Docker."""
    hub_id = _hub_id(state)
    if not hub_id:
        print(f"No hub has started with the state folder {state} yet.", file=sys.stderr)
        return 1
    engine = Engine(hub=hub_id)
    try:
        found = await inventory(engine)
    finally:
        await engine.close()
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    for title, rows in found.items():
        print(f"{len(rows)} {title}")
        for row in rows:
            print("  " + "  ".join(f"{key}={value}" for key, value in row.items()))
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    command = {"doctor": doctor, "status": status}[options.command]
    try:
        return asyncio.run(command(options.state, as_json=options.json))
    except VersatileHubError as error:
        print(f"{error.message} {error.hint}".strip(), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
