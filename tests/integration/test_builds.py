"""Builds on a real engine: one for all who ask, cancelled, failing, and taken over by the next hub."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.buildsite import BASE, GOOD, Site, remove_all, site, site_of, until
from tests.gitrepos import Submodule
from tests.gitserver import GitServer
from versatilehub.builds.attempt import Attempt
from versatilehub.builds.events import BuildEvent, BuildState
from versatilehub.builds.specs import RENDER_ONLINE, Specs, local_names
from versatilehub.engine import Engine
from versatilehub.engine.images import Image
from versatilehub.errors import BuildCancelled, BuildFailed, ImageUnusable, InvalidSource
from versatilehub.sources import ResolvedSource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.gitrepos import Files, Repo
    from tests.plugins.leftovers import SessionLabel
    from versatilehub.builds.jobs import Builds
    from versatilehub.builds.probe import Environment

BUILDER = os.environ.get("VERSATILEHUB_TEST_BUILDER", "versatilehub/builder:latest")


def _dockerfile(*steps: str, base: str = BASE) -> dict[str, str]:
    return {"Dockerfile": "\n".join([f"FROM {base}", "COPY . /srv/repo/", *steps]) + "\n"}


@pytest.fixture
async def place(tmp_path: Path, session_label: SessionLabel) -> AsyncIterator[Site]:
    """A site with its own hub id and git host."""
    async with site(tmp_path, session_label.labels, builder=BUILDER) as opened:
        yield opened


def _asks(builds: Builds, source: ResolvedSource, seen: list[BuildEvent]) -> asyncio.Task[Environment]:
    return asyncio.create_task(builds.ensure(source, seen.append))


async def _reach(builds: Builds, state: BuildState) -> None:
    await until(
        lambda: state in builds.running().values(), f"a build that is {state}, not {builds.running()}"
    )


@pytest.mark.req("P16")
async def test_twenty_askers_get_one_build(place: Site) -> None:
    """Twenty who ask at once share one build, one image and one log, and a later one gets the image at once."""
    builds, source = place.builds(), place.source(GOOD)
    seen: list[list[BuildEvent]] = [[] for _ in range(20)]
    found = await asyncio.gather(*(builds.ensure(source, one.append) for one in seen))

    assert 1 == len(set(found)) == await place.images()
    assert [seen[0]] * 20 == seen
    assert [event.seq for event in seen[0]] == list(range(len(seen[0])))
    assert "ok" == seen[0][-1].outcome
    later: list[BuildEvent] = []
    assert found[0] == await builds.ensure(source, later.append)
    assert ["cached"] == [event.outcome for event in later]
    await until(place.gone, "containers and work volume gone")


@pytest.mark.req("C22")
async def test_only_later_layers_are_built_again(place: Site) -> None:
    """A commit that changes a late file takes its early steps from the cache; one that changes an early file takes none."""
    steps = (f"FROM {BASE}", "COPY early.txt /srv/early.txt", "RUN echo worked-hard", "COPY . /srv/repo/")
    slow = {"Dockerfile": "\n".join(steps) + "\n"}
    builds = place.builds()

    async def cached(repo: Repo, **files: str) -> bool:
        repo.commit({**slow, "unique.txt": unique, **files})
        source = ResolvedSource(provider="git", url=f"{place.prefix}layers", commit=repo.head)
        lines: list[str] = []
        await builds.ensure(source, lambda event: lines.append(event.message))
        step = next(index for index, line in enumerate(lines) if "RUN echo worked-hard" in line)
        return next(line for line in lines[step + 1 :] if line.startswith("#")).endswith(" CACHED")

    unique = secrets.token_hex(8)
    repo = place.repo("layers", {"early.txt": unique})
    assert not await cached(repo, **{"early.txt": unique, "late.txt": "1"})
    assert await cached(repo, **{"early.txt": unique, "late.txt": "2"})
    assert not await cached(repo, **{"early.txt": unique + "!", "late.txt": "2"})


async def test_the_image_carries_its_record(place: Site) -> None:
    """Labels say where the image came from, and a date tag and `latest` stand beside the tag of the identity."""
    source = place.source(GOOD)
    found = await place.builds().ensure(source, lambda _: None)
    image = await place.engine.images.inspect(found.image)

    assert ("image", source.url, source.commit) == tuple(
        image.labels[f"versatilehub.{key}"] for key in ("kind", "source", "commit")
    )
    assert found.pack == image.labels["versatilehub.pack"] != ""
    assert {"versatilehub.digest", "versatilehub.created", "versatilehub.builder"} <= set(image.labels)
    assert any(tag.endswith(":latest") for tag in image.tags)
    assert len(image.tags) == 3
    assert ("/srv/repo", "1000:100", "6.1.1") == (found.repo_dir, found.user, found.version)


@pytest.mark.parametrize(
    ("files", "code", "file"),
    [
        pytest.param(_dockerfile("RUN false"), "build_failed", "Dockerfile", id="step"),
        pytest.param(_dockerfile("RUN nosuchcommand"), "command_not_found", "Dockerfile", id="command"),
        pytest.param({"binder/Dockerfile": "RUM x\n"}, None, "binder/Dockerfile:1", id="render"),
    ],
)
async def test_a_failure_is_typed_and_leaves_nothing(
    place: Site, files: dict[str, str], code: str | None, file: str
) -> None:
    """A failed build says why, with its last lines, removes all it had, and may be tried again at once."""
    builds, source = place.builds(), place.source(files)
    for _ in range(2):
        with pytest.raises(BuildFailed) as caught:
            await builds.ensure(source, lambda _: None)

        assert code in {None, caught.value.code}
        assert file == caught.value.cause_file
        assert caught.value.hint
        assert caught.value.lines
        assert await place.gone()
        assert 0 == await place.images()


def test_only_what_no_registry_serves_is_local() -> None:
    """A name is local unless a registry is known to serve that very repository; very many are told without their tags."""

    def image(tag: str, *digests: str) -> Image:
        return Image(id="sha256:0", tags=(tag,), labels={}, size=0, digests=digests)

    rows = [
        image("python:3", "python@sha256:1"),
        image("lab/x:1"),
        image("lab/y:1", "registry.lan/y@sha256:1"),
    ]
    ours = [image("vh-build/a:1"), image("versatilehub/hub:latest")]

    assert ["lab/x:1", "lab/y:1"] == local_names([*rows, *ours])
    assert ["lab/x"] == local_names(image(f"lab/x:{number:060}") for number in range(1000))


async def test_base_images_are_the_administrators_choice(place: Site) -> None:
    """A Dockerfile builds from the local images an administrator named, and from no other: it may be somebody's build."""
    source = place.source({"Dockerfile": "FROM versatilehub/builder\nCOPY . /srv/repo/\n"})
    with pytest.raises(BuildFailed) as caught:
        await place.builds(images=("versatilehub/singleuser",)).ensure(source, lambda _: None)
    assert ("dockerfile_from_refused", "Dockerfile:1") == (caught.value.code, caught.value.cause_file)

    own = f"t{secrets.token_hex(4)}/base"
    await place.engine.images.tag(BASE, own, "1")
    try:
        theirs = place.source({"Dockerfile": f"FROM {own}:1\nCOPY . /srv/repo/\n"})
        with pytest.raises(BuildFailed) as caught:
            await place.builds().ensure(theirs, lambda _: None)
        assert ("dockerfile_from_refused", "Dockerfile:1") == (caught.value.code, caught.value.cause_file)
    finally:
        await place.engine.images.remove(f"{own}:1")

    with pytest.raises(ImageUnusable, match="no `jupyterhub-singleuser`"):  # built, and looked at
        await place.builds(images=("versatilehub/builder",)).ensure(source, lambda _: None)


