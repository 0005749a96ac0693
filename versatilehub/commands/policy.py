"""`versatilehub policy explain USER`: each limit of a person, what of it is in use, and the rule it came from.

Groups and servers are read from the hub's database, which is opened for reading only; nothing is asked of a running hub.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from versatilehub.commands.deployment import load
from versatilehub.errors import InvalidInput

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from versatilehub.policy_explain import Limits, Use

NAME = "policy"
HELP = "say what a person may have, what they use, and which rule says so"
#: Where `configure` has JupyterHub keep its database.
DATABASE = "jupyterhub.sqlite"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``explain USER --group NAME``."""
    actions = parser.add_subparsers(dest="action", required=True)
    one = actions.add_parser("explain", help="print each limit of a person")
    one.add_argument("user", help="the name of the person in the hub")
    one.add_argument(
        "--group",
        action="append",
        dest="groups",
        metavar="NAME",
        help="a group to count them in, once for each (default: their groups in the hub's database)",
    )


async def run(options: argparse.Namespace) -> int:
    """Print the limits."""
    limits = explained(options.state, options.user, options.groups)
    if options.json:
        print(json.dumps(limits.to_json(), indent=2))
        return 0
    for topic, rows in limits.topics:
        print(topic)
        for row in rows:
            use = f"  in use: {row.use}" if row.use else ""
            print(f"  {row.key:<22} {row.value}{use}  ({row.origin})")
    return 0


def explained(state: Path, user: str, groups: Sequence[str] | None = None) -> Limits:
    """Return the limits of *user* as a member of *groups*, None for those in the hub's database.

    Raises `InvalidInput` when there is no such database, or nobody of that name in it, and no groups are given.
    """
    from versatilehub.policy_explain import explain  # noqa: PLC0415  # loads the hub, which --help need not wait for

    hub = load(state)
    known = _known(state / DATABASE, user)
    if groups is None and known is None:
        raise InvalidInput(
            f"Nobody called {user} is in the hub's database.",
            hint=f"Name their groups with --group, if the hub keeps its database elsewhere than in {DATABASE}.",
            field="user",
            code="unknown_user",
        )
    found, uses = known or ((), {})
    return explain(user, hub.entitlement(found if groups is None else groups), uses)


def _known(database: Path, user: str) -> tuple[tuple[str, ...], dict[str, Use]] | None:
    from versatilehub.policy_explain import Use  # noqa: PLC0415  # as above

    if not database.is_file():
        return None
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        row = connection.execute("SELECT id FROM users WHERE name = ?", (user,)).fetchone()
        if row is None:
            return None
        groups = connection.execute(
            'SELECT g.name FROM "groups" g JOIN user_group_map m ON m.group_id = g.id WHERE m.user_id = ?',
            row,
        ).fetchall()
        servers = connection.execute(
            "SELECT name, server_id FROM spawners WHERE user_id = ? ORDER BY name", row
        ).fetchall()
    named = tuple(name for name, _ in servers if name)
    running = tuple(name or "the default server" for name, server in servers if server is not None)
    return tuple(name for (name,) in groups), {
        "named_servers": Use(amount=len(named), names=named),
        "running_max": Use(amount=len(running), names=running),
    }
