"""Caps of volumes on a real engine: where they stop, what survives, what is refused; the 50 volumes are in test_caps_many.py."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.buildsite import remove_all
from tests.hubprocess import docker
from versatilehub import naming
from versatilehub.engine import Engine
from versatilehub.errors import EngineConflict, EngineNotFound, Refusal, StorageFailure
from versatilehub.networks import in_own_loop
from versatilehub.runtime import VersatileHub
from versatilehub.runtime_storage import require_storage
from versatilehub.storage.backend import TRIAL
from versatilehub.storage.caps import trial
from versatilehub.storage.caps.loop import Loop
from versatilehub.storage.caps.storage import Storage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tests.plugins.leftovers import SessionLabel
    from tests.secondengine import SecondEngine

BUILDER = "versatilehub/builder:latest"
MIB = 1 << 20
CAP = 16 * MIB


class Site:
    """One hub's storage, and containers that use it as servers do."""

    def __init__(self, engine: Engine, store: Path, **settings: Any) -> None:
        self.engine = engine
        self.store = store
        self.storage = Storage(
            engine, image=BUILDER, store=str(store), **{"free": 0, "wanted": "loop", **settings}
        )

    def name(self) -> str:
        """Return a volume's name nobody had."""
        return f"vh-{self.engine.hub}-{secrets.token_hex(4)}"

    async def make(self, cap: int | None = CAP) -> str:
        """Make a volume and return its name."""
        name = self.name()
        await self.storage.create(name, self.labels(), cap)
        return name

    def labels(self, owner: str = "ann") -> dict[str, str]:
        """Return the labels of a volume."""
        return self.engine.labels("volume", owner=owner, server="lab")

    def run(self, volume: str, command: str, *, user: str = "1000:100") -> str:
        """Run a shell line in a container with the volume at /home/ann; return what it printed, errors too."""
        return docker(
            "run", "--rm", "--network=none", f"--user={user}", f"--volume={volume}:/home/ann", BUILDER, "sh", "-c",
            f"cd /home/ann; {{ {command}; }} 2>&1; true",
        )  # fmt: skip

    async def close(self) -> None:
        """Remove everything."""
        volumes = await self.engine.volumes.list({"versatilehub.hub": self.engine.hub})
        await asyncio.gather(*(self.storage.remove(one.name) for one in volumes), return_exceptions=True)
        await self.storage.close()
        await remove_all(self.engine)


@pytest.fixture
async def make_site(session_label: SessionLabel, tmp_path: Path) -> AsyncIterator[Callable[..., Site]]:
    """Make sites of fresh hub ids; what they hold goes in the end."""
    made: list[Site] = []

    def make(**settings: Any) -> Site:
        engine = Engine(hub=f"t{secrets.token_hex(4)}", labels=session_label.labels)
        store = settings.pop("store", tmp_path / "store")
        made.append(Site(engine, store, **settings))
        return made[-1]

    yield make
    for site in made:
        await site.close()
        await site.engine.close()


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    """A site with disk images."""
    return make_site()


def run(*command: str) -> str:
    """Run a command on this machine and return its output."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def link_of(name: str) -> Path:
    """Return the link to a volume's device."""
    return Path("/dev/vhub") / name


def detach(*names: str) -> None:
    """Take the devices away, as a reboot does."""
    for name in names:
        run("losetup", "--detach", str(link_of(name).resolve()))
        link_of(name).unlink()


def mislead(link: Path, to: Path) -> None:
    """Lead a link to another's device."""
    link.unlink()
    link.symlink_to(to.resolve())


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """Mount a file system of *size* bytes and yield its folder."""
    disk, place = folder / "disk", folder / "small"
    place.mkdir()
    with disk.open("wb") as file:
        file.truncate(size)
    run("mkfs.ext4", "-q", "-m", "0", str(disk))
    device = run("losetup", "--find", "--show", str(disk))
    run("mount", device, str(place))
    try:
        yield place
    finally:
        run("umount", str(place))
        run("losetup", "--detach", device)