async def test_a_source_on_this_machine(place: Site) -> None:
    """Only a loopback address below a prefix the administrator named is fetched through the host's own network.

    Rendering has no network, or, a second time, that of builds.
    """
    settings = replace(place.settings, extra_sources=("http://127.0.0.1:80", "http://10.0.0.1/"))
    specs = Specs(place.engine, settings)
    networks = {}
    for url in (
        "http://127.0.0.1/x",
        "http://127.0.0.1:8080/x",
        "http://127.0.0.1:80.evil.org/x",
        "http://10.0.0.1/x",
    ):
        source = ResolvedSource(provider="git", url=url, commit="1" * 40)
        attempt = Attempt(id="a", identity="b" * 64, source=source, builder="b", base="c", created=0.0)
        try:
            networks[url] = (await specs.spec(attempt, "fetch"))["HostConfig"]["NetworkMode"]
        except InvalidSource:
            networks[url] = "refused"

    bridge = networks["http://10.0.0.1/x"]
    assert ["host", bridge, "refused", bridge] == list(networks.values())
    assert bridge not in {"host", "none"}
    renderings = [await specs.spec(attempt, role) for role in ("render", RENDER_ONLINE)]
    assert ["none", bridge] == [one["HostConfig"]["NetworkMode"] for one in renderings]


