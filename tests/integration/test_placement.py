"""Repository content brought from a built image into a home volume, on a real engine."""

from __future__ import annotations

import asyncio
import io
import json
import os
import secrets
import sys
import tarfile
import textwrap
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.buildsite import BASE, GOOD, Site, site, until
from versatilehub.builds.probe import Environment
from versatilehub.errors import EngineConflict
from versatilehub.storage.content import KIND, mark_name
from versatilehub.storage.placement import Placed, Placement

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.plugins.leftovers import SessionLabel

BUILDER = os.environ.get("VERSATILEHUB_TEST_BUILDER", "versatilehub/builder:latest")
# Its command and the record of its version, and nothing else: no shell, no library, no account.
SHELL_LESS = f"""
FROM {BASE} AS full
FROM scratch
COPY --from=full /usr/local/bin/jupyterhub-singleuser /usr/local/bin/
COPY --from=full /usr/lib/python3/dist-packages/jupyterhub-6.1.1.dist-info /usr/lib/python3/dist-packages/jupyterhub-6.1.1.dist-info
COPY . /srv/repo/
USER 1234:1235
"""


@pytest.fixture
async def place(tmp_path: Path, session_label: SessionLabel) -> AsyncIterator[Site]:
    """A site with its own hub id and git host."""
    async with site(tmp_path, session_label.labels, builder=BUILDER) as opened:
        yield opened


@pytest.fixture
async def placement(place: Site) -> AsyncIterator[Placement]:
    """A placement of that site."""
    opened = Placement(place.engine, builder=BUILDER)
    yield opened
    await opened.close()


async def _files(opened: Site, volume: str) -> dict[str, int]:
    """Return path → owner of everything in a volume, looked at through a container that never runs."""
    mounts = [{"Type": "volume", "Source": volume, "Target": "/look", "VolumeOptions": {"NoCopy": True}}]
    spec = {"Image": BASE, "Labels": opened.engine.labels("helper"), "HostConfig": {"Mounts": mounts}}
    container = await opened.engine.containers.create(f"{opened.engine.hub}-look", spec)
    content = await opened.engine.containers.get_archive(container, "/look", most=1 << 24)
    await opened.engine.containers.remove(container)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {member.name.removeprefix("look/"): member.uid for member in tar.getmembers()}


async def _contents(opened: Site) -> dict[str, str]:
    """Return the content volumes and marks of the site: name → what a mark points to, "" for content."""
    labels = {"versatilehub.hub": opened.engine.hub, "versatilehub.kind": KIND}
    found = await opened.engine.volumes.list(labels)
    return {one.name: one.labels.get("versatilehub.content", "") for one in found}


async def _volume(opened: Site, server: str = "lab") -> str:
    name = f"vh-{secrets.token_hex(8)}"
    await opened.engine.volumes.create(name, opened.engine.labels("volume", owner="ann", server=server))
    return name


async def test_content_arrives_in_the_home(place: Site, placement: Placement) -> None:
    """The repository's files come into their folder as the server's user, quickly once the content is known."""
    environment = await place.builds().ensure(place.source(GOOD), lambda _: None)
    volume = await _volume(place)
    placed = await placement.place(environment, volume, name="demo")
    begun = time.monotonic()
    again = await placement.place(environment, volume, name="demo")
    took = time.monotonic() - begun

    files = await _files(place, volume)
    assert 1000 == files["demo/a.txt"]
    assert placed.count >= 3
    assert () == again.kept
    assert took < 1.0  # ≤ 0.35 s on a quiet machine, benchmarks say; the suite shares its cores


async def test_content_is_filled_once(place: Site, placement: Placement) -> None:
    """Five servers of one new image at once fill one content volume, which goes when the image goes."""
    environment = await place.builds().ensure(place.source(GOOD), lambda _: None)
    names = [await _volume(place, f"s{number}") for number in range(5)]
    await asyncio.gather(*(placement.place(environment, name, name="demo") for name in names))

    assert 1 == list((await _contents(place)).values()).count("")
    await placement.close()
    await placement.forget(environment)
    assert {} == await _contents(place)


async def test_an_image_without_content_places_nothing(placement: Placement) -> None:
    """An image with no /srv/repo costs no container."""
    placed = await placement.place(Environment(image="x", image_id="sha256:0"), "v", name="x")

    assert Placed() == placed


async def test_content_in_use_stays(place: Site, placement: Placement) -> None:
    """The content volume is not taken away while a container has it."""
    environment = await place.builds().ensure(place.source(GOOD), lambda _: None)
    await placement.place(environment, await _volume(place), name="demo")
    content = next(name for name, points_to in (await _contents(place)).items() if not points_to)
    mounts = [{"Type": "volume", "Source": content, "Target": "/x"}]
    spec = {"Image": BASE, "Labels": place.engine.labels("helper"), "HostConfig": {"Mounts": mounts}}
    await place.engine.containers.create(f"{place.engine.hub}-holds", spec)

    with pytest.raises(EngineConflict):
        await placement.forget(environment)