@pytest.mark.req("P10", "S9")
async def test_a_volume_stops_at_its_cap_and_frees_what_is_deleted(site: Site) -> None:
    """Writing ends with "No space left" below the cap; deleting a file makes room again, as the person and not as root."""
    volume = await site.make()

    told = site.run(
        volume,
        "dd if=/dev/zero of=full bs=1M; df --output=size -B1 . | tail -1; rm full; dd if=/dev/zero of=b bs=1M count=8",
    )
    assert "No space left on device" in told
    size = next(int(line) for line in told.splitlines() if line.strip().isdigit())
    assert CAP * 0.8 < size <= CAP
    assert "8388608 bytes" in told

    found = (await site.storage.measure([volume]))[volume]
    assert 8 * MIB == found.used // MIB * MIB
    assert 0 < size - found.limit <= size // 25, (
        "2 % are the kernel's, 1/64 is for the next start of a full volume"
    )


@pytest.mark.req("P10")
async def test_the_mount_takes_no_devices_and_no_setuid(site: Site) -> None:
    """The options are those of the record, and the folder belongs to the person."""
    volume = await site.make()

    told = site.run(volume, "grep /home/ann /proc/mounts; stat -c %u:%g:%a .; ls -A; echo end")
    assert {"nosuid", "nodev", "noatime"} <= set(told.split()[3].split(","))
    assert ["1000:100:755", "end"] == told.splitlines()[1:]


@pytest.mark.req("P10")
async def test_an_image_fills_its_home_into_a_new_capped_volume(site: Site) -> None:
    """Docker copies what the image has at the place, owner included: the volume is empty, lost+found gone."""
    volume = await site.make()
    docker("run", "--rm", "--network=none", f"--volume={volume}:/etc/apt", BUILDER, "true")

    assert "sources.list.d" in site.run(volume, "ls")


async def test_a_repaired_and_grown_volume_is_empty_still(site: Site) -> None:
    """Growing checks the file system in full, which makes lost+found anew; the first start must find an empty volume."""
    volume = await site.make()
    await site.storage.grow(volume, 2 * CAP)

    assert "" == site.run(volume, "ls -A")


@pytest.mark.req("P10")
async def test_a_volume_grows_while_stopped_and_keeps_its_files(site: Site) -> None:
    """A full volume takes more after it has grown; one in use is refused; smaller is refused."""
    volume = await site.make()
    site.run(volume, "dd if=/dev/urandom of=full bs=1M")
    before = site.run(volume, "sha256sum full")
    await site.storage.grow(volume, 2 * CAP)

    assert before == site.run(volume, "sha256sum full")
    assert "8388608 bytes" in site.run(volume, "dd if=/dev/zero of=more bs=1M count=8")

    user = docker("run", "-d", "--network=none", f"--volume={volume}:/v", BUILDER, "sleep", "60")
    try:
        with pytest.raises(StorageFailure, match="is in use"):
            await site.storage.grow(volume, 3 * CAP)
        with pytest.raises(StorageFailure, match="smaller"):
            await site.storage.grow(volume, CAP)
        with pytest.raises(EngineConflict):
            await site.storage.remove(volume)
    finally:
        docker("rm", "-f", user)


@pytest.mark.req("P10")
async def test_a_full_volume_has_a_little_room_at_its_next_start(site: Site) -> None:
    """A server that makes its own files when it starts can, whatever its image; with room again the spare is kept back again."""
    volume = await site.make()
    fill = "dd if=/dev/zero of=full bs=4k; i=0; while echo x > f$i; do i=$((i+1)); done; mkdir some"
    assert "cannot create directory" in site.run(volume, fill)
    limit = (await site.storage.measure([volume]))[volume].limit
    await site.storage.ready(volume)
    assert "made" == site.run(volume, "mkdir -p .jupyter/lab .ipython/profile_default && echo made")

    site.run(volume, "rm -f full f*")
    await site.storage.ready(volume)
    assert limit == (await site.storage.measure([volume]))[volume].limit


