"""A registry beside the engine: pushed and pulled by digest, and what happens when it refuses, is away, lies or is silent."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.buildsite import GOOD, remove_all
from tests.buildsite import site as build_site
from tests.manyimages import make_image
from tests.registryserver import PASSWORD, USER, RegistryServer
from versatilehub.builds.attempt import Wish
from versatilehub.builds.events import BuildEvent, BuildState
from versatilehub.engine import Engine, Transfer
from versatilehub.errors import (
    BuildFailed,
    NotInRegistry,
    Refusal,
    RegistryFailure,
    RegistryRefused,
    RegistryUnavailable,
)
from versatilehub.images.book import ImageBook
from versatilehub.images.credentials import Credentials
from versatilehub.images.registry import Registry, RegistrySettings
from versatilehub.naming import ImageName
from versatilehub.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.plugins.leftovers import SessionLabel

IDENTITY = "d" * 64
BUILT = time.time() - 3600


class Site:
    """A hub with a registry; `registry` makes one as an administrator set it."""

    def __init__(self, folder: Path, server: RegistryServer, labels: dict[str, str]) -> None:
        self.folder, self.server = folder, server
        self.engine = Engine(hub=f"t{secrets.token_hex(4)}", labels=labels)
        self.store = Store(f"sqlite:///{folder}/store.sqlite")
        self.book = ImageBook(self.store)
        self.name = ImageName(repository=f"vh-build/{self.engine.hub}", tag="abc-1")
        self.repository = f"{server.address}/site/{self.name.repository}"
        self.said: list[str] = []

    def registry(
        self, *, password: str = PASSWORD, book: ImageBook | None = None, **settings: Any
    ) -> Registry:
        """Return the registry with these settings."""
        path = self.folder / f"auth-{secrets.token_hex(2)}.json"
        login = {"username": USER, "password": password}
        path.write_text(json.dumps({"auths": {self.server.address: login}}))
        settings = {"prefix": f"{self.server.address}/site", "transfer": 30.0, "idle": 20.0, **settings}
        made = RegistrySettings(**settings)
        return Registry(self.engine, made, credentials=Credentials(path), book=book or self.book)

    async def image(self, *, digest: str = IDENTITY, layer: str = "") -> str:
        """Make a built image of that name."""
        return await make_image(
            self.engine, str(self.name), built=BUILT, layer=layer or self.engine.hub, digest=digest
        )

    async def publish(self, registry: Registry, image: str, *more: str) -> str:
        """Push it."""
        return await registry.publish(self.name, IDENTITY, image, more, self.said.append)

    async def names(self) -> set[str]:
        """Return every name the hub's images have here, digests too."""
        images = await self.engine.images.list({"versatilehub.hub": self.engine.hub})
        return {name for one in images for name in (*one.tags, *one.digests)}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """The registry of this module."""
    made = RegistryServer(tmp_path_factory.mktemp("registry")).start()
    yield made
    made.stop()


@pytest.fixture
async def site(tmp_path: Path, server: RegistryServer, session_label: SessionLabel) -> AsyncIterator[Site]:
    """A hub beside it."""
    made = Site(tmp_path, server, session_label.labels)
    yield made
    await remove_all(made.engine)
    await made.engine.close()
    made.store.close()


@pytest.mark.req("S1", "S6")
async def test_pushed_and_pulled_again(site: Site) -> None:
    """After a push the image can go and comes back by its digest, with its label; here no name of the registry stays."""
    image = await site.image()
    digest = await site.publish(site.registry(), image, "2026-11-26-abc1234", "latest")

    assert digest.startswith("sha256:")
    assert ["2026-11-26-abc1234", "abc-1", "latest"] == site.server.tags(f"site/{site.name.repository}")
    assert {str(site.name)} == await site.names()

    await site.engine.images.remove(str(site.name))
    assert await site.registry().fetch(site.name, IDENTITY, site.said.append)
    assert image == (await site.engine.images.inspect(str(site.name))).id
    assert f"{site.repository}@{digest}" in await site.names()
    assert digest == ((await site.book.publication(IDENTITY)) or pytest.fail("not on record")).digest


