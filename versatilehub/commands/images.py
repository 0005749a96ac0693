"""`versatilehub images`: what images there are and who needs them; prune, pin and remove them.

Works whether the hub runs or not: Docker and the database are the truth, and both keep a launch and a removal apart.
"""

from __future__ import annotations

import asyncio
import getpass
import json
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from versatilehub.commands.deployment import load
from versatilehub.errors import InvalidInput
from versatilehub.images.plan import DAY, Plan, Rules, parse_age, parse_disk

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable, Sequence

    from versatilehub.images.records import ImageRecord
    from versatilehub.images.warm import WarmEntry
    from versatilehub.runtime import VersatileHub

NAME = "images"
HELP = "list, show, prune, pin and remove the images this hub built"
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what can be done with images."""
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("ls", help="list them, the last of use first")
    for name, text in (
        ("show", "everything about one image"),
        ("rm", "remove one, unless it is in use"),
        ("unpin", "let one go again when it is of no use"),
    ):
        actions.add_parser(name, help=text).add_argument("image", help="name, name:tag or id")
    pin = actions.add_parser("pin", help="keep one whatever a prune is told")
    pin.add_argument("image", help="name, name:tag or id")
    pin.add_argument("--reason", default="", help="why, for whoever asks later")
    warm = actions.add_parser("warm", help="make the images of the warm list now; the hub that runs does it")
    warm.add_argument("source", nargs="?", default="", help="only the entry of this address")
    warm.add_argument("--wait", type=_count, default=3600, metavar="SECONDS", help="how long to wait (3600)")
    prune = actions.add_parser(
        "prune",
        help="remove what is of no use; shows what would go unless --yes",
        description="Nothing in use, pinned, or built or launched within a day goes. Without a rule: --older-than 30d.",
    )
    prune.add_argument("--older-than", metavar="AGE", help="what was of no use for so long: 30d, 12h, 2w")
    prune.add_argument("--keep", type=_count, metavar="N", help="keep the newest N of each source")
    prune.add_argument(
        "--max-disk", metavar="SIZE", help="the longest unused, until the rest takes at most 50G"
    )
    prune.add_argument("--yes", action="store_true", help="do it; without, only show what would go")


async def run(options: argparse.Namespace) -> int:
    """Do what was asked."""
    hub = load(options.state)
    try:
        return await _ACTIONS[options.action](hub, options)
    finally:
        await hub.close()


async def _ls(hub: VersatileHub, options: argparse.Namespace) -> int:
    images = (await hub.shelf.inventory()).images
    if options.json:
        print(json.dumps([one.to_json() for one in images], indent=2))
        return 0
    print(f"{len(images)} images")
    for one in images:
        print(
            f"  {one.name}  {_size(one.size)} ({_size(one.unique)} of its own)  {_ago(one)}  {_needed(one)}".rstrip()
        )
    return 0


async def _show(hub: VersatileHub, options: argparse.Namespace) -> int:
    image = await hub.shelf.find(options.image)
    if options.json:
        print(json.dumps(image.to_json(), indent=2))
        return 0
    for key in ("id", "source", "ref", "commit", "subdir", "pack", "owner", "visibility", "published"):
        if value := getattr(image, key):
            print(f"{key:<11}{value}")
    print(f"{'names':<11}{', '.join(image.tags) or 'none'}")
    print(f"{'size':<11}{_size(image.size)}, {_size(image.unique)} of its own")
    print(f"{'of use':<11}{_ago(image)}, launched {image.launches} times")
    for use in image.uses:
        print(f"{'used by':<11}{use}")
    return 0


async def _prune(hub: VersatileHub, options: argparse.Namespace) -> int:
    rules = rules_of(options.older_than, options.keep, options.max_disk)
    inventory = await hub.shelf.inventory()
    plan = inventory.plan(rules)
    if not options.yes:
        _tell_plan(plan, as_json=options.json)
        return 0
    outcome = await hub.shelf.carry_out(plan)
    if options.json:
        print(json.dumps(outcome.to_json(), indent=2))
    else:
        print(f"Removed {len(outcome.removed)} images, freed {_size(outcome.freed)}.")
        for image, reason in outcome.refused:
            print(f"  {image.name} stays: {reason}")
    return 0


async def _pin(hub: VersatileHub, options: argparse.Namespace) -> int:
    image = await hub.shelf.find(options.image)
    await hub.image_book.pin(image.id, getpass.getuser(), options.reason)
    return _say(options, {"id": image.id, "pinned": True}, f"{image.name} stays until it is unpinned.")


async def _unpin(hub: VersatileHub, options: argparse.Namespace) -> int:
    image = await hub.shelf.find(options.image)
    count = await hub.image_book.unpin(image.id)
    message = f"{image.name} is no longer pinned." if count else f"{image.name} was not pinned."
    return _say(options, {"id": image.id, "pinned": False}, message)


async def _rm(hub: VersatileHub, options: argparse.Namespace) -> int:
    image = await hub.shelf.remove(options.image)
    return _say(options, {"id": image.id, "removed": True}, f"Removed {image.name}.")


async def _warm(hub: VersatileHub, options: argparse.Namespace) -> int:
    chosen = [entry for entry in hub.warmer.entries if options.source in {"", entry.source.url}]
    if not chosen:
        raise InvalidInput(
            "The warm list has no such entry." if options.source else "The warm list is empty.",
            hint="An administrator sets c.VersatileHub.warm.",
        )
    asked = datetime.now(UTC)
    for entry in chosen:
        await hub.warmer.request(entry)
    ended = await _ends(hub, chosen, asked, options.wait)
    rows = [{"entry": str(entry), **one} for entry, one in zip(chosen, ended, strict=True)]
    lines = [f"{row['outcome']}  {row['entry']}  {row['message']}".rstrip() for row in rows]
    print(json.dumps(rows, indent=2) if options.json else "\n".join(lines))
    return 0 if all(row["outcome"] in {"ok", "cached"} for row in rows) else 1


async def _ends(
    hub: VersatileHub, entries: Sequence[WarmEntry], asked: datetime, wait: int
) -> list[dict[str, str]]:
    """Wait for the ends of *entries*; one the hub did not even begin with within `_BEGIN` seconds is given up."""
    found: list[dict[str, str]] = []
    begun = time.monotonic()
    for entry in entries:
        while True:
            state = await hub.warmer.state(entry)
            waited = time.monotonic() - begun
            if state.finished_at and state.started_at and state.finished_at >= state.started_at >= asked:
                found.append({"outcome": state.outcome, "message": state.message})
                break
            idle = state.started_at is None or state.started_at < asked
            if waited > wait or (idle and waited > _BEGIN):
                why = "The hub has not begun: does it run?" if idle else "It is still being made."
                found.append({"outcome": "waiting", "message": why})
                break
            await asyncio.sleep(0.5)
    return found


_BEGIN: Final = 30.0
_ACTIONS: Final[dict[str, Callable[[VersatileHub, argparse.Namespace], Awaitable[int]]]] = {
    "ls": _ls,
    "show": _show,
    "prune": _prune,
    "pin": _pin,
    "unpin": _unpin,
    "rm": _rm,
    "warm": _warm,
}


def rules_of(older_than: str | None, keep: int | None, max_disk: str | None) -> Rules:
    """Return the rules of three options as typed; none at all means 30 days. Raises `InvalidInput`."""
    if older_than is None and keep is None and max_disk is None:
        return Rules(older_than=30 * DAY)
    return Rules(
        older_than=parse_age(older_than) if older_than is not None else None,
        keep=keep,
        max_disk=parse_disk(max_disk) if max_disk is not None else None,
    )


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def _say(options: argparse.Namespace, value: dict[str, object], message: str) -> int:
    print(json.dumps(value) if options.json else message)
    return 0


def _tell_plan(plan: Plan, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(plan.to_json(), indent=2))
        return
    for one in plan.removals:
        print(f"  {one.image.name}  frees {_size(one.frees)}  {one.reason}")
    print(f"Would remove {len(plan.removals)} images and free {_size(plan.frees)} of {_size(plan.disk)}.")
    if plan.removals:
        print("Nothing was removed; add --yes to do it.", file=sys.stderr)


def _needed(image: ImageRecord) -> str:
    if not image.uses:
        return ""
    more = f" and {len(image.uses) - 1} more" if len(image.uses) > 1 else ""
    return f"used by {image.uses[0]}{more}"


def _ago(image: ImageRecord) -> str:
    days = int((time.time() - image.active) // DAY)
    what = "launched" if image.launched >= image.built else "built"
    return f"{what} today" if days < 1 else f"{what} {days} {'day' if days == 1 else 'days'} ago"


def _size(size: int) -> str:
    number = float(size)
    for unit in _UNITS[:-1]:
        if abs(number) < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} {_UNITS[-1]}"