@pytest.mark.req("V49")
async def test_an_image_without_a_shell(place: Site, placement: Placement) -> None:
    """Nothing of the image has to run: one of a single file is looked at, and its content placed for a read-only server."""
    environment = await place.builds().ensure(
        place.source({"Dockerfile": SHELL_LESS, "a.txt": "a"}), lambda _: None
    )
    assert ("6.1.1", "1234:1235", "/srv/repo") == (
        environment.version,
        environment.user,
        environment.repo_dir,
    )
    volume = await _volume(place)
    mounts = [{"Type": "volume", "Source": volume, "Target": environment.home}]
    server = {
        "Image": environment.image_id,
        "Entrypoint": ["/none"],
        "Labels": place.engine.labels("helper"),
        "HostConfig": {"Mounts": mounts, "ReadonlyRootfs": True},
    }
    await place.engine.containers.create(f"{place.engine.hub}-server", server)
    await placement.place(environment, volume, name="demo")

    assert 1234 == (await _files(place, volume))["demo/a.txt"]


async def _lose_the_mark(opened: Site, mark: str) -> None:
    """Leave what a hub or engine leaves that is killed while content is copied: a volume of ours with a part of it."""
    content = (await _contents(opened))[mark]
    await opened.engine.volumes.remove(mark)
    await opened.engine.volumes.remove(content)
    await opened.engine.volumes.create(f"{mark}-half", opened.engine.labels(KIND))


async def _lose_the_content(opened: Site, mark: str) -> None:
    """Leave a mark without content, as a clean-up of unused volumes may."""
    await opened.engine.volumes.remove((await _contents(opened))[mark])


async def _empty_the_content(opened: Site, mark: str) -> None:
    """Leave an empty volume of the content's name, as Docker makes one for a container that asks for it."""
    content = (await _contents(opened))[mark]
    await opened.engine.volumes.remove(content)
    await opened.engine.volumes.create(content, {})


@pytest.mark.parametrize("lose", [_lose_the_mark, _lose_the_content, _empty_the_content])
async def test_content_that_is_not_whole_is_never_trusted(
    place: Site, placement: Placement, lose: Any
) -> None:
    """Without its mark, or not made by us, content is filled anew, by this hub and the next: no file is taken for removed."""
    environment = await place.builds().ensure(place.source(GOOD), lambda _: None)
    await placement.place(environment, await _volume(place), name="demo")
    for name, hub in (("same", placement), ("next", Placement(place.engine, builder=BUILDER))):
        await placement.close()
        await lose(place, mark_name(place.engine.hub, environment.image_id))
        volume = await _volume(place, name)
        placed = await hub.place(environment, volume, name="demo")
        await hub.close()

        assert placed.count >= 3
        assert "demo/a.txt" in await _files(place, volume)


FILES = 1500
KILLED = """
    import asyncio, json, sys
    from versatilehub.builds.probe import Environment
    from versatilehub.engine import Engine
    from versatilehub.storage.placement import Placement

    async def main(hub, labels, image, volume, builder):
        environment = Environment(image="", image_id=image, user="1000:100", repo_dir="/srv/repo", commit="c")
        await Placement(Engine(hub=hub, labels=labels), builder=builder).place(environment, volume, name="demo")

    asyncio.run(main(*json.loads(sys.argv[1])))
"""


async def test_a_hub_killed_while_content_is_copied(place: Site, placement: Placement) -> None:
    """A hub that ends within the copy leaves nothing the next one takes for the content: all files arrive."""
    many = f'RUN python3 -c \'for n in range({FILES}): open(f"/srv/repo/{{n}}", "w").write("x")\''
    environment = await place.builds().ensure(
        place.source({"Dockerfile": f"{GOOD['Dockerfile']}USER 0\n{many}\nUSER 1000:100\n", "a": "1"}),
        lambda _: None,
    )
    volume = await _volume(place)
    arguments = [place.engine.hub, place.engine.extra_labels, environment.image_id, volume, BUILDER]
    hub = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(KILLED), json.dumps(arguments)
    )
    await until(lambda: _contents(place), "a content volume that is being filled")
    hub.kill()
    await hub.wait()
    assert {""} == set((await _contents(place)).values()), "killed too late: there is a mark"
    placed = await placement.place(environment, volume, name="demo")

    assert placed.count >= FILES
    assert FILES <= len(await _files(place, volume))
