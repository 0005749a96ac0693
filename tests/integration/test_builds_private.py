"""Builds of private repositories on a real engine: the login is asked for when the fetch needs it, by whichever hub is there."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from tests.buildsite import GOOD, Site, site, until
from tests.gitserver import Behaviour
from versatilehub.builds.attempt import Wish
from versatilehub.builds.jobs import Builds
from versatilehub.errors import BuildFailed
from versatilehub.logins import Login
from versatilehub.sources import ResolvedSource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.plugins.leftovers import SessionLabel
    from versatilehub.builds.container import Logins

BUILDER = os.environ.get("VERSATILEHUB_TEST_BUILDER", "versatilehub/builder:latest")
PERSON = ("oauth2", "canary-0815-token")


@pytest.fixture
async def place(tmp_path: Path, session_label: SessionLabel) -> AsyncIterator[Site]:
    """A site with its own hub id and git host."""
    async with site(tmp_path, session_label.labels, builder=BUILDER) as opened:
        yield opened


def _builds(place: Site, logins: Logins) -> Builds:
    made = Builds(place.engine, place.settings, place.store, logins=logins)
    place.opened.append(made)
    return made


def _source(place: Site) -> ResolvedSource:
    repo = place.git.repo("secret", dict(GOOD), behaviour=Behaviour(login=PERSON))
    return ResolvedSource(provider="git", url=f"{place.prefix}secret", commit=repo.head, private=True)


def _login(place: Site) -> Login:
    return Login(origin=place.prefix.rstrip("/"), username=PERSON[0], secret=PERSON[1])


@pytest.mark.req("V28", "T18")
async def test_the_next_hub_hands_the_login_over(place: Site) -> None:
    """A hub that goes while the fetch waits for a login leaves it to the next, which looks it up anew; no record holds it."""
    asked: list[tuple[str, str]] = []

    async def never(name: str, url: str) -> Login | None:
        asked.append((name, url))
        await asyncio.Event().wait()
        return None

    async def stored(name: str, url: str) -> Login | None:
        asked.append((name, url))
        return _login(place)

    source, wish = _source(place), Wish(user="ada", reader="ada")
    first = _builds(place, never)
    task = asyncio.create_task(first.ensure(source, lambda _: None, wish))
    await until(lambda: asked, "the first hub asked for the login")
    await first.close()
    await asyncio.gather(task, return_exceptions=True)

    found = await asyncio.wait_for(_builds(place, stored).ensure(source, lambda _: None, wish), 60)
    assert found.commit == source.commit
    assert [("ada", source.url)] * 2 == asked
    for path in place.settings.state_dir.rglob("*"):
        assert not path.is_file() or PERSON[1].encode() not in path.read_bytes()


@pytest.mark.req("P20")
async def test_a_login_that_is_gone_by_then(place: Site) -> None:
    """A login deleted between the start and the fetch ends the build with what is missing, at once."""

    async def gone(_name: str, _url: str) -> Login | None:
        return None

    with pytest.raises(BuildFailed) as caught:
        await _builds(place, gone).ensure(_source(place), lambda _: None, Wish(user="ada", reader="ada"))
    assert ("source_not_readable", True) == (caught.value.code, "Git access" in caught.value.hint)
    await until(place.gone, "nothing left")
