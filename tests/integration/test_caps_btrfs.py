"""Caps by btrfs quotas, on a pool made for the test."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.buildsite import remove_all
from tests.hubprocess import docker
from versatilehub.engine import Engine
from versatilehub.errors import StorageFailure
from versatilehub.storage.caps.storage import Storage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.plugins.leftovers import SessionLabel

BUILDER = "versatilehub/builder:latest"
MIB = 1 << 20


def run(*command: str) -> str:
    """Run a command on this machine and return its output."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@contextmanager
def pool_in(folder: Path) -> Iterator[Path]:
    """Mount a btrfs of 256 MiB below *folder*."""
    disk, place = folder / "pool.img", folder / "pool"
    place.mkdir()
    with disk.open("wb") as file:
        file.truncate(256 * MIB)
    docker(
        "run", "--rm", "--network=none", f"--volume={folder}:/d", BUILDER, "mkfs.btrfs", "-q", "/d/pool.img"
    )
    device = run("losetup", "--find", "--show", str(disk))
    run("mount", "-t", "btrfs", device, str(place))
    try:
        yield place
    finally:
        run("umount", str(place))
        run("losetup", "--detach", device)


@pytest.fixture
async def storage(session_label: SessionLabel, tmp_path: Path) -> AsyncIterator[Storage]:
    """The storage of a fresh hub whose store is on btrfs."""
    engine = Engine(hub=f"t{secrets.token_hex(4)}", labels=session_label.labels)
    with pool_in(tmp_path) as pool:
        made = Storage(engine, image=BUILDER, store=str(pool), free=MIB)
        yield made
        for volume in await engine.volumes.list({"versatilehub.hub": engine.hub}):
            await made.remove(volume.name)
        await made.close()
        await remove_all(engine)
        for _ in range(100):  # the helper goes by itself, and has the pool until then
            if not await engine.containers.list({"versatilehub.hub": engine.hub}):
                break
            await asyncio.sleep(0.05)
        await engine.close()


@pytest.mark.req("P10")
async def test_a_pool_keeps_caps_and_grows_volumes_in_use(storage: Storage) -> None:
    """Found by trying; stops at the cap as the person; deleting makes room; grows live; full figures; removed without a trace."""
    engine = storage._engine
    labels = engine.labels("volume", owner="ann", server="lab")
    choice = await storage.chosen()
    assert ("btrfs", True, ["local"]) == (choice.name, choice.hard, [one.name for one in choice.rejected]), (
        choice.reasons
    )

    name = f"vh-{engine.hub}-a"
    await storage.create(name, labels, 16 * MIB)
    await storage.create(name, labels, 16 * MIB)
    await storage.ready(name)
    assert "1000:100" in write(name, "chown 1000:100 . && stat -c %u:%g .", user="0")
    told = write(name, "dd if=/dev/urandom of=f bs=1M; sync")
    assert "Disk quota exceeded" in told
    found = (await storage.measure([name]))[name]
    assert (16 * MIB, True) == (found.limit, 12 * MIB < found.used <= 16 * MIB)

    await storage.grow(name, 32 * MIB)
    assert "8388608 bytes" in write(name, "dd if=/dev/urandom of=g bs=1M count=8")
    with pytest.raises(StorageFailure, match="smaller"):
        await storage.grow(name, 16 * MIB)
    assert "8388608 bytes" in write(name, "rm f; dd if=/dev/urandom of=h bs=1M count=8")
    with pytest.raises(StorageFailure) as raised:
        await storage.create(f"vh-{engine.hub}-b", labels, 1024 * MIB)
    assert "store_full" == raised.value.code


def write(volume: str, command: str, *, user: str = "1000:100") -> str:
    """Run a shell line in a container with the volume, as the person."""
    options = ["--network=none", f"--user={user}", f"--volume={volume}:/v"]
    return docker("run", "--rm", *options, BUILDER, "sh", "-c", f"cd /v; {{ {command}; }} 2>&1; true")
