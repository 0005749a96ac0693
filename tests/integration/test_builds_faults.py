"""What becomes of builds whose containers or whose engine are killed: a right end, a whole log, nothing left."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.buildsite import BASE, GOOD, Site, site, until
from tests.gitserver import Behaviour, GitServer
from versatilehub.builds.attempt import BuildSettings
from versatilehub.builds.events import BuildState
from versatilehub.engine import Engine
from versatilehub.store import Store
from versatilehub.store.builds import BuildRecord, Wanted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.plugins.leftovers import SessionLabel
    from tests.secondengine import SecondEngine
    from versatilehub.builds.jobs import Builds
    from versatilehub.sources import ResolvedSource

BUILDER = os.environ.get("VERSATILEHUB_TEST_BUILDER", "versatilehub/builder:latest")
SLEEPS = {"Dockerfile": f"FROM {BASE}\nRUN seq -f 'line %g.' 50; sleep 60\n"}


@pytest.fixture
async def place(tmp_path: Path, session_label: SessionLabel) -> AsyncIterator[Site]:
    """A site with its own hub id and git host."""
    async with site(tmp_path, session_label.labels, builder=BUILDER) as opened:
        yield opened


async def begun(builds: Builds, source: ResolvedSource) -> str:
    """Begin a build and return its id."""
    record = await builds.begin(source)
    assert isinstance(record, BuildRecord)
    return record.id


async def ended(builds: Builds, build: str) -> BuildRecord:
    """Return a build when it has ended."""

    async def look() -> BuildRecord | None:
        record = await builds.archive.get(build)
        return record if record is not None and record.state.final else None

    found: BuildRecord = await until(look, f"the end of {build}, not {builds.running()}", seconds=90)
    return found


def said(builds: Builds, build: str) -> list[str]:
    """Return the messages of a build's log, whose lines are numbered without a gap."""
    rows = [json.loads(line) for line in builds.archive.log_path(build).read_text().splitlines()]
    assert list(range(len(rows))) == [row["seq"] for row in rows]
    assert "done" == rows[-1]["kind"]
    return [row["message"] for row in rows]


@pytest.mark.req("V23", "V25")
async def test_a_killed_container_ends_its_build(place: Site) -> None:
    """Whichever container is killed or removed, and while whichever works: interrupted, numbered, nothing left, tried again."""
    builds = place.builds(concurrent=6)
    cases = {
        "fetch while it fetches": (BuildState.FETCHING, ["kill"], ["fetch"]),
        "render while it waits": (BuildState.FETCHING, ["kill"], ["render"]),
        "build while it waits": (BuildState.FETCHING, ["kill"], ["build"]),
        "build while it builds": (BuildState.BUILDING, ["kill"], ["build"]),
        "all of them": (BuildState.BUILDING, ["rm", "-fv"], ["fetch", "render", "build"]),
    }
    sources, started = {}, {}
    for number, (case, (state, _, _)) in enumerate(cases.items()):
        sources[case] = place.source(SLEEPS if state is BuildState.BUILDING else GOOD, f"r{number}")
        if state is BuildState.FETCHING:
            place.git.behave(f"r{number}", Behaviour(delay=4))
        started[case] = await begun(builds, sources[case])

    async def strike(case: str) -> None:
        state, command, roles = cases[case]
        build = started[case]
        names = []
        if state is BuildState.FETCHING:
            names = [await until(partial(running, place, build, roles[0]), f"{case}: {roles[0]}")]
        if state is BuildState.BUILDING:
            path = builds.archive.log_path(build)
            await until(lambda: "line 50." in path.read_text(), f"{case}: the step")
            found = await place.engine.containers.list({"versatilehub.attempt": build})
            names = [one.name for one in found if one.labels["versatilehub.role"] in roles]
        await asyncio.to_thread(
            subprocess.run, ["docker", *command, *names], check=False, capture_output=True
        )

    await asyncio.gather(*map(strike, cases))
    records = {case: await ended(builds, build) for case, build in started.items()}

    assert dict.fromkeys(cases, ("interrupted", "build_interrupted")) == {
        case: (record.state.value, record.code) for case, record in records.items()
    }
    for case, build in started.items():
        lines = [one for one in said(builds, build) if "line " in one and one.startswith("#")]
        assert {1} >= set(Counter(lines).values()), case
        assert (50 if cases[case][0] is BuildState.BUILDING else 0) == len(lines)
    await until(place.gone, "nothing left")
    assert 0 == await place.images()
    for number in range(len(cases)):
        place.git.behave(f"r{number}", Behaviour())
    again = await builds.ensure(sources["fetch while it fetches"], lambda _: None)
    assert again.image