async def test_a_detached_volume_fails_closed_and_is_attached_again(site: Site) -> None:
    """Without its device a start fails, it never finds an empty folder; made ready, the files are there."""
    volume, other = await site.make(), await site.make()
    site.run(volume, "echo mine > whose")
    site.run(other, "echo other > whose")
    detach(volume, other)

    with pytest.raises(AssertionError, match="no such file or directory"):
        site.run(volume, "true")
    await site.storage.ready(other)  # in another order: takes the device that was the first one's
    await site.storage.ready(volume)
    assert ("mine", "other") == (site.run(volume, "cat whose"), site.run(other, "cat whose"))


async def test_a_device_of_another_is_never_taken(site: Site) -> None:
    """A link that leads to somebody else's device is put right; a disk image put in another's place is refused."""
    volume, other = await site.make(), await site.make()
    site.run(volume, "echo mine > whose")
    mislead(link_of(volume), link_of(other))
    await site.storage.ready(volume)
    assert "mine" == site.run(volume, "cat whose")

    detach(volume, other)
    (site.store / f"{other}.img").replace(site.store / f"{volume}.img")
    with pytest.raises(StorageFailure) as raised:
        await site.storage.ready(volume)
    assert "volume_mixed_up" == raised.value.code
    with pytest.raises(StorageFailure) as raised:
        await site.storage.ready(other)
    assert "volume_lost" == raised.value.code
    assert "backup" in raised.value.hint


async def test_a_lost_image_is_never_made_anew(site: Site) -> None:
    """An empty disk in the place of somebody's files would be taken for the files being gone."""
    volume = await site.make()
    detach(volume)
    (site.store / f"{volume}.img").unlink()

    with pytest.raises(StorageFailure) as raised:
        await site.storage.create(volume, site.labels(), CAP)
    assert "volume_lost" == raised.value.code


async def test_half_made_and_half_removed_volumes_are_finished(site: Site) -> None:
    """A hub killed between any two steps of create and remove finds its way by doing the same again."""
    volume = site.name()
    site.store.mkdir(exist_ok=True)
    (site.store / f"{volume}.half").write_bytes(b"x" * MIB)  # killed while the image was made
    await site.storage.create(volume, site.labels(), CAP)
    site.run(volume, "echo kept > file")

    await site.engine.volumes.remove(volume)  # killed before Docker's volume was made, or it was pruned
    await site.storage.create(volume, site.labels(), CAP)
    assert "kept" == site.run(volume, "cat file")
    detach(volume)  # killed between device and link
    await site.storage.create(volume, site.labels(), CAP)
    assert "kept" == site.run(volume, "cat file")
    with pytest.raises(EngineConflict):
        await site.storage.create(volume, site.labels("eve"), CAP)

    await site.engine.volumes.remove(volume)  # killed within remove
    await site.storage.remove(volume)
    await site.storage.remove(volume)
    assert [] == list(site.store.iterdir())
    assert not link_of(volume).is_symlink()
    with pytest.raises(EngineNotFound):
        await site.storage.ready(volume)


async def test_the_same_asked_for_ten_times_at_once_is_one_volume(site: Site) -> None:
    """Creations of one name at the same time agree."""
    name = site.name()
    made = await asyncio.gather(*(site.storage.create(name, site.labels(), CAP) for _ in range(10)))

    assert 1 == len({one.name for one in made})
    assert [name] == await site.storage.loop.images()


@pytest.mark.req("P10")
async def test_a_damaged_volume_says_how_to_repair_it(site: Site) -> None:
    """What e2fsck cannot repair by itself stops the start, with the words an administrator needs."""
    volume = await site.make()
    detach(volume)
    image = site.store / f"{volume}.img"
    with image.open("r+b") as disk:  # group descriptors and bitmaps, not the superblock
        disk.seek(2048)
        disk.write(os.urandom(MIB))

    with pytest.raises(StorageFailure) as raised:
        await site.storage.ready(volume)
    assert "volume_damaged" == raised.value.code
    assert "e2fsck -f" in raised.value.hint


