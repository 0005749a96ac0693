"""`versatilehub volumes`: what volumes there are; make, trash, restore, purge, back up and fill them.

Works whether the hub runs or not: Docker and the database are the truth, and each step is one change only one can make.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from versatilehub.commands.deployment import load
from versatilehub.errors import InvalidInput
from versatilehub.spec_values import check_volume, parse_size
from versatilehub.storage.owners import Owner
from versatilehub.storage.reconciler import REPORT
from versatilehub.store import volumes as records
from versatilehub.store.volumes import State, VolumeRecord

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from typing import BinaryIO

    from versatilehub.runtime import VersatileHub

NAME = "volumes"
HELP = "list, show, make, trash, restore, purge, back up and import volumes"
_PIECE = 1 << 20


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what can be done with volumes."""
    actions = parser.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("ls", help="list them, the oldest first, and what does not fit")
    listing.add_argument("--owner", default="", help="of one person only")
    listing.add_argument("--trash", action="store_true", help="those in the trash only")
    for name, text in (
        ("show", "everything about one"),
        ("trash", "put one into the trash, for the policy's days"),
        ("purge", "remove one that is in the trash, for good"),
        ("rm", "trash one and purge it at once"),
    ):
        actions.add_parser(name, help=text).add_argument("volume", help="its id, vh-…")
    restore = actions.add_parser("restore", help="take one out of the trash")
    restore.add_argument("volume", help="its id, vh-…")
    restore.add_argument(
        "--server", help="the server it is for, by default the one it had; '' is the default one"
    )
    backup = actions.add_parser("backup", help="write its files as a tar")
    backup.add_argument("volume", help="its id, vh-…")
    backup.add_argument("--output", "-o", default="-", metavar="FILE", help="default: standard output")
    for name, text in (
        ("create", "make one of a person's own"),
        ("import", "make one with the files of a tar"),
    ):
        make = actions.add_parser(name, help=text)
        make.add_argument("name", help="2 to 30 of a-z, 0-9 and single hyphens")
        make.add_argument("--owner", required=True, help="the person it is for")
        make.add_argument("--size", help="its cap, as 500M or 2G; by default the policy's")
        if name == "import":
            make.add_argument("--input", "-i", default="-", metavar="FILE", help="default: standard input")


async def run(options: argparse.Namespace) -> int:
    """Do what was asked."""
    hub = load(options.state)
    try:
        return await _ACTIONS[options.action](hub, options)
    finally:
        await hub.close()


async def _ls(hub: VersatileHub, options: argparse.Namespace) -> int:
    wanted = {"owner": options.owner} if options.owner else {}
    wanted |= {"state": State.TRASHED.value} if options.trash else {}
    found = await hub.store.run(lambda session: records.find(session, **wanted))
    try:
        report = json.loads((options.state / REPORT).read_text())
    except (OSError, ValueError):
        report = {"findings": []}
    open_findings = [one for one in report["findings"] if not one["done"]]
    if options.json:
        print(json.dumps({"volumes": [one.to_json() for one in found], "findings": open_findings}, indent=2))
        return 0
    print(f"{len(found)} volumes")
    for one in found:
        print(
            f"  {one.name}  {one.owner or 'site'}  {one.title or one.server or one.kind}  {one.state.value}"
        )
    for row in open_findings:
        print(f"  {row['name']}  {row['code']}: {row['message']} {row['failed']}".rstrip())
    return 0


async def _show(hub: VersatileHub, options: argparse.Namespace) -> int:
    return _tell(options, (await _volume(hub, options.volume)).to_json())


async def _trash(hub: VersatileHub, options: argparse.Namespace) -> int:
    record = await _volume(hub, options.volume)
    await hub.trash.check_unused(record.name)
    await hub.trash.trash(record.name, days=max(hub.policy.trash_days, 1))
    return _tell(options, (await _volume(hub, options.volume)).to_json())


async def _purge(hub: VersatileHub, options: argparse.Namespace) -> int:
    removed = await hub.trash.purge(options.volume)
    _tell(options, {"id": removed.name, "problem": removed.problem})
    return 1 if removed.problem else 0


async def _rm(hub: VersatileHub, options: argparse.Namespace) -> int:
    record = await _volume(hub, options.volume)
    await hub.trash.check_unused(record.name)
    await hub.trash.trash(record.name, days=1)
    return await _purge(hub, options)


async def _restore(hub: VersatileHub, options: argparse.Namespace) -> int:
    record = await hub.trash.restore(options.volume, server=options.server, days=hub.policy.trash_days)
    return _tell(options, record.to_json())


async def _backup(hub: VersatileHub, options: argparse.Namespace) -> int:
    record = await _volume(hub, options.volume)
    with _opened(options.output, "wb") as file:
        async for piece in hub.volume_files.backup(record.name):
            await asyncio.to_thread(file.write, piece)
        file.flush()
    return 0


async def _create(hub: VersatileHub, options: argparse.Namespace) -> int:
    owner, size = await _owner(hub, options.owner), _size(hub, options)
    record = await hub.mountable.create(owner, check_volume(options.name), most=sys.maxsize, cap=size)
    return _tell(options, record.to_json())


async def _import(hub: VersatileHub, options: argparse.Namespace) -> int:
    owner, size = await _owner(hub, options.owner), _size(hub, options)
    with _opened(options.input, "rb") as file:
        record = await hub.mountable.fill(
            owner, check_volume(options.name), _pieces(file), most=sys.maxsize, cap=size
        )
    return _tell(options, record.to_json())


async def _volume(hub: VersatileHub, name: str) -> VolumeRecord:
    record = await hub.store.run(lambda session: records.get(session, name))
    if record is None:
        raise InvalidInput(
            f"There is no volume {name!r:.80}.", hint="versatilehub volumes ls", code="volume_not_found"
        )
    return record


async def _owner(hub: VersatileHub, name: str) -> Owner:
    """Return a person by name; the account behind it is the one their newest volume has."""
    found = await hub.store.run(lambda session: records.find(session, owner=name))
    keys = [record.owner_key for record in found if record.owner_key]
    if not keys:
        raise InvalidInput(
            f"{name!r:.80} has no volume yet, by which to know the account.",
            hint="Have a server started once, or make the volume by the hub's API.",
            code="owner_unknown",
        )
    return Owner(name=name, key=keys[-1])


def _size(hub: VersatileHub, options: argparse.Namespace) -> int | None:
    return parse_size(options.size) if options.size else hub.policy.home_max


def _opened(path: str, mode: str) -> BinaryIO:
    if path == "-":
        return sys.stdout.buffer if "w" in mode else sys.stdin.buffer
    try:
        return Path(path).open(mode)  # type: ignore[return-value]  # both modes are binary; the caller closes it
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror}.", code="no_file") from error


async def _pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(file.read, _PIECE):
        yield piece


def _tell(options: argparse.Namespace, value: Mapping[str, object]) -> int:
    if options.json:
        print(json.dumps(value, indent=2))
    else:
        for key, text in value.items():
            if text not in {None, ""}:
                print(f"{key:<12}{text}")
    return 0


_ACTIONS: Mapping[str, Callable[[VersatileHub, argparse.Namespace], Awaitable[int]]] = {
    "ls": _ls,
    "show": _show,
    "trash": _trash,
    "purge": _purge,
    "rm": _rm,
    "restore": _restore,
    "backup": _backup,
    "create": _create,
    "import": _import,
}
