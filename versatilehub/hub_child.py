"""A process that the hub started and that must not outlive it: a hub that is killed ends none of its services."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time

log = logging.getLogger("versatilehub")

#: Seconds between two looks whether the hub is still there.
EVERY = 2


def end_with_the_hub() -> None:
    """End this process when the hub says so, and soon after its parent, the hub, is gone: its token is void then.

    A hub that was started in the background of a shell hands on that SIGINT is ignored, by which it ends its services first.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_wait, args=(os.getppid(),), daemon=True).start()


def _wait(hub: int) -> None:
    while os.getppid() == hub:
        time.sleep(EVERY)
    log.warning("The hub is gone")
    os._exit(0)
