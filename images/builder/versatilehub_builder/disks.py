"""``python -m versatilehub_builder.disks``: stays, and does for the hub what needs rights over disks.

One JSON object a line on standard input, ``{"id", "do", …}``; one on standard output for each, in any order: ``{"id", "result"}`` or
``{"id", "error": {"code", "message", "hint"}}``. Ends with its input, so a hub that is killed leaves no helper behind.
The store is at /store. Names come from the hub and are checked all the same: they become paths.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from versatilehub_builder.lines import Failure
from versatilehub_builder.loops import Loops
from versatilehub_builder.subvolumes import Subvolumes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STORE: Final = Path("/store")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,127}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_THREADS: Final = 8

Order = dict[str, Any]


def _name(order: Order) -> str:
    name = order.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Failure("bad_job", f"{name!r:.80} is no volume name.")
    return name


def _uuid(order: Order) -> str:
    uuid = order.get("uuid")
    if not isinstance(uuid, str) or not _UUID.fullmatch(uuid):
        raise Failure("bad_job", f"{uuid!r:.80} is no UUID.")
    return uuid


def _bytes(order: Order, key: str) -> int:
    value = order.get(key)
    if not isinstance(value, int) or value < 0:
        raise Failure("bad_job", f"{key} is {value!r:.80}, no number of bytes.")
    return value


def _unknown(order: Order) -> object:
    raise Failure("bad_job", f"{order.get('do')!r:.80} is no order.")


def _names(order: Order) -> list[str]:
    return [_name({"name": name}) for name in order.get("names", ())]


def orders(loops: Loops, subvolumes: Subvolumes) -> Mapping[str, Callable[[Order], object]]:
    """Return what the hub may ask for."""
    return {
        "loop.check": lambda _: {"free": loops.free(), "names": loops.names()},
        "loop.create": lambda o: loops.create(
            _name(o), _uuid(o), size=_bytes(o, "size"), free=_bytes(o, "free")
        ),
        "loop.attach": lambda o: loops.attach(_name(o), _uuid(o)),
        "loop.grow": lambda o: loops.grow(_name(o), _uuid(o), size=_bytes(o, "size"), free=_bytes(o, "free")),
        "loop.remove": lambda o: loops.remove(_name(o)),
        "loop.measure": lambda o: loops.measure(_names(o)),
        "btrfs.check": lambda _: subvolumes.check(),
        "btrfs.create": lambda o: subvolumes.create(_name(o), size=_bytes(o, "size"), free=_bytes(o, "free")),
        "btrfs.ready": lambda o: subvolumes.ready(_name(o)),
        "btrfs.grow": lambda o: subvolumes.grow(_name(o), size=_bytes(o, "size")),
        "btrfs.remove": lambda o: subvolumes.remove(_name(o)),
        "btrfs.measure": lambda o: subvolumes.measure(_names(o)),
    }


def answer(known: Mapping[str, Callable[[Order], object]], order: Order) -> Mapping[str, Any]:
    """Carry out one order; never raises."""
    try:
        return {"id": order.get("id"), "result": known.get(str(order.get("do")), _unknown)(order)}
    except Failure as failure:
        words = {"code": failure.code, "message": failure.message, "hint": failure.hint}
    except OSError as error:
        words = {"code": "storage_failed", "message": str(error), "hint": ""}
    except Exception as bug:  # noqa: BLE001 - the outermost edge of one order: the hub waits for an answer
        traceback.print_exc(file=sys.stderr)
        words = {"code": "builder_bug", "message": f"{type(bug).__name__}: {bug}", "hint": ""}
    return {"id": order.get("id"), "error": words}


def serve() -> int:
    """Answer until the input ends; what is under way then is finished."""
    os.umask(0o077)
    known = orders(Loops(STORE), Subvolumes(STORE))
    voice = threading.Lock()

    def work(line: str) -> None:
        text = json.dumps(answer(known, json.loads(line)))
        with voice:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    with ThreadPoolExecutor(_THREADS) as pool:
        for line in sys.stdin:
            pool.submit(work, line)
    return 0


if __name__ == "__main__":
    sys.exit(serve())
