"""A site for build tests: a real engine, a git host, and a hub id whose objects are all removed at the end."""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tests.gitserver import GitServer, Repo
from versatilehub import naming
from versatilehub.builds.jobs import Builds, BuildSettings
from versatilehub.engine import Engine
from versatilehub.sources import ResolvedSource
from versatilehub.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from tests.gitrepos import Files
    from versatilehub.images.registry import Registry

BASE = "versatilehub/test-server:latest"
GOOD = {"Dockerfile": f"FROM {BASE}\nCOPY . /srv/repo/\n", "a.txt": "a"}


async def until(condition: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
    """Wait for a condition (plain or awaitable) and return its value; fail with *what* after a deadline."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        value = await value if asyncio.iscoroutine(value) else value
        if value:
            return value
        await asyncio.sleep(0.02)
    raise AssertionError(f"not within {seconds:g} s: {what}")


@dataclass(slots=True, kw_only=True)
class Site:
    """What a test of builds has: settings for `Builds`, repositories, and a look into Docker."""

    engine: Engine
    git: GitServer
    settings: BuildSettings
    store: Store
    registry: Registry | None = None
    opened: list[Builds] = field(default_factory=list)

    def builds(self, **changed: Any) -> Builds:
        """Return a new `Builds` on the same state: the second is a restarted hub."""
        made = Builds(self.engine, replace(self.settings, **changed), self.store, self.registry)
        self.opened.append(made)
        return made

    def source(self, files: Files, name: str = "demo") -> ResolvedSource:
        """Make a repository of a fresh content and return its one commit."""
        repo = self.repo(name, {**files, "unique.txt": secrets.token_hex(8)})
        return ResolvedSource(provider="git", url=f"{self.prefix}{name}", commit=repo.head)

    def repo(self, name: str, files: Files) -> Repo:
        """Make a repository."""
        return self.git.repo(name, dict(files))

    @property
    def prefix(self) -> str:
        """URL prefix of every repository."""
        return f"http://127.0.0.1:{self.git.port}/"

    async def left(self) -> list[str]:
        """Return the names of build containers, probes and work volumes that exist now."""
        ours = {"versatilehub.hub": self.engine.hub}
        containers = await self.engine.containers.list(ours)
        volumes = await self.engine.volumes.list({**ours, "versatilehub.kind": "build"})
        return [one.name for one in containers] + [one.name for one in volumes]

    async def images(self) -> int:
        """Return how many images this hub has."""
        return len(await self.engine.images.list({"versatilehub.hub": self.engine.hub}))

    async def gone(self) -> bool:
        """Return whether nothing of any build is left."""
        return not await self.left()


def site_of(git: GitServer, folder: Path, labels: Mapping[str, str], *, builder: str) -> Site:
    """Return a site of a fresh hub id; whoever asks removes what it makes (`remove_all`)."""
    settings = BuildSettings(
        state_dir=folder,
        builder_image=builder,
        base_image=BASE,
        extra_sources=(f"http://127.0.0.1:{git.port}/",),
        hub_version="6.1.1",
    )
    engine = Engine(hub=f"t{secrets.token_hex(4)}", labels=labels)
    return Site(
        engine=engine, git=git, settings=settings, store=Store(f"sqlite:///{folder / 'builds.sqlite'}")
    )


@asynccontextmanager
async def site(folder: Path, labels: Mapping[str, str], *, builder: str) -> AsyncIterator[Site]:
    """Open a site and remove everything of its hub from Docker afterwards."""
    with GitServer() as git:
        opened = site_of(git, folder, labels, builder=builder)
        try:
            yield opened
        finally:
            for builds in opened.opened:
                await builds.close()
            await remove_all(opened.engine)
            await opened.engine.close()
            opened.store.close()


async def remove_all(engine: Engine) -> None:
    """Remove every object of this engine's hub."""
    ours = {"versatilehub.hub": engine.hub}
    for container in await engine.containers.list(ours):
        await engine.containers.remove(container.id)
    for image in await engine.images.list(ours):
        await engine.images.remove(image.id, force=True)
    for volume in await engine.volumes.list(ours):
        await engine.volumes.remove(volume.name)
    await engine.networks.remove(f"{naming.network_name(engine.hub)}-build")
