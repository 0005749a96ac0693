"""Set up what a command needs and is missing: `python3 scripts/prepare.py venv|images|run|test`."""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036  # this is what tells a person with an older one
    raise SystemExit("versatilehub needs Python 3.11 or newer; set PYTHON to one: make PYTHON=python3.11 …")

from steps import sequence  # after the version check: an older Python cannot even read it

COMMANDS = {
    "venv": sequence.prepare_venv,
    "images": sequence.prepare_images,
    "run": sequence.prepare_run,
    "test": sequence.prepare_test,
}


def main(arguments: list[str]) -> None:
    """Carry out the one command named."""
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        raise SystemExit(f"usage: prepare.py {'|'.join(COMMANDS)}")
    sequence.carry_out(COMMANDS[arguments[0]])


if __name__ == "__main__":
    main(sys.argv[1:])
