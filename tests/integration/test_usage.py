"""What servers and volumes use, measured on a real engine."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

import pytest

from tests.buildsite import remove_all, until
from tests.hubprocess import docker
from versatilehub.engine import Engine
from versatilehub.storage.caps.sizes import Sizes
from versatilehub.storage.caps.storage import Storage
from versatilehub.storage.usage import ServerUse, UsageMeter, VolumeUse
from versatilehub.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.plugins.leftovers import SessionLabel

BUILDER = "versatilehub/builder:latest"
MIB = 1 << 20


class Site:
    """A hub's meter with an ear for its warnings; `again` is the same hub after a restart."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self.warned: list[tuple[str, int]] = []
        self.measured: list[VolumeUse] = []
        self.storage = Storage(engine, image=BUILDER, store=str(folder / "store"), free=0, wanted="loop")
        self.again()

    def again(self) -> None:
        """Forget everything that is not written down."""
        self.store = Store(f"sqlite:///{self.folder / 'test.sqlite'}")
        self.meter = UsageMeter(
            self.engine,
            self.storage,
            self.store,
            every=0,
            volumes_every=0,
            warn=lambda use: self.warned.append((use.server, use.level)),
            measured=self.measured.append,
        )

    async def volume(self, server: str, cap: int | None = 16 * MIB) -> str:
        """Make a server's volume and return its name."""
        name = f"vh-{self.engine.hub}-{server}"
        await self.storage.create(name, self.engine.labels("volume", owner="ann", server=server), cap)
        return name

    def run(self, volume: str, command: str) -> None:
        """Run a shell line with the volume at /v."""
        docker("run", "--rm", "--network=none", f"--volume={volume}:/v", BUILDER, "sh", "-c", command)


@pytest.fixture
async def site(session_label: SessionLabel, tmp_path: Path) -> AsyncIterator[Site]:
    """A hub of a fresh id."""
    engine = Engine(hub=f"t{secrets.token_hex(4)}", labels=session_label.labels)
    made = Site(engine, tmp_path)
    yield made
    for container in await engine.containers.list({"versatilehub.hub": engine.hub}):
        await engine.containers.remove(container.id)
    for volume in await engine.volumes.list({"versatilehub.hub": engine.hub}):
        await made.storage.remove(volume.name)
    await made.storage.close()
    made.store.close()
    await remove_all(engine)
    await engine.close()


@pytest.mark.req("P10", "P11", "K47")
async def test_an_owner_is_warned_once_at_each_line(site: Site) -> None:
    """At 80 and at 95 % of the cap, also when the hub restarts between; not again before there was room."""
    volume = await site.volume("lab")
    await site.meter.use()
    assert [] == site.warned
    site.run(volume, "dd if=/dev/zero of=/v/most bs=1M count=12")
    await site.meter.use()
    await site.meter.use()
    site.again()
    await site.meter.use()
    assert [("lab", 80)] == site.warned

    site.run(volume, "dd if=/dev/zero of=/v/rest bs=64k || true")
    (use,) = (await site.meter.use()).volumes
    assert [("lab", 80), ("lab", 95)] == site.warned
    assert ("ann", "lab", "loop", 95) == (use.owner, use.server, use.backend, use.level)
    site.run(volume, "rm /v/most /v/rest; dd if=/dev/zero of=/v/most bs=1M count=12")
    await site.meter.use()
    assert 2 == len(site.warned)
    site.run(volume, "rm /v/most")
    await site.meter.use()
    site.run(volume, "dd if=/dev/zero of=/v/most bs=1M count=12")
    await site.meter.use()
    assert [("lab", 80), ("lab", 95), ("lab", 80)] == site.warned


async def test_the_ledger_hears_of_each_volume_once_an_hour(site: Site) -> None:
    """The first size is told at once; what changes a minute later waits."""
    volume = await site.volume("lab")
    await site.meter.use()
    site.run(volume, "dd if=/dev/zero of=/v/f bs=1M count=4")
    await site.meter.use()

    assert 1 == len(site.measured)


@pytest.mark.req("P11", "K47")
async def test_a_running_server_shows_memory_cpu_and_its_limits(site: Site) -> None:
    """A server that computes uses about the CPU it may; its memory is that of `docker stats`."""
    volume = await site.volume("lab", None)
    labels = [
        f"--label={key}={value}"
        for key, value in site.engine.labels("server", owner="ann", server="lab").items()
    ]
    docker(
        "run", "-d", "--network=none", "--cpus=0.5", "--memory=256m", f"--volume={volume}:/home/ann", *labels,
        BUILDER, "python3", "-c", "kept = b'x' * (64 << 20)\nwhile True: pass",
    )  # fmt: skip
    docker("run", "-d", "--network=none", *labels, BUILDER, "true")  # ended: not shown
    (first,) = (await site.meter.use()).servers

    async def grown() -> ServerUse | None:
        (found,) = (await site.meter.use()).servers
        return found if found.memory > 64 * MIB and found.cpus else None

    use: ServerUse = await until(grown, "its memory")
    assert None is first.cpus
    assert ("ann", "lab", 256 * MIB, 0.5, (volume,)) == (
        use.owner,
        use.server,
        use.memory_limit,
        use.cpu_limit,
        use.volumes,
    )
    assert use.memory < 128 * MIB
    assert (use.cpus or 0) < 0.9


@pytest.mark.req("K47")
async def test_a_hundred_who_ask_cost_one_look(site: Site) -> None:
    """Pages and metrics share one measurement as long as it is good."""
    await site.volume("lab", None)
    site.meter = UsageMeter(site.engine, site.storage, site.store, every=60, volumes_every=60)
    found = await asyncio.gather(*(site.meter.use() for _ in range(100)))

    assert 1 == len({one.at for one in found})
    assert found[0].volumes[0].used < MIB
    helpers = await site.engine.containers.list({"versatilehub.hub": site.engine.hub})
    assert [] == [one.name for one in helpers]


@pytest.mark.req("P14")
async def test_measuring_what_is_being_removed_makes_nothing(site: Site) -> None:
    """Docker makes an empty volume for one that is missing when a container mounts it; none is left, nobody meets it as a stranger's."""
    name = f"vh-{site.engine.hub}-going"

    assert await Sizes(site.engine, image=BUILDER).now(name) < MIB
    assert await site.engine.volumes.find(name) is None
