"""The images of a hub on a real engine: what is listed, what a prune removes, what it never touches."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.buildsite import BASE, remove_all, until
from tests.hubprocess import docker
from tests.manyimages import Wanted, make_image, make_images
from versatilehub.commands import deployment
from versatilehub.engine import Engine
from versatilehub.errors import ImageInUse, ImageNotFound
from versatilehub.images.book import ImageBook
from versatilehub.images.plan import DAY, Rules
from versatilehub.images.shelf import Shelf
from versatilehub.images.tending import Limits, Round, Tending
from versatilehub.storage.content import Contents, mark_name
from versatilehub.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.plugins.leftovers import SessionLabel

MANY = 300
OLD = time.time() - 90 * DAY


class Site:
    """One hub's images: engine, database and shelf."""

    def __init__(self, folder: Path, labels: dict[str, str]) -> None:
        self.engine = Engine(hub=f"t{secrets.token_hex(4)}", labels=labels)
        self.store = Store(f"sqlite:///{folder}/store.sqlite")
        self.book = ImageBook(self.store)
        self.probes = folder / "probes"
        self.contents = Contents(self.engine)
        self.shelf = Shelf(self.engine, contents=self.contents, probes=self.probes, book=self.book)
        self.word = self.engine.hub

    async def container(self, image: str, **labels: str) -> str:
        """Create a container of an image, never started."""
        made = self.engine.labels("server" if labels else "helper", extra={})
        made |= {f"versatilehub.{key}": value for key, value in labels.items()}
        spec = {
            "Image": image,
            "Entrypoint": ["/never"],
            "Labels": made,
            "HostConfig": {"NetworkMode": "none"},
        }
        return await self.engine.containers.create(f"{self.word}-{secrets.token_hex(4)}", spec)


@asynccontextmanager
async def opened(folder: Path, labels: dict[str, str]) -> AsyncIterator[Site]:
    """Open a site and remove all of its hub afterwards."""
    site = Site(folder, labels)
    try:
        yield site
    finally:
        await remove_all(site.engine)
        await site.engine.close()
        site.store.close()


@pytest.fixture
async def site(tmp_path: Path, session_label: SessionLabel) -> AsyncIterator[Site]:
    """A hub without images."""
    async with opened(tmp_path, session_label.labels) as made:
        yield made


@pytest.mark.req("S3")
async def test_sizes_are_dockers_own(site: Site) -> None:
    """Size and what is shared are what `docker system df -v` says."""
    base = await make_image(site.engine, f"vh-build/{site.word}-a:1", built=OLD)
    container = await site.container(base)
    docker(
        "commit",
        "-c",
        f"LABEL versatilehub.hub={site.word} versatilehub.kind=image",
        container,
        f"vh-build/{site.word}-b:1",
    )
    told = {
        row["Id"]: row for row in (await site.engine._docker.json("GET", "system/df", limit=60))["Images"]
    }
    images = (await site.shelf.inventory()).images

    assert 2 == len(images)
    for one in images:
        assert (one.size, one.shared) == (told[one.id]["Size"], told[one.id]["SharedSize"])


@pytest.mark.req("S5")
async def test_pruning_300_images(site: Site) -> None:
    """The dry run is exactly what goes; nothing that is used, pinned or somebody else's does; it takes seconds."""
    ids = await make_images(
        site.engine,
        [
            Wanted(
                name=f"vh-build/{site.word}-{n:03}:1", built=OLD + n, layers=("base", f"{site.word}{n // 10}")
            )
            for n in range(MANY)
        ],
    )
    foreign = Engine(hub=f"{site.word}x", labels=site.engine.extra_labels)
    other = await make_image(foreign, f"{site.word}-foreign:1", built=OLD)
    held = {ids[0], ids[1], ids[2]}
    await site.container(ids[0], owner="ada", server="lab")
    await site.book.pin(ids[1], "ada", "course")
    await site.book.launched(ids[2], "bob", "")
    rules = Rules(older_than=30 * DAY, recent=0)

    plan = (await site.shelf.inventory()).plan(rules)
    begun = time.monotonic()
    outcome = await site.shelf.prune(rules)
    seconds = time.monotonic() - begun
    left = {one.id for one in await site.engine.images.list({"versatilehub.hub": site.word})}

    others = await foreign.images.find(other)
    await remove_all(foreign)
    await foreign.close()

    assert others
    assert [one.image.id for one in plan.removals] == [one.id for one in outcome.removed]
    assert MANY - len(held) == len(outcome.removed)
    assert plan.frees == outcome.freed > 0
    assert held == left
    assert seconds < 10


