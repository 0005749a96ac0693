"""The `versatilehub` command; its subcommands are the modules of `versatilehub.commands`.

Exit codes: 0 well, 1 something needs a person, 2 the command was typed wrongly.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from versatilehub import __version__
from versatilehub.commands import COMMANDS
from versatilehub.errors import VersatileHubError

if TYPE_CHECKING:
    from collections.abc import Sequence


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
    for command in COMMANDS:
        one = commands.add_parser(command.NAME, help=command.HELP, description=command.HELP)
        command.arguments(one)
        one.set_defaults(run=command.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(asyncio.run(options.run(options)))
    except VersatileHubError as error:
        print(f"{error.message} {error.hint}".strip(), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
