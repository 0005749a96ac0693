"""`versatilehub status`: what this hub has in Docker."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from versatilehub.commands.deployment import hub_id
from versatilehub.engine import Engine

if TYPE_CHECKING:
    import argparse

NAME = "status"
HELP = "list this hub's servers, builds and volumes"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: it lists everything."""


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


async def run(options: argparse.Namespace) -> int:
    """Print what this hub has in Docker."""
    hub = hub_id(options.state)
    if not hub:
        print(f"No hub has started with the state folder {options.state} yet.", file=sys.stderr)
        return 1
    engine = Engine(hub=hub)
    try:
        found = await inventory(engine)
    finally:
        await engine.close()
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    for title, rows in found.items():
        print(f"{len(rows)} {title}")
        for row in rows:
            print("  " + "  ".join(f"{key}={value}" for key, value in row.items()))
    return 0