@pytest.mark.req("S5")
async def test_a_round_of_the_janitor(site: Site, tmp_path: Path) -> None:
    """Beyond a limit the longest unused go until it holds; short of disk, all that are idle; logs go with age; what is used stays."""
    names = [f"vh-build/{site.word}-{n}:1" for n in range(4)]
    ids = await make_images(
        site.engine,
        [Wanted(name=name, built=OLD + n, layers=(f"{site.word}{n}",)) for n, name in enumerate(names)],
    )
    left = await make_image(site.engine, "", built=OLD, layer=f"{site.word}x")
    await site.book.pin(ids[0], "ada")
    for name, age in (("old", 40 * DAY), ("new", DAY)):
        (tmp_path / "builds" / name).mkdir(parents=True)
        log = tmp_path / "builds" / name / "log.jsonl"
        log.touch()
        os.utime(log, (time.time() - age, time.time() - age))

    async def go(**limits: float) -> Round:
        made = Limits(**limits)  # type: ignore[arg-type]  # its fields
        return await Tending(site.engine, site.shelf, made, logs=tmp_path / "builds").round()

    assert (1, 0) == (len((await go()).images), (await go()).logs)
    assert await site.engine.images.find(left) is None
    disk = (await site.shelf.inventory()).plan(Rules()).disk
    assert (names[1],) == (await go(images=disk - 1)).images
    assert 1 == (await go(logs=30 * DAY)).logs
    assert ["new"] == [path.name for path in (tmp_path / "builds").iterdir()]
    assert (names[2], names[3]) == (await go(free=1 << 60)).images
    assert [ids[0]] == [one.id for one in (await site.shelf.inventory()).images]


@pytest.mark.req("S5")
async def test_the_janitor_by_itself(site: Site, tmp_path: Path) -> None:
    """The process reads what the hub wrote down, removes what is beyond its limits, and goes on after that."""
    deployment.write(
        tmp_path,
        {
            "hub_id": site.engine.hub,
            "state_dir": str(tmp_path),
            "db_url": f"sqlite:///{tmp_path}/store.sqlite",
            "janitor_every": 1,
            "image_days": 30,
            "build_cache": 0,
        },
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "versatilehub.janitor", str(tmp_path)
    )
    try:
        for number in range(2):
            image = await make_image(site.engine, f"vh-build/{site.word}:{number}", built=OLD + number)
            await until(partial(_gone, site, image), "the image to go", 60)
    finally:
        process.terminate()
        await process.wait()


async def _gone(site: Site, image: str) -> bool:
    return await site.engine.images.find(image) is None


@pytest.mark.req("S4")
async def test_what_is_used_is_not_removed(site: Site) -> None:
    """A container, running or not, a server's record, a pin and an image built on it each refuse the removal by name."""
    one, two, three, four = [
        await make_image(site.engine, f"vh-build/{site.word}-{n}:1", built=OLD) for n in range(4)
    ]
    await site.container(one, owner="ada", server="lab")
    await site.book.launched(two, "bob", "big")
    await site.book.pin(three, "eve", "exam")
    child = await site.container(four)
    docker("commit", child, f"{site.word}-child:1")
    await site.engine.containers.remove(child)

    for image, who in (
        (one, "ada's server lab"),
        (two, "bob's server big"),
        (three, "a pin of eve"),
        (four, "-child:1"),
    ):
        with pytest.raises(ImageInUse) as caught:
            await site.shelf.remove(image)
        assert who in caught.value.message
        assert await site.engine.images.find(image)

    docker("rmi", f"{site.word}-child:1")
    await site.shelf.remove(four)
    assert await site.engine.images.find(four) is None
    with pytest.raises(ImageNotFound):
        await site.shelf.remove(four)


