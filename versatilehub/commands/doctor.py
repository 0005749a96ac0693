"""`versatilehub doctor`: look for what is wrong and say what to do about it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from versatilehub.commands.deployment import hub_id
from versatilehub.doctor import Patient, examine
from versatilehub.engine import Engine

if TYPE_CHECKING:
    import argparse

NAME = "doctor"
HELP = "check engine, images, network, firewall, disk and state folder"
MARKS = {"ok": "ok  ", "warn": "WARN", "fail": "FAIL"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: it looks at everything."""


async def run(options: argparse.Namespace) -> int:
    """Print one line per check; return 1 when one failed."""
    engine = Engine(hub=hub_id(options.state))
    try:
        findings = await examine(Patient(engine=engine, state=options.state, hub_id=engine.hub))
    finally:
        await engine.close()
    if options.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            print(f"{MARKS[finding.level]}  {finding.name:<9} {finding.found}")
            if finding.advice:
                print(f"{'':<16}{finding.advice}")
    return 1 if any(finding.level == "fail" for finding in findings) else 0