async def test_the_checkout_knows_its_branch(place: Site) -> None:
    """A person finds the repository on the branch that was asked for."""
    source = replace(place.source(_dockerfile("RUN echo head: $(cat /srv/repo/.git/HEAD)")), ref="main")
    seen: list[BuildEvent] = []
    await place.builds().ensure(source, seen.append)

    assert any("head: ref: refs/heads/main" in event.message for event in seen)


async def test_submodules_are_told(place: Site) -> None:
    """A submodule is fetched and in the image, and the log names it and its commit."""
    inner = place.repo("inner", {"inner.txt": "1"})
    modules = '[submodule "lib"]\n\tpath = lib\n\turl = ../inner\n'
    files: Files = {
        **_dockerfile("RUN cat /srv/repo/lib/inner.txt"),
        ".gitmodules": modules,
        "lib": Submodule(inner.head),
    }
    seen: list[BuildEvent] = []
    await place.builds().ensure(place.source(files), seen.append)
    assert any("lib" in event.message and inner.head in event.message for event in seen)


@pytest.mark.req("V26")
async def test_a_subdirectory_is_part_of_the_identity(place: Site) -> None:
    """Two folders of one commit are two environments; the same folder again is the one that exists."""
    dockerfile = f"FROM {BASE}\nCOPY . /srv/repo/\n"
    source = place.source(
        {"a/Dockerfile": dockerfile, "a/a.txt": "a", "b/Dockerfile": dockerfile, "b/b.txt": "b"}
    )
    builds = place.builds()
    first, second, again = [
        await builds.ensure(replace(source, subdir=subdir), lambda _: None) for subdir in ("a", "b", "a")
    ]
    assert first == again
    assert first.image_id != second.image_id
    assert 2 == await place.images()


async def test_the_pack_and_why_come_first(place: Site) -> None:
    """Which pack builds a repository, and why, is the first line of the build; the image has it as a label."""
    seen: list[BuildEvent] = []
    found = await place.builds().ensure(place.source(GOOD), seen.append)
    first = next(event.message for event in seen if event.phase == "build" and event.kind == "log")

    assert "Pack: dockerfile, because Dockerfile decides everything." == first
    assert "dockerfile" == found.pack


async def test_a_pack_that_looks_versions_up(place: Site) -> None:
    """A pack that must ask a host for versions is rendered again with the network; a host out of reach is named."""
    files = {"Project.toml": '[compat]\njulia = "1.9"\n'}
    builds, seen = place.builds(), list[BuildEvent]()
    task = _asks(builds, place.source(files), seen)
    await until(lambda: task.done() or BuildState.BUILDING in builds.running().values(), "rendered twice")
    assert 2 == sum(event.message.startswith("Pack: repo2docker") for event in seen)
    if not task.done():  # the host answered, and what it takes to build Julia is not waited for
        await builds.cancel(*builds.running())
    with pytest.raises(BuildFailed) as caught:
        await task

    if caught.value.code != "build_cancelled":
        assert ("render_needs_network", "Project.toml") == (caught.value.code, caught.value.cause_file)
        assert "julialang" in caught.value.message


