"""The command ``jupyterhub-singleuser``: JupyterHub's own application, with its start-up work put in order.

If an upstream release no longer fits the stand-ins, the stock start is taken: slower, never different.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import importlib
import importlib.metadata
import sys
from typing import Any

from .standins import stand_ins

#: Imported with the stand-ins in place: the application, and the parts of JupyterLab that import slow modules.
EARLY = ("jupyterhub.singleuser", "jupyterlab.extensions", "jupyterlab_server.listings_handler")
HUB_CHECK_DELAY = 0.3


def import_early() -> None:
    """Import what the start needs; on any surprise forget it all, so that the stock imports happen."""
    before = set(sys.modules)
    try:
        with stand_ins():
            for name in EARLY:
                importlib.import_module(name)
    except (ImportError, AttributeError, TypeError) as error:
        sys.stderr.write(f"versatilehub_start: stock start, because {error}\n")
        for name in set(sys.modules) - before:
            if name.partition(".")[0] in {"jupyterhub", "jupyterlab", "jupyterlab_server", "jsonschema"}:
                del sys.modules[name]


def check_hub_while_running() -> None:
    """Let the server ask for the hub's version once it answers requests itself; it still ends when it cannot."""
    from jupyterhub.singleuser import extension  # noqa: PLC0415  # after import_early

    application: Any = extension.JupyterHubSingleUser
    stock = application.check_hub_version

    @functools.wraps(stock)
    async def check_hub_version(self: Any) -> None:
        async def check() -> None:
            await asyncio.sleep(HUB_CHECK_DELAY)
            await stock(self)

        self._hub_check_task = asyncio.ensure_future(check())

    application.check_hub_version = check_hub_version


def collect_garbage_when_started() -> None:
    """Turn the collector on when the event loop takes over; what the start made is not looked at again."""
    from jupyter_server import serverapp  # noqa: PLC0415  # after import_early

    application: Any = serverapp.ServerApp
    stock = application.start_ioloop

    @functools.wraps(stock)
    def start_ioloop(self: Any) -> None:
        gc.freeze()
        gc.enable()
        stock(self)

    application.start_ioloop = start_ioloop


def main() -> None:
    """Start the single-user server; every option and variable of the stock command is honoured."""
    if "--version" in sys.argv[1:]:
        sys.stdout.write(importlib.metadata.version("jupyterhub") + "\n")
        return
    gc.disable()
    import_early()
    from jupyterhub import singleuser  # noqa: PLC0415  # after import_early

    if (
        "jupyterhub.singleuser.extension" in sys.modules
    ):  # the application that is an extension; it may be another
        check_hub_while_running()
        collect_garbage_when_started()
    else:
        gc.enable()
    sys.exit(singleuser.main())
