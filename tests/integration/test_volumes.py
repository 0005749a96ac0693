"""Volumes on a real engine and a real database: made once, nobody else's, trashed, restored, gone; their files in and out."""

from __future__ import annotations

import asyncio
import io
import secrets
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.buildsite import BASE, remove_all
from versatilehub.engine import Engine
from versatilehub.errors import EngineConflict, InvalidInput, Refusal
from versatilehub.storage.backend import Plain
from versatilehub.storage.files import VolumeFiles
from versatilehub.storage.mountable import Mountable
from versatilehub.storage.owners import Owner
from versatilehub.storage.trash import Trash
from versatilehub.storage.volumes import Volumes
from versatilehub.store import Store
from versatilehub.store import volumes as records
from versatilehub.store.volumes import Member, State, VolumeRecord

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.plugins.leftovers import SessionLabel

ANN = Owner(name="ann", key="1@2026-01-01T00:00:00+00:00")
BOB = Owner(name="bob", key="2@2026-01-01T00:00:00+00:00")
BUILDER = "versatilehub/builder:latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What keeps the volumes of one hub, and what was said of them."""

    engine: Engine
    volumes: Volumes
    trash: Trash
    said: list[str]

    def ensure(self, owner: Owner, server: str | None, **more: Any) -> Any:
        """Return the volume of a server."""
        return self.volumes.ensure(owner, server, **more)

    async def record(self, name: str) -> VolumeRecord | None:
        """Return what is on record of a volume."""
        return await self.volumes.store.run(lambda session: records.get(session, name))

    async def there(self) -> set[str]:
        """Return the names of this hub's volumes in Docker."""
        return {one.name for one in await self.engine.volumes.list({"versatilehub.hub": self.engine.hub})}


@pytest.fixture
async def site(session_label: SessionLabel, tmp_path: Path) -> AsyncIterator[Site]:
    """A hub id, an engine and a database of the test's own."""
    engine = Engine(hub=f"t{secrets.token_hex(4)}", labels=session_label.labels)
    store = Store(f"sqlite:///{tmp_path / 'store.sqlite'}")
    said: list[str] = []
    volumes = Volumes(
        engine,
        store,
        Plain(engine),
        files=VolumeFiles(engine, image=BUILDER),
        said=lambda kind, record: said.append(f"{kind} {record.owner}"),
    )
    yield Site(engine=engine, volumes=volumes, trash=Trash(volumes), said=said)
    await remove_all(engine)
    await engine.close()
    store.close()


@pytest.mark.req("P12")
async def test_a_server_has_one_volume_however_often_it_is_asked_for(site: Site) -> None:
    """Ten starts at once and one later get the same volume, labelled; another server and another person get another."""
    found = await asyncio.gather(*(site.ensure(ANN, "lab") for _ in range(10)))

    assert 1 == len({one.name for one in found})
    assert found[0].name == (await site.ensure(ANN, "lab")).name
    others = {(await site.ensure(owner, server)).name for owner, server in ((ANN, ""), (BOB, "lab"))}
    assert 3 == len({found[0].name, *others}) == len(await site.there())
    labels = (await site.engine.volumes.inspect(found[0].name)).labels
    assert ("ann", "lab", "server", site.engine.hub) == tuple(
        labels[f"versatilehub.{key}"] for key in ("owner", "server", "lifetime", "hub")
    )


@pytest.mark.req("P15")
async def test_a_volume_name_never_comes_back(site: Site) -> None:
    """A server made anew gets a volume of a new name, whether its old one is in the trash or gone."""
    first = await site.ensure(ANN, "lab")
    await site.trash.trash(first.name, days=3)
    second = await site.ensure(ANN, "lab")
    await site.trash.trash(second.name, days=0)
    third = await site.ensure(ANN, "lab")

    assert 3 == len({first.name, second.name, third.name})
    assert {first.name, third.name} == await site.there()


@pytest.mark.req("V6", "K30")
async def test_a_name_of_somebody_else_is_refused(site: Site) -> None:
    """Not by name, not by a label that lies, not by the name of an account that was freed and given out again."""
    hers = await site.ensure(ANN, "lab")
    lying = f"vh-{secrets.token_hex(8)}"
    await site.engine.volumes.create(lying, {"versatilehub.owner": "bob", "versatilehub.kind": "volume"})
    again = Owner(name="ann", key="1@2026-02-02T00:00:00+00:00")

    for owner, name in ((BOB, hers.name), (BOB, lying), (again, hers.name)):
        with pytest.raises(EngineConflict):
            await site.ensure(owner, "lab", name=name)
        with pytest.raises(EngineConflict):
            await site.volumes.usable(name, owner)
    await site.engine.volumes.remove(lying)
    assert hers.name != (await site.ensure(again, "lab")).name