async def test_images_named_directly(place: Site) -> None:
    """An image that exists is looked at once however many ask; one that is missing is told from one that is unusable."""
    builds = place.builds()
    found = await asyncio.gather(*(builds.examine(BASE) for _ in range(10)))
    assert 1 == len(set(found))
    assert ("6.1.1", "3.13", "1000:100", "/home/jovyan") == (
        found[0].version,
        found[0].python,
        found[0].user,
        found[0].home,
    )
    with pytest.raises(ImageUnusable) as caught:
        await builds.examine("versatilehub/no-such-image:1")
    assert "image_missing" == caught.value.code
    with pytest.raises(ImageUnusable) as caught:
        await builds.examine(BUILDER)
    assert "image_unusable" == caught.value.code


PROBED = [
    pytest.param("", "6.1.1", "1000:100", False, id="by-its-files"),
    pytest.param(
        "USER root\nRUN rm -r /usr/lib/python3/dist-packages/jupyterhub-*",
        "6.1.1",
        "1000:100",
        False,
        id="asked-from-inside",
    ),
    pytest.param(
        "USER root\nRUN rm -r /usr/lib/python3/dist-packages/jupyterhub-* /usr/bin/dash",
        "",
        "1000:100",
        True,
        id="no-shell-to-ask",
    ),
    pytest.param("USER root", "6.1.1", "1000:100", False, id="root"),
    pytest.param(
        "USER root\nRUN echo 'toor:x:0:0::/:/bin/sh' >> /etc/passwd\nUSER toor",
        "6.1.1",
        "1000:100",
        False,
        id="root-by-another-name",
    ),
    pytest.param("USER jovyan", "6.1.1", "1000:100", False, id="by-name"),
    pytest.param("USER 4711", "6.1.1", "4711:0", False, id="no-account"),
]


@pytest.mark.parametrize(("steps", "version", "user", "warned"), PROBED)
async def test_what_an_image_offers(
    place: Site, steps: str, version: str, user: str, *, warned: bool
) -> None:
    """User and version are found from the image's files, else from inside it, and root never runs."""
    found = await place.builds().ensure(place.source(_dockerfile(steps)), lambda _: None)

    assert (version, user, warned) == (found.version, found.user, bool(found.warnings))


async def test_a_commit_that_is_not_there_fails_in_fetch(place: Site) -> None:
    """A commit the host does not have ends the build while it fetches."""
    source = place.source(GOOD)
    missing = type(source)(provider="git", url=source.url, commit="1" * 40)
    seen: list[BuildEvent] = []
    with pytest.raises(BuildFailed):
        await place.builds().ensure(missing, seen.append)

    assert not {BuildState.RENDERING, BuildState.BUILDING} & {event.state for event in seen}
    assert await place.gone()


@pytest.mark.req("S13")
async def test_an_image_no_server_can_run_in_is_refused(place: Site) -> None:
    """An image without jupyterhub-singleuser fails with what to add, and does not stay."""
    source = place.source(
        _dockerfile("USER root", "RUN rm /usr/local/bin/jupyterhub-singleuser", "USER 1000:100")
    )
    with pytest.raises(ImageUnusable) as caught:
        await place.builds().ensure(source, lambda _: None)

    assert "jupyterhub==6.1.*" in caught.value.hint
    assert 0 == await place.images()


