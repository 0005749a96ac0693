"""The janitor: a process of its own (``python -m versatilehub.janitor STATE``) that keeps images and build logs within limits.

The hub starts it as a managed service with two scopes to read with: which servers there are, so that an image is not kept for one
that is gone. It goes round every `janitor_every` seconds, and soon after a build has failed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from versatilehub.commands.deployment import load
from versatilehub.errors import VersatileHubError
from versatilehub.hub_child import end_with_the_hub
from versatilehub.images.plan import DAY
from versatilehub.store.builds import Wanted
from versatilehub.store.builds import find as find_builds

if TYPE_CHECKING:
    from versatilehub.runtime import VersatileHub

SCOPES: Final = ("list:users", "read:servers")
SERVICE: Final = "versatilehub-janitor"
_LOOK: Final = 30.0
"""Seconds between two looks whether a build has failed."""
_PAGE: Final = 200

log = logging.getLogger("versatilehub.janitor")


async def go_round(hub: VersatileHub) -> None:
    """Do one round and say what it did; what goes wrong is said, and the next round tries again."""
    try:
        await forget_servers(hub)
        done = await hub.tending.round()
    except (VersatileHubError, aiohttp.ClientError, TimeoutError, OSError) as error:
        log.warning("this round was not finished: %s", error)
        return
    if done:
        log.info(
            "removed %d images (%d MiB), %d MiB of build cache, %d contents of images that are gone, %d build logs",
            len(done.images),
            done.freed >> 20,
            done.cache >> 20,
            done.contents,
            done.logs,
        )


async def forget_servers(hub: VersatileHub) -> None:
    """Let go of the images of servers the hub no longer has; nothing is forgotten unless the whole list was read."""
    api, token = os.environ.get("JUPYTERHUB_API_URL"), os.environ.get("JUPYTERHUB_API_TOKEN")
    if not api or not token:
        return
    before = time.time() - DAY
    there: set[tuple[str, str]] = set()
    headers = {"Authorization": f"token {token}", "Accept": "application/jupyterhub-pagination+json"}
    async with aiohttp.ClientSession(
        headers=headers, timeout=aiohttp.ClientTimeout(total=60), raise_for_status=True
    ) as client:
        offset: int | None = 0
        while offset is not None:
            params: dict[str, Any] = {"include_stopped_servers": "1", "limit": _PAGE, "offset": offset}
            async with client.get(f"{api}/users", params=params) as answer:
                page = await answer.json()
            for user in page["items"]:
                there |= {(user["name"], name) for name in ("", *(user.get("servers") or {}))}
            following = page["_pagination"].get("next")
            offset = following["offset"] if following else None
    await hub.image_book.keep_servers(frozenset(there), before=before)


async def newest_failure(hub: VersatileHub) -> str:
    """Return the id of the build that failed last, "" when none did."""
    found, _ = await hub.store.run(
        lambda session: find_builds(session, Wanted(state="failed"), offset=0, limit=1)
    )
    return found[0].id if found else ""


async def run(state: Path) -> None:
    """Go round until ended."""
    hub = load(state)
    try:
        await asyncio.sleep(min(_LOOK, hub.janitor_every))  # a hub that starts has better things to do
        while True:
            failed = await newest_failure(hub)
            await go_round(hub)
            begun = time.monotonic()
            while time.monotonic() - begun < hub.janitor_every:
                await asyncio.sleep(min(_LOOK, hub.janitor_every))
                if await newest_failure(hub) != failed:
                    break
    finally:
        await hub.close()


def main() -> None:
    """Run for the state folder named."""
    logging.basicConfig(level=logging.INFO, format="janitor: %(message)s")
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m versatilehub.janitor STATE-FOLDER")
    end_with_the_hub()
    asyncio.run(run(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
