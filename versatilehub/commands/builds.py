"""`versatilehub builds`: what was built and is being built; one build's record and log; its end.

Works whether the hub runs or not: rows and logs are on this machine. A cancel is a wish in the database, which the hub carries
out within a second, or when it starts.
"""

from __future__ import annotations

import asyncio
import getpass
import json
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from versatilehub.builds.replay import Replay
from versatilehub.builds.text import Span, read_span, tail
from versatilehub.commands.deployment import load
from versatilehub.errors import BuildNotFound, InvalidInput, OthersWait
from versatilehub.store import builds as rows
from versatilehub.store.builds import Wanted

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable

    from versatilehub.runtime import VersatileHub
    from versatilehub.store.builds import BuildRecord

NAME = "builds"
HELP = "list and show builds, read their logs, cancel one"
_PATIENCE: Final = 10.0
_LOOK: Final = 0.2


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what can be done with builds."""
    actions = parser.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("ls", help="list them, the newest first")
    listing.add_argument("--state", dest="in_state", default="", help="only those in this state")
    listing.add_argument("--owner", default="", help="only those this person began")
    listing.add_argument("--limit", type=int, default=20, metavar="N", help="at most so many (default: 20)")
    actions.add_parser("show", help="everything about one build").add_argument("build", help="its id")
    log = actions.add_parser("log", help="print the log of one build")
    log.add_argument("build", help="its id")
    log.add_argument("--tail", type=int, default=0, metavar="N", help="only the last N lines")
    cancel = actions.add_parser("cancel", help="end one build; asks back while several people wait for it")
    cancel.add_argument("build", help="its id")
    cancel.add_argument("--force", action="store_true", help="end it for all who wait")


async def run(options: argparse.Namespace) -> int:
    """Do what was asked."""
    hub = load(options.state)
    try:
        return await _ACTIONS[options.action](hub, options)
    finally:
        await hub.close()


async def _ls(hub: VersatileHub, options: argparse.Namespace) -> int:
    wanted = Wanted(state=options.in_state, owner=options.owner)
    found, total = await hub.builds.archive.find(wanted, offset=0, limit=max(options.limit, 1))
    if options.json:
        print(json.dumps([_json(one) for one in found], indent=2))
        return 0
    print(f"{total} builds")
    for one in found:
        took = f"{(one.ended - one.started).total_seconds():.0f} s" if one.ended and one.started else ""
        parts = (one.id, one.state.value, one.owner or "-", one.source, one.commit[:12], took, one.code)
        print("  " + "  ".join(part for part in parts if part))
    return 0


async def _show(hub: VersatileHub, options: argparse.Namespace) -> int:
    record = await _record(hub, options.build)
    if options.json:
        print(json.dumps(_json(record), indent=2))
        return 0
    for name, value in _json(record).items():
        if value not in ("", None, [], {}, False):
            print(f"{name:<12} {value}")
    return 0


async def _log(hub: VersatileHub, options: argparse.Namespace) -> int:
    record = await _record(hub, options.build)
    archive = hub.builds.archive
    if not await archive.has_log(record.id):
        raise BuildNotFound(f"The log of build {record.id} is kept no more.", code="log_not_found")
    path = archive.log_path(record.id)
    if options.tail > 0:
        sys.stdout.buffer.write(await asyncio.to_thread(tail, path, options.tail))
    elif options.json:
        with Replay(path, None) as replay:
            while lines := await replay.read():
                sys.stdout.buffer.write(b"".join(line.content for line in lines))
    else:
        async for piece in read_span(path, Span(start=0, end=sys.maxsize)):
            sys.stdout.buffer.write(piece)
    return 0


async def _cancel(hub: VersatileHub, options: argparse.Namespace) -> int:
    record = await _record(hub, options.build)
    if record.state.final:
        raise InvalidInput(f"Build {record.id} is {record.state} already.", code="build_ended")
    if len(record.askers) > 1 and not options.force:
        raise OthersWait(
            f"{len(record.askers)} people asked for this build: {', '.join(record.askers)}.",
            hint="Add --force to end it for all of them.",
            waiting=len(record.askers),
        )
    await hub.store.run(lambda s: rows.change(s, record.id, {"cancelled_by": getpass.getuser()}))
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        record = await _record(hub, record.id)
        if record.state.final:
            print(f"Build {record.id} is {record.state}.")
            return 0
        await asyncio.sleep(_LOOK)
    print(f"No hub took notice of it yet; it ends build {record.id} when it runs.", file=sys.stderr)
    return 1


async def _record(hub: VersatileHub, id: str) -> BuildRecord:  # noqa: A002  # the field's name
    record = await hub.builds.archive.get(id)
    if record is None:
        raise BuildNotFound(f"There is no build {id}.", hint="List them: versatilehub builds ls.")
    return record


def _json(record: BuildRecord) -> dict[str, Any]:
    names = (name for name in record.__dataclass_fields__ if name != "plan")
    values = {name: getattr(record, name) for name in names}
    moments = {
        name: values[name].isoformat() for name in ("created", "started", "ended") if values[name] is not None
    }
    plain = {"state": record.state.value, "seconds": dict(record.seconds), "askers": list(record.askers)}
    return {**values, **moments, **plain}


_ACTIONS: Final[dict[str, Callable[[VersatileHub, argparse.Namespace], Awaitable[int]]]] = {
    "ls": _ls,
    "show": _show,
    "log": _log,
    "cancel": _cancel,
}