async def test_the_last_watcher_who_leaves_ends_the_build(place: Site) -> None:
    """One of two watchers leaving stops nothing; when the second leaves too, nothing is left soon after."""
    builds, source = place.builds(grace=0.2), place.source(_dockerfile("RUN sleep 60"))
    first, second = _asks(builds, source, []), _asks(builds, source, [])
    await _reach(builds, BuildState.BUILDING)
    first.cancel()
    await asyncio.wait([first])
    await asyncio.sleep(0.4)  # longer than the grace: it is the absence of an event that is looked at

    assert [BuildState.BUILDING] == list(builds.running().values())
    second.cancel()
    await until(lambda: not builds.running(), "no build")
    await until(place.gone, "nothing left in Docker")


async def test_a_build_is_cancelled_by_name(place: Site) -> None:
    """An explicit cancel tells everyone who waits, and the identity can be asked for again."""
    builds, source = place.builds(), place.source(_dockerfile("RUN sleep 60"))
    seen: list[BuildEvent] = []
    task = _asks(builds, source, seen)
    await _reach(builds, BuildState.BUILDING)
    (id_,) = builds.running()

    assert await builds.cancel(id_)
    with pytest.raises(BuildCancelled):
        await task
    assert "cancelled" == seen[-1].outcome
    assert await place.gone()
    assert not await builds.cancel(id_)


async def test_builds_wait_in_line(place: Site) -> None:
    """With room for one, the second build waits, is told how many are ahead, and runs after the first."""
    builds = place.builds(concurrent=1)
    first = _asks(builds, place.source(_dockerfile("RUN sleep 1"), "one"), [])
    await _reach(builds, BuildState.FETCHING)
    seen: list[BuildEvent] = []
    second = _asks(builds, place.source(GOOD, "two"), seen)
    await until(lambda: any("1 build ahead" in event.message for event in seen), "a place in the line")

    await asyncio.gather(first, second)
    assert "ok" == seen[-1].outcome