async def running(place: Site, build: str, role: str) -> str:
    """Return the name of a container of a build once it runs, "" before."""
    found = await place.engine.containers.list({"versatilehub.attempt": build, "versatilehub.role": role})
    return found[0].name if found and found[0].state == "running" else ""


@pytest.mark.req("V25")
async def test_a_cancel_gives_the_disk_back(place: Site) -> None:
    """A cancelled build leaves nothing within 2 s, and what its finished steps took is free soon after."""
    dd = "dd if=/dev/urandom bs=1M count=40 2>/dev/null of"
    mark = secrets.token_hex(4)
    lines = [f"FROM {BASE}", "USER root", f"RUN {dd}=/one-{mark}", f"RUN {dd}=/two; echo ste''pped; sleep 60"]
    builds = place.builds()

    async def kept() -> int:
        steps = await place.engine.cache.steps()
        return sum(step.size for step in steps if f"of=/one-{mark}" in step.text)

    source = place.source({"Dockerfile": "\n".join(lines) + "\n"})
    build = await begun(builds, source)
    path = builds.archive.log_path(build)
    await until(lambda: " stepped" in path.read_text(), "both steps", seconds=60)
    assert 40 << 20 <= await kept()

    async with asyncio.timeout(2):
        assert await builds.cancel(build)
        assert await place.gone()
    assert BuildState.CANCELLED is (await ended(builds, build)).state

    async def freed() -> bool:
        return await kept() == 0

    await until(freed, "the disk free again")


@pytest.fixture(scope="module")
def second(make_engine: Callable[..., SecondEngine]) -> SecondEngine:
    """An engine of this file's own, with the images of builds."""
    return make_engine().start().take(BUILDER, BASE)


def taken(engine: SecondEngine) -> int:
    """Return how many bytes an engine's folder takes on the disk."""
    done = subprocess.run(["du", "-sxk", engine.folder], capture_output=True, text=True, check=False)
    return int(done.stdout.split()[0]) << 10


async def remove_images(engine: Engine) -> None:
    """Remove the images of an engine's hub; its network stays, for builds go on."""
    for image in await engine.images.list({"versatilehub.hub": engine.hub}):
        await engine.images.remove(image.id, force=True)


@pytest.mark.req("V23", "V24", "V25")
async def test_a_killed_engine(second: SecondEngine, tmp_path: Path, session_label: SessionLabel) -> None:
    """Docker killed while one build fetches, one builds and one waits: each ends rightly, nothing is left, the disk neither."""
    address = second.connect()
    with GitServer("0.0.0.0", name=address) as git:
        settings = BuildSettings(
            state_dir=tmp_path,
            builder_image=BUILDER,
            base_image=BASE,
            extra_sources=(git.base,),
            hub_version="6.1.1",
        )
        engine = Engine(hub="killed", url=second.url, labels=session_label.labels)
        store = Store(f"sqlite:///{tmp_path / 'builds.sqlite'}")
        opened = Site(engine=engine, git=git, settings=settings, store=store)
        builds = opened.builds()

        def made(files: dict[str, str], name: str) -> ResolvedSource:
            return replace(opened.source(files, name), url=git.url(name))

        try:
            await builds.ensure(
                made(GOOD, "first"), lambda _: None
            )  # what every engine keeps of a first build
            await until(opened.gone, "nothing left of the first")
            await remove_images(engine)
            before = await asyncio.to_thread(taken, second)
            fetching = made(GOOD, "slow")
            git.behave("slow", Behaviour(delay=6))
            ids = [
                await begun(builds, source) for source in (fetching, made(SLEEPS, "long"), made(GOOD, "last"))
            ]
            await until(
                lambda: "line 50." in builds.archive.log_path(ids[1]).read_text(), "the step", seconds=60
            )
            await asyncio.to_thread(second.kill)
            git.behave("slow", Behaviour())
            await asyncio.to_thread(second.start)
            records = [await ended(builds, build) for build in ids]

            assert ["interrupted", "interrupted", "ready"] == [record.state.value for record in records]
            assert all(said(builds, build) for build in ids)
            await until(opened.gone, "nothing left")
            assert 1 == await opened.images()
            found, _ = await builds.archive.find(Wanted(), offset=0, limit=10)
            assert {record.id: record.state for record in records}.items() <= {
                one.id: one.state for one in found
            }.items()
            await remove_images(engine)
            after = await asyncio.to_thread(taken, second)
            assert abs(after - before) <= before / 100
        finally:
            await builds.close()
            await engine.close()
            store.close()