@pytest.mark.req("S6")
async def test_another_machine_finds_it_by_its_tag(site: Site, tmp_path: Path) -> None:
    """A hub that did not push asks the tag for its digest; many who ask at once cause one pull."""
    image = await site.image()
    await site.publish(site.registry(), image)
    await site.engine.images.remove(str(site.name))
    store = Store(f"sqlite:///{tmp_path}/other.sqlite")
    registry = site.registry(book=ImageBook(store))
    found = await asyncio.gather(*(registry.fetch(site.name, IDENTITY, site.said.append) for _ in range(5)))
    store.close()

    assert [True] * 5 == found
    assert image == (await site.engine.images.inspect(str(site.name))).id


@pytest.mark.req("S6")
async def test_a_wrong_password(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """A refused login is an error of its own that names no password; nothing is half tagged, the local image is as it was."""
    caplog.set_level(logging.DEBUG)
    image = await site.image()
    with pytest.raises(RegistryRefused, match="refuses") as caught:
        await site.publish(site.registry(password="wrong-password-9", required=True), image)
    lenient = await site.publish(site.registry(password="wrong-password-9"), image)

    assert "password" in caught.value.hint
    assert "" == lenient
    assert site.said[-1].startswith("Not pushed, the image on this machine is used")
    assert {str(site.name)} == await site.names()
    assert [] == site.server.tags(f"site/{site.name.repository}")
    assert "wrong-password-9" not in caplog.text + str(caught.value.to_json()) + "".join(site.said)
    assert not await site.registry(password="wrong-password-9").fetch(site.name, IDENTITY, site.said.append)


@pytest.mark.req("S6", "S7")
async def test_a_registry_that_is_away(site: Site) -> None:
    """While the registry is away nothing is pushed or pulled, that is said, and the image on this machine is used."""
    image = await site.image()
    site.server.stop()
    try:
        assert "" == await site.publish(site.registry(), image)
        assert not await site.registry().fetch(site.name, IDENTITY, site.said.append)
        with pytest.raises(RegistryUnavailable):
            await site.publish(site.registry(required=True), image)
    finally:
        site.server.start()

    assert all("on this machine" in said or "built here" in said for said in site.said)
    assert {str(site.name)} == await site.names()


@pytest.mark.req("S6")
async def test_a_registry_that_is_silent(site: Site) -> None:
    """A registry that takes the connection and says nothing is given up after the time set for it."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        prefix = f"127.0.0.1:{deaf.getsockname()[1]}/site"
        registry = site.registry(prefix=prefix, question=1.0, transfer=1.0, idle=1.0)
        assert not await registry.fetch(site.name, IDENTITY, site.said.append)
        with pytest.raises(RegistryUnavailable):
            await registry.pull(f"{prefix}/x:1", lambda _: None)


@pytest.mark.req("S6")
async def test_another_image_under_the_name_is_not_used(site: Site, tmp_path: Path) -> None:
    """What the registry has under the name is used only if its label says it is that environment."""
    image = await site.image(digest="e" * 64)
    await site.publish(site.registry(), image)
    await site.engine.images.remove(str(site.name))
    store = Store(f"sqlite:///{tmp_path}/other.sqlite")

    assert not await site.registry(book=ImageBook(store)).fetch(site.name, IDENTITY, site.said.append)
    store.close()
    assert "is another image" in site.said[-1]
    assert set() == await site.names()


@pytest.mark.req("S2")
async def test_a_published_tag_keeps_its_content(site: Site) -> None:
    """A rebuild is pushed beside what was pushed before, `-2`; what a tag meant it still means, and the newest is what is pulled."""
    first = await site.image(layer=f"{site.engine.hub}a")
    old = await site.publish(site.registry(), first, "2026-11-26-abc1234")
    second = await site.image(layer=f"{site.engine.hub}b")
    new = await site.publish(site.registry(), second, "2026-11-26-abc1234")

    assert ["2026-11-26-abc1234", "2026-11-26-abc1234-2", "abc-1", "abc-1-2"] == site.server.tags(
        f"site/{site.name.repository}"
    )
    login = await Credentials(next(site.folder.glob("auth-*"))).of(site.server.address)
    for tag, digest in (("abc-1", old), ("abc-1-2", new)):
        assert digest == await site.engine.registries.digest(f"{site.repository}:{tag}", login)
    await site.engine.images.remove(str(site.name))
    assert await site.registry().fetch(site.name, IDENTITY, site.said.append)
    assert second == (await site.engine.images.inspect(str(site.name))).id


@pytest.mark.req("S6", "K12")
async def test_an_image_named_directly(site: Site) -> None:
    """It is pulled with its progress, by the digest where one is given; what is not there or not allowed is refused."""
    image = await site.image()
    digest = await site.publish(site.registry(), image)
    await site.engine.images.remove(str(site.name))
    seen: list[Transfer] = []
    registry = site.registry()

    assert image == await registry.pull(f"{site.repository}:abc-1@{digest}", seen.append)
    assert (1, 1) == (seen[-1].done, seen[-1].layers)
    for missing in (f"{site.repository}:none", f"{site.repository}@sha256:{'0' * 64}"):
        with pytest.raises(NotInRegistry):
            await registry.pull(missing, seen.append)
    with pytest.raises(Refusal) as refused:
        await site.registry(allowed=("quay.io/jupyter",)).pull(f"{site.repository}:abc-1", seen.append)
    assert "registry_not_allowed" == refused.value.code


async def test_a_file_of_logins_that_cannot_be_read(site: Site, tmp_path: Path) -> None:
    """What is wrong with the file is told without its content; a registry it does not name is asked without a login."""
    path = tmp_path / "auth.json"
    for content in ("", "[]", "{}", '{"auths": {"h": {"auth": "c2VjcmV0!"}}}', '{"auths": {"h": 7}}'):
        path.write_text(content)
        with pytest.raises(RegistryFailure) as caught:
            await Credentials(path).of("h")
        assert "registry_logins_unreadable" == caught.value.code
    path.write_text('{"auths": {"h": {"auth": "aHViOnBhc3M6d29yZA=="}}}')

    login = await Credentials(path).of("h") or pytest.fail("none")
    assert ("hub", "pass:word") == (login.username, login.password)
    assert "pass:word" not in repr(login)
    assert await Credentials(path).of("elsewhere") is None
    assert await Credentials(None).of("h") is None
    del site


@pytest.mark.req("S1", "S2", "S6", "V26")
async def test_builds_with_a_registry(
    tmp_path: Path, server: RegistryServer, session_label: SessionLabel
) -> None:
    """A build is pushed in a state of its own; once the image is gone it is pulled, not built; a rebuild gets names of its own."""
    async with build_site(tmp_path, session_label.labels, builder="versatilehub/builder:latest") as site:
        path = tmp_path / "auth.json"
        path.write_text(json.dumps({"auths": {server.address: {"username": USER, "password": PASSWORD}}}))
        settings = RegistrySettings(prefix=f"{server.address}/built")
        book = ImageBook(site.store)
        site.registry = Registry(site.engine, settings, credentials=Credentials(path), book=book)
        builds, source, seen = site.builds(), site.source(GOOD), list[BuildEvent]()
        first = await builds.ensure(source, seen.append)
        repository = first.image.rpartition(":")[0]
        tags = server.tags(f"built/{repository}")

        assert [BuildState.PROBING, BuildState.PUSHED, BuildState.READY] == [
            event.state for event in seen if event.kind in {"phase", "done"}
        ][-3:]
        assert "push" in {event.phase for event in seen}
        (dated,) = [tag for tag in tags if tag[:2] == "20"]
        assert sorted([dated, "latest", first.image.rpartition(":")[2]]) == tags

        for tag in (await site.engine.images.inspect(first.image)).tags:
            await site.engine.images.remove(tag)
        seen.clear()
        again = await builds.ensure(source, seen.append)
        assert (first.image_id, "cached") == (again.image_id, seen[-1].outcome)
        assert {"fetch"} == {event.phase for event in seen[:-1]}

        await builds.ensure(source, seen.append, Wish(force=True))
        assert f"{dated}-2" in server.tags(f"built/{repository}")

        path.write_text(json.dumps({"auths": {server.address: {"username": USER, "password": "wrong"}}}))
        site.registry.settings = replace(settings, required=True)
        count = await site.images()
        with pytest.raises(BuildFailed) as caught:
            await builds.ensure(site.source(GOOD, "other"), seen.append)
        assert "registry_refused" == caught.value.code
        assert count == await site.images()