async def _end_of_a_hub(opened: Site) -> None:
    """Do what a closing loop does: every task is cancelled, no timer runs any more."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await opened.engine.close()


def test_the_next_hub_takes_the_line_over(tmp_path: Path, session_label: SessionLabel) -> None:
    """A build that waits for its turn when the hub ends is built by the next hub, with nobody asking for it."""

    async def first_hub() -> None:
        builds = opened.builds(concurrent=1)
        waiting = asyncio.Event()

        def watcher(event: BuildEvent) -> None:
            if "1 build ahead" in event.message:
                waiting.set()

        first = _asks(builds, opened.source(_dockerfile("RUN sleep 2"), "one"), [])
        await _reach(builds, BuildState.FETCHING)
        second = asyncio.create_task(builds.ensure(opened.source(GOOD, "two"), watcher))
        await asyncio.wait_for(waiting.wait(), 30)
        assert {BuildState.QUEUED} < set(builds.running().values())
        await _end_of_a_hub(opened)
        assert first.cancelled()
        assert second.cancelled()

    async def second_hub() -> None:
        builds = opened.builds(concurrent=1)
        await builds.recover()
        assert 2 == len(builds.running())
        await until(lambda: not builds.running(), "both built", seconds=60)
        assert 2 == await opened.images()
        await builds.close()
        await remove_all(opened.engine)
        await opened.engine.close()

    with GitServer() as git:
        opened = site_of(git, tmp_path, session_label.labels, builder=BUILDER)
        asyncio.run(first_hub())
        asyncio.run(second_hub())


STATES = [BuildState.FETCHING, BuildState.RENDERING, BuildState.BUILDING, BuildState.PROBING]


@pytest.mark.parametrize("state", STATES)
def test_the_next_hub_takes_a_build_over(
    tmp_path: Path, session_label: SessionLabel, state: BuildState
) -> None:
    """A hub that ends in any phase loses no build: the next one goes on, its log complete and nothing in it twice."""
    lines = 40
    files = _dockerfile(f"RUN for i in $(seq {lines}); do echo line-$i; sleep 0.05; done")

    async def first_hub() -> tuple[ResolvedSource, str]:
        source = opened.source(files)
        builds = opened.builds()
        there = asyncio.Event()

        def watcher(event: BuildEvent) -> None:
            if event.state is state and (state is not BuildState.BUILDING or "line-3" in event.message):
                there.set()

        asyncio.ensure_future(builds.ensure(source, watcher))  # noqa: RUF006  # the closing loop cancels it
        await asyncio.wait_for(there.wait(), 30)
        identity = next(iter(builds.running()))
        await _end_of_a_hub(opened)
        return source, identity

    async def second_hub(source: ResolvedSource, identity: str) -> None:
        builds = opened.builds()
        await builds.recover()
        assert identity in builds.running()
        seen: list[BuildEvent] = []
        found = await builds.ensure(source, seen.append)

        printed = [
            event.message.split()[-1] for event in seen if "line-" in event.message and event.kind == "log"
        ]
        assert [f"line-{number}" for number in range(1, lines + 1)] == printed
        assert list(range(len(seen))) == [event.seq for event in seen]
        assert source.commit == found.commit
        assert 1 == await opened.images()
        await builds.close()
        assert await opened.gone()
        await opened.engine.close()

    async def tidy() -> None:
        await remove_all(opened.engine)
        await opened.engine.close()

    with GitServer() as git:
        opened = site_of(git, tmp_path, session_label.labels, builder=BUILDER)
        try:
            asyncio.run(second_hub(*asyncio.run(first_hub())))
        finally:
            asyncio.run(tidy())


async def test_a_build_whose_containers_vanished_is_interrupted(place: Site) -> None:
    """Containers removed from outside end the build with words, not with silence."""
    builds, source = place.builds(), place.source(_dockerfile("RUN sleep 60"))
    seen: list[BuildEvent] = []
    task = _asks(builds, source, seen)
    await _reach(builds, BuildState.BUILDING)
    for container in await place.engine.containers.list({"versatilehub.hub": place.engine.hub}):
        await place.engine.containers.remove(container.id)

    with pytest.raises(BuildFailed) as caught:
        await task
    assert caught.value.code in {"build_interrupted", "build_cancelled"}
    assert seen[-1].state in {BuildState.INTERRUPTED, BuildState.FAILED}
    await until(place.gone, "nothing left")


LIMITS = [
    pytest.param("sleep 300", {"timeout": 3.0}, "build_timeout", id="sleeps"),
    pytest.param(
        "python3 -c 'x = bytearray(10**9); x[::4096] = b\"1\" * len(x[::4096])'",
        {"memory": 128 << 20},
        "out_of_memory",
        id="allocates",
    ),
    pytest.param(
        "for i in $(seq 500); do sleep 100 & done; wait", {"pids": 64}, "too_many_processes", id="forks"
    ),
    pytest.param("yes", {"log_limit": 100_000}, "log_too_long", id="prints"),
    pytest.param(
        "dd if=/dev/zero of=/tmp/big bs=1M count=2000 && sleep 9",
        {"disk": 256 << 20},
        "build_too_large",
        id="fills-the-disk",
    ),
    pytest.param("true", {"tree_bytes": 1 << 20}, "tree_too_large", id="is-large"),
]


@pytest.mark.req("P18")
@pytest.mark.parametrize(("step", "limits", "code"), LIMITS)
async def test_a_greedy_build_meets_its_limit(
    place: Site, step: str, limits: dict[str, float], code: str
) -> None:
    """A repository without measure is ended within its limit, told which one, and leaves nothing."""
    begun = time.monotonic()
    files = {**_dockerfile(f"RUN {step}"), "large": "x" * (3 << 20)}
    with pytest.raises(BuildFailed) as caught:
        await place.builds(**limits).ensure(place.source(files), lambda _: None)

    assert time.monotonic() - begun < 40
    assert code == caught.value.code
    assert re.search(r"\d", caught.value.message)
    assert caught.value.hint
    await until(place.gone, "nothing left")


@pytest.mark.req("P18")
async def test_a_busy_build_gets_its_share(place: Site) -> None:
    """A step that computes for ever gets the CPU a build may have, and no more."""
    busy = "import time; end = time.time() + 3\\nwhile time.time() < end: pass\\nprint('used', time.process_time())"
    seen: list[BuildEvent] = []
    step = f'RUN printf "{busy}" | python3'
    await place.builds(cpus=0.2).ensure(place.source(_dockerfile(step)), seen.append)
    used = next(float(found[1]) for event in seen if (found := re.search(r"used ([\d.]+)$", event.message)))

    assert used < 1.5  # of 3 s; the limit is written some 20 ms after the step began


async def test_nothing_of_the_hub_reaches_a_build(place: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's environment is in no container of a build, no image, no file, and not in what the build prints."""
    canary = "canary-7f3a9c"
    monkeypatch.setenv("JUPYTERHUB_CRYPT_KEY", canary)
    builds, source = place.builds(), place.source(_dockerfile("RUN env; sleep 1"))
    seen: list[BuildEvent] = []
    task = _asks(builds, source, seen)
    await _reach(builds, BuildState.BUILDING)
    containers = await place.engine.containers.list({"versatilehub.hub": place.engine.hub})
    records = [str((await place.engine.containers.inspect(one.id)).raw) for one in containers]
    found = await task
    records.append(str(await place.engine.images.inspect(found.image_id)))
    records += [
        path.read_text(errors="replace") for path in place.settings.state_dir.rglob("*") if path.is_file()
    ]

    assert {"fetch", "render", "build"} == {one.labels["versatilehub.role"] for one in containers}
    assert not [record for record in records if canary in record]
    assert canary not in "".join(event.message for event in seen)