async def test_an_account_that_is_renamed_keeps_its_volumes(site: Site) -> None:
    """What counts is the account; the label of its old name stays."""
    hers = await site.ensure(ANN, "lab")
    renamed = Owner(name="anna", key=ANN.key)

    assert await site.volumes.usable(hers.name, renamed)
    assert hers.name == (await site.ensure(renamed, "lab")).name


async def test_a_lost_record_is_made_again_from_the_labels(site: Site) -> None:
    """A home that all servers share is found by its labels, live; not for a younger account of the same name."""
    home = await site.ensure(ANN, None)
    await site.volumes.store.run(lambda session: records.forget(session, home.name))
    younger = Owner(name="ann", key="9@x", since=datetime.now(UTC) + timedelta(hours=1))

    assert home.name != (await site.ensure(younger, None)).name
    assert home.name == (await site.ensure(ANN, None)).name


@pytest.mark.req("P13")
async def test_trash_and_back(site: Site) -> None:
    """A trashed volume keeps its files and can come back, for its server or for another one; a server with one keeps its own."""
    volume = await site.ensure(ANN, "lab")
    await site.trash.trash_server(ANN, "lab", days=3)
    trashed = await site.record(volume.name)
    other = await site.ensure(ANN, "other")

    assert trashed is not None
    assert trashed.expires is not None
    assert (State.TRASHED, 2) == (trashed.state, (trashed.expires - datetime.now(UTC)).days)
    assert {volume.name, other.name} == await site.there()
    with pytest.raises(Refusal) as refused:
        await site.trash.restore(volume.name, server="other")
    assert "server_has_volume" == refused.value.code
    await site.trash.restore(volume.name, server="new")
    assert volume.name == await site.trash.restored(ANN, "new")
    assert "" == await site.trash.restored(ANN, "other")
    with pytest.raises(Refusal) as refused:
        await site.trash.restore(volume.name)
    assert "not_in_trash" == refused.value.code
    assert [
        "volume.created ann",
        "volume.trashed ann",
        "volume.created ann",
        "volume.restored ann",
    ] == site.said


@pytest.mark.req("P13")
async def test_deleting_a_server_touches_nothing_else(site: Site) -> None:
    """Not the same server of another person, not the person's other servers, not what is the person's own."""
    kept = [
        await site.ensure(BOB, "lab"),
        await site.ensure(ANN, "other"),
        await site.ensure(ANN, None),
        await site.ensure(ANN, None, kind="shared", title="mine"),
    ]
    gone = await site.ensure(ANN, "lab")
    home = kept[2].name

    assert [gone.name] == await site.trash.trash_server(ANN, "lab", days=0, also=home)
    assert {one.name for one in kept} == await site.there()


async def test_only_what_is_trashed_is_purged(site: Site) -> None:
    """A live volume, one that never was, and one that lost our labels stay; the refusal says why."""
    volume = await site.ensure(ANN, "lab")
    for name in (volume.name, "vh-nothing"):
        with pytest.raises(Refusal) as refused:
            await site.trash.purge(name)
        assert "not_in_trash" == refused.value.code
    await site.engine.volumes.remove(volume.name)
    await site.engine.volumes.create(volume.name, {"site": "somebody's"})
    await site.trash.trash(volume.name, days=3)

    assert "not the recorded one" in (await site.trash.purge(volume.name)).problem
    assert (await site.engine.volumes.inspect(volume.name)).labels
    await site.engine.volumes.remove(volume.name)


@pytest.mark.req("P14")
async def test_a_volume_in_use_stays_and_is_tried_again(site: Site) -> None:
    """While a container has it, even one that never ran, a volume is not removed; why is on record, and the next try does it."""
    volume = await site.ensure(ANN, "lab")
    mounts = [{"Type": "volume", "Source": volume.name, "Target": "/x"}]
    labels = site.engine.labels("server", owner="ann", server="lab")
    spec = {"Image": BASE, "Labels": labels, "HostConfig": {"Mounts": mounts}}
    container = await site.engine.containers.create(f"{site.engine.hub}-user", spec)

    with pytest.raises(Refusal, match="in use by lab"):
        await site.trash.check_unused(volume.name)
    await site.trash.trash(volume.name, days=0)
    record = await site.record(volume.name)
    assert record is not None
    assert (State.REMOVING, True) == (record.state, "in use" in record.problem)
    assert volume.name != (await site.ensure(ANN, "lab", name=volume.name)).name
    await site.engine.containers.remove(container)
    assert "" == (await site.trash.purge(volume.name)).problem
    assert (None, False) == (await site.record(volume.name), volume.name in await site.there())