async def test_what_belongs_to_an_image_goes_with_it(site: Site) -> None:
    """Its content volumes, what was found by looking into it, and every one of its names."""
    image = await make_image(site.engine, f"vh-build/{site.word}:1", built=OLD)
    await site.engine.images.tag(image, f"vh-build/{site.word}", "latest")
    mark = mark_name(site.engine.hub, image)
    labels = site.engine.labels("content", extra={"versatilehub.image": image})
    await site.engine.volumes.create(f"{mark}-1", labels)
    await site.engine.volumes.create(mark, {**labels, "versatilehub.content": f"{mark}-1"})
    site.probes.mkdir()
    look = site.probes / f"{image.removeprefix('sha256:')}.json"
    look.write_text("{}")

    await site.shelf.remove(f"vh-build/{site.word}:latest")

    assert await site.engine.images.find(image) is None
    assert [] == await site.engine.volumes.list({"versatilehub.hub": site.engine.hub})
    assert not look.exists()


async def test_a_launch_and_a_removal_exclude_each_other(site: Site) -> None:
    """What was launched since it was looked at stays; what is being removed cannot be launched, until it is spared."""
    image = await make_image(site.engine, f"vh-build/{site.word}:1", built=OLD)
    plan = (await site.shelf.inventory()).plan(Rules(older_than=DAY))
    assert await site.book.launched(image, "ada", "")
    outcome = await site.shelf.carry_out(plan)

    assert ("was launched just now" in outcome.refused[0][1], ()) == (True, outcome.removed)
    assert await site.engine.images.find(image)
    record = await site.shelf.find(image)
    async with site.book.doomed(record):
        assert not await site.book.launched(image, "ada", "")
        assert await site.book.launched(image, "ada", "", sure=True)
    with pytest.raises(ZeroDivisionError):
        async with site.book.doomed(record):
            raise ZeroDivisionError
    assert await site.book.launched(image, "ada", "")


async def test_what_is_kept_warm_moves(site: Site) -> None:
    """An entry of the warm list holds the image it came to last, until it is off the list; a new name is seen at once."""
    old, new = [await make_image(site.engine, f"vh-build/{site.word}:{n}", built=OLD + n) for n in range(2)]

    async def held() -> list[str]:
        found = (await site.shelf.inventory()).images
        return [one.id for one in found if any("the warm list (course)" in str(use) for use in one.uses)]

    await site.book.keep_warm(old, "k1", "course")
    assert [old] == await held()
    await site.book.keep_warm(new, "k1", "course")
    await site.book.forget_warm(["k1"])
    assert [new] == await held()
    await site.book.forget_warm(["k2"])
    assert [] == await held()
    await site.engine.images.tag(new, f"vh-build/{site.word}", "latest")
    assert new == (await site.shelf.find(f"vh-build/{site.word}:latest")).id


async def test_an_image_that_comes_into_use_stays(site: Site) -> None:
    """A container made after the plan keeps its image: nothing is forced, and the reason is told."""
    image = await make_image(site.engine, f"vh-build/{site.word}:1", built=OLD)
    plan = (await site.shelf.inventory()).plan(Rules(older_than=DAY))
    await site.container(image, owner="ada", server="")
    outcome = await site.shelf.carry_out(plan)

    assert "ada's default server" in outcome.refused[0][1]
    assert await site.engine.images.find(f"vh-build/{site.word}:1")


async def test_the_image_of_a_build_that_runs_is_no_leaving(site: Site) -> None:
    """A nameless image goes as a leaving of a build, unless that very build is still there."""
    kept = await make_image(site.engine, "", built=OLD, layer=f"{site.word}a", digest="a" * 64)
    gone = await make_image(site.engine, "", built=OLD, layer=f"{site.word}b", digest="b" * 64)
    labels = site.engine.labels("build", digest="a" * 64)
    await site.engine.containers.create(
        f"{site.word}-build", {"Image": BASE, "Labels": labels, "HostConfig": {"NetworkMode": "none"}}
    )
    outcome = await site.shelf.prune(Rules())

    assert [gone] == [one.id for one in outcome.removed]
    assert await site.engine.images.find(kept)


async def test_sweep(site: Site) -> None:
    """Content of an image that is gone goes once it is old enough; that of one that is there stays."""
    image = await make_image(site.engine, f"vh-build/{site.word}:1", built=OLD)
    gone = "sha256:" + "0" * 64
    for one in (image, gone):
        labels = site.engine.labels("content", extra={"versatilehub.image": one})
        await site.engine.volumes.create(mark_name(site.engine.hub, one), labels)

    assert 0 == await site.shelf.sweep(before=time.time() - DAY)
    assert 1 == await site.shelf.sweep(before=time.time() + 2)
    (left,) = await site.engine.volumes.list({"versatilehub.hub": site.engine.hub})
    assert mark_name(site.engine.hub, image) == left.name