async def test_build_containers_are_walled_in(place: Site) -> None:
    """Every container drops its capabilities and has a read-only root; only build has the socket, only fetch a network."""
    builds, source = place.builds(), place.source(_dockerfile("RUN sleep 2"))
    task = _asks(builds, source, [])
    await _reach(builds, BuildState.BUILDING)
    found = {}
    for one in await place.engine.containers.list({"versatilehub.hub": place.engine.hub}):
        found[one.labels["versatilehub.role"]] = (await place.engine.containers.inspect(one.id)).raw[
            "HostConfig"
        ]
    await task

    assert {"fetch", "render", "build"} == set(found)
    for host in found.values():
        assert (["ALL"], True, ["no-new-privileges:true"]) == (
            host["CapDrop"],
            host["ReadonlyRootfs"],
            host["SecurityOpt"],
        )
        assert 0 < host["Memory"] == host["MemorySwap"]
        assert host["PidsLimit"] > 0
    assert ["build"] == [role for role, host in found.items() if "docker.sock" in str(host["Mounts"])]
    assert {"render": "none", "build": "none"} == {
        role: found[role]["NetworkMode"] for role in ("render", "build")
    }


async def test_an_engine_that_is_away_is_said_so(place: Site) -> None:
    """Without an engine, asking for a build is `EngineUnavailable`, not a failed build."""
    from versatilehub.builds.jobs import Builds
    from versatilehub.errors import EngineUnavailable

    engine = Engine(hub="away", url="unix:///nonexistent/docker.sock")
    builds = Builds(engine, place.settings, place.store)
    with pytest.raises(EngineUnavailable):
        await builds.ensure(place.source(GOOD), lambda _: None)
    await builds.close()
    await engine.close()


async def test_many_watchers_need_no_thread_each(place: Site) -> None:
    """A hundred watchers add no more threads than the loop's own pool of readers has."""
    builds, source = place.builds(), place.source(_dockerfile("RUN sleep 1"))
    tasks = [_asks(builds, source, []) for _ in range(100)]
    await _reach(builds, BuildState.BUILDING)

    assert threading.active_count() < 50
    await asyncio.gather(*tasks)