@pytest.mark.req("K31")
async def test_who_was_let_in(site: Site) -> None:
    """A person's own volume is theirs to mount; others mount it by name or group, at most as they were let in."""
    mine = await site.ensure(ANN, None, kind="shared", title="mine")
    let_in = [
        Member(who="bob", mode="ro"),
        Member(who="team", mode="rw", group=True),
    ]
    await site.volumes.store.run(lambda session: records.set_members(session, mine.name, let_in))

    async def seen(owner: Owner, *groups: str) -> list[tuple[str, str, str]]:
        return [
            (one.name, one.mode, one.source) for one in await Mountable(site.volumes).granted(owner, groups)
        ]

    assert [("mine", "rw", mine.name)] == await seen(ANN) == await seen(BOB, "team")
    assert [("mine", "ro", mine.name)] == await seen(BOB)
    assert [] == await seen(Owner(name="eve", key="3@"), "other")
    await site.trash.trash(mine.name, days=3)
    assert [] == await seen(ANN) == await seen(BOB, "team")


# -- files -----------------------------------------------------------------------------------------


def archive(*members: tarfile.TarInfo, content: bytes = b"") -> bytes:
    """Return a tar of *members*; files hold *content*."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for member in members:
            member.size = len(content) if member.isfile() else 0
            tar.addfile(member, io.BytesIO(content) if member.isfile() else None)
    return buffer.getvalue()


def member(name: str, **fields: Any) -> tarfile.TarInfo:
    """Return one entry of a tar."""
    made = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(made, key, value)
    return made


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    """Yield *data* as it comes over a network."""
    for start in range(0, len(data), 50_000):
        yield data[start : start + 50_000]


async def taken_out(site: Site, volume: str) -> dict[str, tarfile.TarInfo]:
    """Return the entries of a backup."""
    whole = b"".join([piece async for piece in site.volumes.files.backup(volume)])
    return {one.name: one for one in tarfile.open(fileobj=io.BytesIO(whole)).getmembers()}


async def test_files_come_back_as_they_were(site: Site) -> None:
    """Owners, modes, links and content go through a backup into a fresh volume; a hole of a gigabyte stays one."""
    first, second = [await site.ensure(ANN, None, kind="shared", title=title) for title in ("one", "two")]
    files = site.volumes.files
    assert await files.is_empty(first.name)
    given = [
        member("work/notes.txt", uid=1000, gid=100, mode=0o640, mtime=1_700_000_000),
        member("work/link", type=tarfile.SYMTYPE, linkname="notes.txt", uid=1000, gid=100),
        member("other", uid=4321, gid=99, mode=0o755),
    ]
    await files.restore(first.name, pieces(archive(*given, content=b"x" * 300_000)))
    hole = ["-v", f"{first.name}:/v", "--entrypoint", "truncate", BUILDER, "-s", "1G", "/v/hole"]
    process = await asyncio.create_subprocess_exec("docker", "run", "--rm", "--network", "none", *hole)
    assert 0 == await process.wait()
    assert not await files.is_empty(first.name)

    whole = b"".join([piece async for piece in files.backup(first.name)])
    await files.restore(second.name, pieces(whole))
    before, after = await taken_out(site, first.name), await taken_out(site, second.name)

    assert len(whole) < 2_000_000
    assert 1 << 30 == after["./hole"].size
    kept = ("uid", "gid", "mode", "size", "mtime", "linkname", "type")
    assert {name: [getattr(one, key) for key in kept] for name, one in before.items()} == {
        name: [getattr(one, key) for key in kept] for name, one in after.items()
    }
    assert (1000, 100, 0o640, 300_000) == tuple(getattr(after["./work/notes.txt"], key) for key in kept[:4])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(archive(member("../../etc/x"), content=b"x"), id="climbs"),
        pytest.param(archive(member("l", type=tarfile.SYMTYPE, linkname="/etc"), member("l/x"), content=b"x"), id="through a link"),
        pytest.param(archive(member("dev", type=tarfile.BLKTYPE, devmajor=8, devminor=0)), id="a disk"),
        pytest.param(archive(member("x"), content=b"x" * 300_000)[:100_000], id="cut off"),
        pytest.param(b"no tar at all" * 1000, id="no tar"),
    ],
)  # fmt: skip
async def test_hostile_archives(site: Site, content: bytes) -> None:
    """Refused as a whole with a code and a reason; nothing outside of the volume was within reach."""
    volume = await site.ensure(ANN, None, kind="shared", title="in")

    with pytest.raises(InvalidInput) as refused:
        await site.volumes.files.restore(volume.name, pieces(content))

    assert ("bad_archive", True) == (refused.value.code, bool(refused.value.hint))
    assert [] == await site.engine.containers.list({"versatilehub.hub": site.engine.hub})
