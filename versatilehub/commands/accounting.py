"""`versatilehub accounting`: what was used in a month, by user, group or workspace."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from datetime import UTC, datetime

from versatilehub.accounting import BYS, FIGURES, Month, total
from versatilehub.commands.deployment import load

NAME = "accounting"
HELP = "print what was used in a month: server-, CPU- and GB-hours, builds, storage, refusals"
#: A spreadsheet takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add month, view and form."""
    parser.add_argument("--month", metavar="YYYY-MM", help="default: this month, as far as it went")
    parser.add_argument("--by", choices=BYS, default="user", help="default: user")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="print CSV, for a spreadsheet")
    form.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")


async def run(options: argparse.Namespace) -> int:
    """Print the table."""
    month = Month.parse(options.month) if options.month else Month.of(datetime.now(UTC))
    hub = load(options.state)
    try:
        table = await hub.account(month, options.by)
    finally:
        await hub.close()
    rows = {key: figures.rounded() for key, figures in table.items()}
    if options.json:
        everything = {"month": str(month), "by": options.by, "rows": rows}
        print(json.dumps({**everything, "total": total(table.values()).rounded()}, indent=2))
    elif options.csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(["month", options.by, *FIGURES])
        for key, figures in rows.items():
            writer.writerow([month, _cell(key), *figures.values()])
    else:
        wide = max([len(options.by), *(len(key) for key in rows)]) + 2
        print(options.by.ljust(wide) + "".join(f"{figure:>17}" for figure in FIGURES))
        for key, figures in rows.items():
            print((key or "(none)").ljust(wide) + "".join(f"{value:>17,.2f}" for value in figures.values()))
    return 0


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
