"""Private repositories on a real git host: whose login git is given, when, and where it is never sent."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.gitserver import Behaviour, GitServer
from versatilehub.errors import SourceFailure, SourceNotReadable
from versatilehub.git import check_readable, resolve
from versatilehub.logins import Login
from versatilehub.sources import Source, SourceRules

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[GitServer]:
    """A git host on this machine."""
    with GitServer() as server:
        yield server


@pytest.fixture
def rules(server: GitServer) -> SourceRules:
    """The rules of a site that allows this git host."""
    return SourceRules(extra=(server.base,))


def source_of(server: GitServer, name: str) -> Source:
    """Return a source of this host."""
    return Source(provider="git", url=server.url(name))


PERSON = ("oauth2", "canary-4711-token")


def _login(server: GitServer, secret: str = PERSON[1]) -> Login:
    return Login(origin=server.base.rstrip("/"), username=PERSON[0], secret=secret)


@pytest.mark.req("V28", "T18")
async def test_private_repository(server: GitServer, rules: SourceRules) -> None:
    """A private repository resolves for the one whose login the host takes, and is marked; a public one is sent none."""
    secret = server.repo("secret", {"a": "1"}, behaviour=Behaviour(login=PERSON))
    public = server.repo("public", {"a": "2"})
    found = await resolve(source_of(server, "secret"), rules, login=_login(server))
    assert (found.commit, found.private) == (secret.head, True)
    await check_readable(server.url("secret"), rules, login=_login(server))

    server.requests.clear()
    found = await resolve(source_of(server, "public"), rules, login=_login(server))
    assert (found.commit, found.private) == (public.head, False)
    assert {""} == {seen.authorization for seen in server.requests}


@pytest.mark.req("P20")
@pytest.mark.parametrize(
    ("secret", "words"),
    [
        pytest.param("", "store a token for 127.0.0.1", id="none"),
        pytest.param("canary-4711-expired", "may have expired", id="refused"),
    ],
)
async def test_private_repository_is_not_readable(
    server: GitServer, rules: SourceRules, secret: str, words: str
) -> None:
    """Without a login, and with one the host refuses, it is said what is missing, and nothing of the login."""
    server.repo("secret", {"a": "1"}, behaviour=Behaviour(login=PERSON))
    with pytest.raises(SourceNotReadable) as caught:
        await resolve(
            source_of(server, "secret"), rules, login=_login(server, secret=secret) if secret else None
        )
    assert words in caught.value.hint
    assert "canary" not in str(caught.value.to_json())


@pytest.mark.req("T18")
async def test_a_login_stays_on_its_host(server: GitServer, rules: SourceRules) -> None:
    """A login of another host, port or scheme is not sent, and a redirect to elsewhere gets none."""
    server.repo("secret", {"a": "1"}, behaviour=Behaviour(login=PERSON))
    with GitServer() as other:
        other.repo("secret", {"a": "1"}, behaviour=Behaviour(login=PERSON))
        both = SourceRules(extra=(*rules.extra, other.base))
        for origin in (
            other.base,
            server.base.replace("http:", "https:"),
            server.base.replace("127.0.0.1", "localhost"),
        ):
            login = replace(_login(server), origin=origin.rstrip("/"))
            with pytest.raises(SourceNotReadable):
                await resolve(source_of(server, "secret"), both, login=login)
        server.behave("secret", Behaviour(redirect=other.url("secret")))
        with pytest.raises(SourceFailure):
            await resolve(source_of(server, "secret"), both, login=_login(server))
    assert {""} == {seen.authorization for seen in (*server.requests, *other.requests)}


@pytest.mark.req("T18")
async def test_a_login_is_no_argument_and_no_variable(server: GitServer, rules: SourceRules) -> None:
    """While git runs with a login, neither command lines nor environments of this machine's processes hold its secret."""
    server.repo("secret", {"a": "1"}, behaviour=Behaviour(login=PERSON, delay=0.3))
    seen: set[str] = set()
    task = asyncio.create_task(resolve(source_of(server, "secret"), rules, login=_login(server)))
    while not task.done():
        for path in Path("/proc").glob("[0-9]*/cmdline"):  # noqa: ASYNC240 - a look at /proc blocks nothing
            with suppress(OSError):
                line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if "git" in line:
                    seen.add(line + path.with_name("environ").read_bytes().decode(errors="replace"))
        await asyncio.sleep(0.01)
    await task
    assert any("credential.http" in one for one in seen)
    assert not [one for one in seen if PERSON[1] in one]