async def test_a_helper_that_dies_is_replaced(site: Site) -> None:
    """Whoever kills the helper, the next order starts another; a hub that is gone leaves none."""
    volume = await site.make()
    roles = {"versatilehub.hub": site.engine.hub, "versatilehub.role": "disks"}
    for helper in await site.engine.containers.list(roles):
        await site.engine.containers.remove(helper.id)
    await site.storage.ready(volume)

    assert 1 == len(await site.engine.containers.list(roles))
    await site.storage.close()
    for _ in range(100):
        if not await site.engine.containers.list(roles):
            break
        await asyncio.sleep(0.05)
    assert [] == await site.engine.containers.list(roles)


async def test_the_helper_has_no_more_rights_than_it_needs(site: Site) -> None:
    """Not privileged, one capability, no network, and no disk of the machine but loop devices."""
    await site.make()
    (helper,) = await site.engine.containers.list(
        {"versatilehub.hub": site.engine.hub, "versatilehub.role": "disks"}
    )
    host = (await site.engine.containers.inspect(helper.id)).raw["HostConfig"]

    assert (False, ["ALL"], ["SYS_ADMIN"], "none") == (
        host["Privileged"],
        host["CapDrop"],
        host["CapAdd"],
        host["NetworkMode"],
    )
    disk = await asyncio.to_thread(run, "findmnt", "-no", "SOURCE", "/")
    told = docker("exec", helper.id, "sh", "-c", f"head -c 1 {disk} 2>&1 | cat; ls -A /sys/class/net")
    assert "Operation not permitted" in told
    assert "eth0" not in told


@pytest.mark.req("P10")
async def test_a_full_store_refuses_new_volumes_and_hurts_none(
    make_site: Callable[..., Site], tmp_path: Path
) -> None:
    """On a store of 100 MiB the volumes that fit work to their last byte; the next is refused with figures, before a file is made."""
    with small_disk(tmp_path, 100 * MIB) as store:
        site = make_site(store=store, free=4 * MIB)
        names: list[str] = []
        refused = await until_refused(site, names)
        assert ("store_full", True) == (refused.code, 3 <= len(names) <= 6)
        assert str(CAP) in refused.message
        images = {path.name for path in store.iterdir()} - {"lost+found"}
        assert {f"{name}.img" for name in names} == images

        fill = "dd if=/dev/urandom of=f bs=64k; sync; sha256sum f"
        sums = [site.run(name, fill).splitlines()[-1] for name in names]
        detach(*names)
        for name in names:
            await site.storage.ready(name)
        assert sums == [site.run(name, "sha256sum f") for name in names]
        await site.close()


async def until_refused(site: Site, names: list[str]) -> StorageFailure:
    """Make volumes, put into *names*, until one is refused."""
    for _ in range(10):
        try:
            names.append(await site.make())
        except StorageFailure as error:
            return error
    raise AssertionError("nothing was refused")


async def test_the_backend_is_found_by_trying_and_says_why_not_another(
    make_site: Callable[..., Site],
) -> None:
    """Each backend before the chosen one has its reason; nothing of the trials stays."""
    site = make_site(wanted="auto")
    named_trial = naming.volume_name(site.engine.hub, "trial", "", "1")
    await site.storage.loop.create(named_trial, site.labels("trial"), CAP)
    left = f"{TRIAL}left"  # by a hub that was killed within a trial
    await site.storage.loop.create(
        left, site.engine.labels("helper", extra={"versatilehub.role": trial.ROLE}), CAP
    )
    choice = await site.storage.chosen()

    assert ("loop", True, ["local", "btrfs"]) == (
        choice.name,
        choice.hard,
        [one.name for one in choice.rejected],
    )
    assert all(one.reason for one in choice.rejected)
    assert [named_trial] == [
        one.name for one in await site.engine.volumes.list({"versatilehub.hub": site.engine.hub})
    ]
    assert [named_trial] == await site.storage.loop.images()


@pytest.mark.req("P10")
async def test_a_hub_that_needs_a_hard_cap_says_what_each_backend_lacks(
    make_site: Callable[..., Site],
) -> None:
    """Where only the measured one is left, `require_hard` refuses; without it a named one that fails makes no volume."""
    demanding = make_site(wanted="soft", require_hard=True)
    with pytest.raises(StorageFailure) as raised:
        await demanding.storage.chosen()
    assert "no_hard_cap" == raised.value.code

    site = make_site(wanted="local")
    with pytest.raises(StorageFailure, match="quota"):
        await site.make()


@pytest.mark.req("P10")
def test_configure_ends_without_the_hard_cap_it_was_told_to_need(tmp_path: Path) -> None:
    """What `configure` runs while the configuration is read raises with the reason, inside a running loop or not."""
    settings = {"hub_id": f"t{secrets.token_hex(4)}", "state_dir": str(tmp_path)}
    hub = VersatileHub(storage_backend="soft", require_hard_cap=True, **settings)

    with pytest.raises(StorageFailure, match="require_hard_cap"):
        in_own_loop(require_storage(hub))


async def test_live_restore_on_an_old_engine_is_refused(
    make_site: Callable[..., Site], make_engine: Callable[..., SecondEngine]
) -> None:
    """An engine older than 24.0.6 that keeps containers over its restart loses the mounts of disk images."""
    second = make_engine(**{"live-restore": True}).start()
    engine = Engine(hub="t0000", url=second.url)
    loop = Loop(engine, make_site().storage.attendant, free=0)
    version = tuple(int(part) for part in (await engine.info())["ServerVersion"].split("+")[0].split(".")[:3])
    if version < (24, 0, 6):
        with pytest.raises(StorageFailure, match="live-restore is on"):
            await loop.usable()
    else:
        await loop.usable()
    await engine.close()


async def test_a_backend_that_keeps_no_cap_fails_its_trial(make_site: Callable[..., Site]) -> None:
    """The trial believes what the file system does, not what the backend says."""
    site = make_site(wanted="soft")
    with pytest.raises(StorageFailure, match="took 80 MiB"):
        await trial.prove(site.engine, site.storage.soft, image=BUILDER)


@pytest.mark.req("P10", "P11")
async def test_a_soft_cap_refuses_the_next_start_and_leaves_a_way_in(make_site: Callable[..., Site]) -> None:
    """Past the cap a start is refused with both figures; a clean-up start works; with the files gone, so does the next."""
    site = make_site(wanted="soft")
    volume = await site.make(4 * MIB)
    site.run(volume, "chown 1000:100 .", user="0")
    site.run(volume, "dd if=/dev/zero of=big bs=1M count=6")
    found = (await site.storage.measure([volume]))[volume]
    assert (4 * MIB, True) == (found.limit, 6 * MIB <= found.used < 7 * MIB)

    with pytest.raises(Refusal, match="6 MiB, and the limit is 4 MiB") as raised:
        await site.storage.ready(volume)
    assert ("volume_full", str(4 * MIB)) == (raised.value.code, raised.value.limit)
    site.storage.soft.allow_cleanup(volume)
    await site.storage.ready(volume)
    with pytest.raises(Refusal):
        await site.storage.ready(volume)
    site.run(volume, "rm big")
    await site.storage.ready(volume)


async def test_a_volume_without_a_cap_is_a_plain_one(site: Site) -> None:
    """No cap asked for: no image, no trial, and it is removed like the others."""
    volume = await site.make(None)

    assert {} == dict((await site.engine.volumes.inspect(volume)).options)
    await site.storage.ready(volume)
    await site.storage.remove(volume)
    assert None is await site.engine.volumes.find(volume)
