"""A ref becomes a commit by asking a real git host with a real git, and every failure has its type."""

from __future__ import annotations

import asyncio
import math
import os
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.certificates import make_certificate
from tests.gitrepos import make_repo
from tests.gitserver import Behaviour, GitServer
from versatilehub.errors import (
    InvalidSource,
    RefAmbiguous,
    RefNotFound,
    Refusal,
    SourceFailure,
    SourceMoved,
    SourceNotReadable,
    SourceTooSlow,
    SourceUnreachable,
)
from versatilehub.git import GitLimits, list_refs, resolve
from versatilehub.git_hosts import public_addresses
from versatilehub.sources import Source, SourceRules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.gitserver import Repo

QUICK = GitLimits(total=10, stall=1)


@pytest.fixture
def server() -> Iterator[GitServer]:
    """A git host on this machine."""
    with GitServer() as server:
        yield server


@pytest.fixture
def rules(server: GitServer) -> SourceRules:
    """The rules of a site that allows this git host."""
    return SourceRules(extra=(server.base,))


@pytest.fixture
def repo(server: GitServer) -> Repo:
    """A repository with every kind of ref."""
    repo = server.repo("org/repo", {"a": "1"}, branches={"aaa/main": {"a": "2"}, "feature/x": {"a": "3"}})
    repo.tag("light")
    repo.tag("annotated", "aaa/main", message="A release")
    repo.tag("both", "aaa/main")
    repo.set_ref("refs/heads/both", repo.head)
    repo.set_ref("refs/pull/1/head", repo.git("rev-parse", "feature/x"))
    return repo


def source_of(server: GitServer, name: str = "org/repo", ref: str = "", path: str = "") -> Source:
    """What a person's link to the repository *name* is read as."""
    return Source(provider="git", url=server.url(name), ref=ref, open=path)


@pytest.mark.parametrize(
    ("ref", "commit_of"),
    [
        pytest.param("", "main", id="default branch"),
        pytest.param("HEAD", "main", id="HEAD"),
        pytest.param("main", "main", id="main beside aaa/main"),
        pytest.param("aaa/main", "aaa/main", id="aaa/main beside main"),
        pytest.param("refs/heads/main", "main", id="full name"),
        pytest.param("refs/pull/1/head", "feature/x", id="pull request"),
        pytest.param("light", "main", id="lightweight tag"),
        pytest.param("annotated", "aaa/main", id="annotated tag"),
        pytest.param("refs/tags/annotated", "aaa/main", id="annotated tag by its full name"),
        pytest.param("refs/tags/both", "aaa/main", id="tag beside a branch"),
    ],
)
async def test_ref(server: GitServer, rules: SourceRules, repo: Repo, ref: str, commit_of: str) -> None:
    """Every way to write a ref gives the commit that git itself has for it, with one request."""
    resolved = await resolve(source_of(server, ref=ref), rules)
    assert resolved.commit == repo.git("rev-parse", f"refs/heads/{commit_of}^{{commit}}")
    assert (resolved.provider, resolved.url) == ("git", server.url("org/repo"))
    assert len(server.requests) == 1


@pytest.mark.parametrize("branch", ["master", "trunk", "über/größe", "HEADS", "a" * 100])
async def test_default_branch_of_any_name(server: GitServer, rules: SourceRules, branch: str) -> None:
    """The default branch is what HEAD points to, whatever its name."""
    repo = server.repo("any", {"a": "1"}, branch=branch, branches={"other": {"a": "2"}})
    assert (await resolve(source_of(server, "any"), rules)).commit == repo.head


async def test_detached_head(server: GitServer, rules: SourceRules, repo: Repo) -> None:
    """A HEAD that is a commit resolves to it."""
    commit = repo.git("rev-parse", "aaa/main")
    repo.detach(commit)
    assert (await resolve(source_of(server), rules)).commit == commit


@pytest.mark.parametrize("spelling", [str.lower, str.upper, str.title], ids=["lower", "upper", "mixed"])
async def test_commit_id(
    server: GitServer, rules: SourceRules, repo: Repo, spelling: Callable[[str], str]
) -> None:
    """A commit of 40 hex digits in any case is that commit."""
    assert (await resolve(source_of(server, ref=spelling(repo.head)), rules)).commit == repo.head


async def test_commit_id_of_an_unreadable_repository(server: GitServer, rules: SourceRules) -> None:
    """A full commit id does not spare the question whether the repository can be read."""
    with pytest.raises(SourceNotReadable):
        await resolve(source_of(server, "missing", ref="a" * 40), rules)


async def test_sha256_repository(server: GitServer, rules: SourceRules) -> None:
    """A repository with 64-digit commit ids works by name and by id."""
    repo = server.repo("new", {"a": "1"}, sha256=True)
    assert (await resolve(source_of(server, "new"), rules)).commit == repo.head
    assert (await resolve(source_of(server, "new", ref=repo.head.upper()), rules)).commit == repo.head


@pytest.mark.usefixtures("repo")
async def test_pasted_branch_with_a_slash(server: GitServer, rules: SourceRules) -> None:
    """``/tree/feature/x/notes/a.ipynb`` finds the branch ``feature/x`` and opens the rest."""
    resolved = await resolve(source_of(server, ref="feature", path="x/notes/a.ipynb"), rules)
    assert (resolved.ref, resolved.open) == ("feature/x", "notes/a.ipynb")


@pytest.mark.usefixtures("repo")
@pytest.mark.req("V2")
async def test_misspelt_ref(server: GitServer, rules: SourceRules) -> None:
    """A misspelt branch is answered with the right one."""
    with pytest.raises(RefNotFound, match=r"No branch or tag `mian`; there is `main`\."):
        await resolve(source_of(server, ref="mian"), rules)


async def test_41_digits(server: GitServer, rules: SourceRules, repo: Repo) -> None:
    """A commit id with a digit too many is no commit."""
    with pytest.raises(RefNotFound):
        await resolve(source_of(server, ref=repo.head + "0"), rules)


@pytest.mark.usefixtures("repo")
async def test_branch_and_tag_of_one_name(server: GitServer, rules: SourceRules) -> None:
    """One name for two commits is an error, never a guess."""
    with pytest.raises(RefAmbiguous):
        await resolve(source_of(server, ref="both"), rules)


async def test_empty_repository(server: GitServer, rules: SourceRules) -> None:
    """A repository without a commit says so."""
    server.repo("empty")
    with pytest.raises(RefNotFound, match="repository is empty"):
        await resolve(source_of(server, "empty"), rules)


@pytest.mark.usefixtures("repo")
@pytest.mark.parametrize("ref", ["-x", "--upload-pack=touch /tmp/x", "main --all", "HEAD~1", "a\nb"])
async def test_hostile_ref(server: GitServer, rules: SourceRules, ref: str) -> None:
    """A ref that is an option or an expression is refused before git runs."""
    with pytest.raises(InvalidSource):
        await resolve(source_of(server, ref=ref), rules)
    assert server.requests == []


async def test_url_outside_the_rules(server: GitServer) -> None:
    """A host no rule allows is refused before git runs."""
    with pytest.raises(InvalidSource):
        await resolve(source_of(server), SourceRules())
    assert server.requests == []


@pytest.mark.req("P20")
@pytest.mark.parametrize(
    ("behaviour", "error", "code"),
    [
        pytest.param(
            Behaviour(login=("me", "secret")), SourceNotReadable, "source_not_readable", id="private"
        ),
        pytest.param(Behaviour(status=401), SourceNotReadable, "source_not_readable", id="401"),
        pytest.param(Behaviour(status=403), SourceNotReadable, "source_not_readable", id="403"),
        pytest.param(Behaviour(status=404), SourceNotReadable, "source_not_readable", id="404"),
        pytest.param(Behaviour(status=410), SourceNotReadable, "source_not_readable", id="410"),
        pytest.param(Behaviour(status=429), SourceUnreachable, "source_rate_limited", id="429"),
        pytest.param(Behaviour(status=500), SourceUnreachable, "source_unreachable", id="500"),
        pytest.param(Behaviour(status=503), SourceUnreachable, "source_unreachable", id="503"),
        pytest.param(Behaviour(garbage=b"<html>"), SourceNotReadable, "source_not_git", id="web page"),
    ],
)
async def test_host_that_says_no(
    server: GitServer, rules: SourceRules, behaviour: Behaviour, error: type[SourceFailure], code: str
) -> None:
    """What the host answers becomes a failure that names the host and says what to do."""
    server.repo("bad", {"a": "1"}, behaviour=behaviour)
    with pytest.raises(error) as caught:
        await resolve(source_of(server, "bad"), rules)
    assert type(caught.value) is error
    assert (caught.value.code, caught.value.field) == (code, "source")
    assert "127.0.0.1" in caught.value.message
    assert caught.value.hint


async def test_redirect_is_not_followed(server: GitServer, rules: SourceRules) -> None:
    """A redirect to another port is refused, and nothing is sent there."""
    with GitServer() as inside:
        inside.repo("secret", {"a": "1"})
        to_inside = Behaviour(redirect=inside.url("secret"))
        server.behave("moved", to_inside)
        server.behave("moved.git", to_inside)
        with pytest.raises(SourceMoved, match="redirects to another address"):
            await resolve(source_of(server, "moved"), rules)
        assert inside.requests == []


async def test_forge_that_wants_the_suffix(server: GitServer, rules: SourceRules) -> None:
    """A forge that redirects to the URL with ".git" is asked again there, and the result says so."""
    repo = server.repo("g/p.git", {"a": "1"}, branches={"x": {"b": "1"}})
    server.behave("g/p", redirect=server.url("g/p.git"))
    resolved = await resolve(source_of(server, "g/p"), rules)
    assert (resolved.commit, resolved.url) == (repo.head, server.url("g/p.git"))
    server.requests.clear()
    await resolve(replace(source_of(server, "g/p"), provider="gitlab"), rules)
    assert len(server.requests) == 1


async def test_record_of_an_archive() -> None:
    """A DOI is no git repository, and is told so."""
    source = Source(provider="zenodo", url="https://zenodo.org/records/3242074")
    with pytest.raises(InvalidSource, match="record of an archive"):
        await resolve(source, SourceRules())


async def test_connection_refused() -> None:
    """A port nobody listens on is an unreachable host."""
    with GitServer() as gone:
        base = gone.base
    with pytest.raises(SourceUnreachable, match="does not accept connections"):
        await resolve(Source(provider="git", url=base + "x"), SourceRules(extra=(base,)))


@pytest.mark.parametrize("extra", [(), ("https://no-such-host.example.org/",)], ids=["public", "site's own"])
async def test_unknown_host(extra: tuple[str, ...]) -> None:
    """A host name without an address is an unreachable host."""
    source = Source(provider="git", url="https://no-such-host.example.org/x")
    with pytest.raises(SourceUnreachable, match=r"no address of `?no-such-host"):
        await resolve(source, SourceRules(extra=extra))


async def test_host_inside_the_site() -> None:
    """A name that means an address of the site's own network is refused."""
    with pytest.raises(Refusal) as caught:
        await public_addresses("localhost", 443)
    assert caught.value.code == "host_not_public"


async def test_certificate(tmp_path: Path) -> None:
    """A self-signed certificate is refused, unless it is in the site's bundle."""
    certificate = make_certificate(tmp_path, "127.0.0.1")
    with GitServer(certificate=certificate) as server:
        repo = server.repo("a", {"a": "1"})
        source, rules = source_of(server, "a"), SourceRules(extra=(server.base,))
        with pytest.raises(SourceUnreachable) as caught:
            await resolve(source, rules)
        assert caught.value.code == "source_untrusted"
        assert (await resolve(source, rules, ca_bundle=certificate)).commit == repo.head


async def test_broken_tls(server: GitServer) -> None:
    """A host that does not speak TLS on an https URL is named as such."""
    base = server.base.replace("http:", "https:")
    with pytest.raises(SourceUnreachable) as caught:
        await resolve(Source(provider="git", url=base + "x"), SourceRules(extra=(base,)))
    assert caught.value.code == "source_untrusted"


@pytest.mark.parametrize(
    ("behaviour", "limits", "longest"),
    [
        pytest.param(Behaviour(trickle=0.05), QUICK, 6, id="trickles"),
        pytest.param(Behaviour(delay=math.inf), QUICK, 6, id="hangs"),
        pytest.param(Behaviour(delay=math.inf), GitLimits(total=0.3), 2, id="hangs, total limit"),
        pytest.param(Behaviour(trickle=0.0005), GitLimits(total=0.3), 2, id="moves on for ever, total limit"),
    ],
)
async def test_slow_host(
    server: GitServer, rules: SourceRules, behaviour: Behaviour, limits: GitLimits, longest: float
) -> None:
    """A host that trickles or hangs is given up in time, and no process of git is left."""
    server.repo("slow", {"a": "1"}, behaviour=behaviour).add_many_refs("refs/heads/b{}", 2000)
    started = time.monotonic()
    with pytest.raises(SourceTooSlow):
        await resolve(source_of(server, "slow"), rules, limits)
    assert time.monotonic() - started < longest
    await until(lambda: not processes(server.url("slow")))


async def test_cancel_kills_git(server: GitServer, rules: SourceRules) -> None:
    """Who stops waiting leaves neither git nor its helper behind."""
    server.behave("hang", delay=math.inf)
    waiting = asyncio.ensure_future(resolve(source_of(server, "hang"), rules))
    await until(lambda: len(processes(server.url("hang"))) >= 2)
    running = processes(server.url("hang"))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await until(lambda: not any(is_alive(pid) for pid in running))


@pytest.mark.parametrize("turns", range(6))
async def test_cancel_while_git_starts(server: GitServer, rules: SourceRules, turns: int) -> None:
    """A cancel at any moment of the start leaves no process either."""
    server.behave("hang", delay=math.inf)
    waiting = asyncio.ensure_future(resolve(source_of(server, "hang"), rules))
    for _ in range(turns):
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await until(lambda: not processes(server.url("hang")))


async def test_git_sees_nothing_of_the_hub(
    server: GitServer, rules: SourceRules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither git nor its helper gets a variable of the hub's environment."""
    monkeypatch.setenv("CONFIGPROXY_AUTH_TOKEN", "canary-of-the-hub")
    monkeypatch.setenv("GIT_SSL_NO_VERIFY", "1")
    server.behave("hang", delay=math.inf)
    waiting = asyncio.ensure_future(resolve(source_of(server, "hang"), rules))
    await until(lambda: bool(server.requests))
    seen = environments(server.url("hang"))
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert len(seen) >= 2
    for environment in seen:
        assert b"canary" not in environment
        assert b"NO_VERIFY" not in environment
        assert b"GIT_ALLOW_PROTOCOL=https:http\0" in environment


async def test_configuration_where_the_hub_runs(
    server: GitServer, rules: SourceRules, repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repository in the hub's working directory does not change what git asks."""
    elsewhere = f'[url "http://127.0.0.1:1/"]\n\tinsteadOf = {server.base}\n'
    make_repo(tmp_path / ".git").folder.joinpath("config").write_text(elsewhere)
    monkeypatch.chdir(tmp_path)
    assert (await resolve(source_of(server), rules)).commit == repo.head


async def test_too_many_refs(server: GitServer, rules: SourceRules) -> None:
    """A list of refs above the limit is given up, and no process of git is left."""
    server.repo("huge", {"a": "1"}).add_many_refs("refs/heads/branch-{}", 10_000)
    with pytest.raises(SourceFailure) as caught:
        await resolve(source_of(server, "huge"), rules, GitLimits(output=100_000))
    assert caught.value.code == "source_too_large"
    await until(lambda: not processes(server.url("huge")))


async def test_refs_without_end(server: GitServer, rules: SourceRules) -> None:
    """Git itself gets no more memory for what a host sends than is good: 8 s of it took 2.5 GB."""
    rows = (f"{number:040x} refs/heads/{number:012x}\n" for number in range(1_000_000))
    garbage = "001e# service=git-upload-pack\n0000" + "".join(f"{len(row) + 4:04x}{row}" for row in rows)
    server.repo("endless", {"a": "1"})
    server.behave("endless", Behaviour(garbage=garbage.encode()))
    with pytest.raises(SourceFailure) as caught:
        await resolve(source_of(server, "endless"), rules, GitLimits(memory=128 * 2**20))
    assert caught.value.code == "source_too_large"
    await until(lambda: not processes(server.url("endless")))


async def test_many_refs(server: GitServer, rules: SourceRules) -> None:
    """A repository with very many refs resolves, and near matches are still found."""
    repo = server.repo("many", {"a": "1"})
    repo.add_many_refs("refs/pull/{}/head", 20_000)
    assert (await resolve(source_of(server, "many", ref="refs/pull/19999/head"), rules)).commit == repo.head
    with pytest.raises(RefNotFound, match="there is `main`"):
        await resolve(source_of(server, "many", ref="mian"), rules)


@pytest.mark.usefixtures("repo")
async def test_wrong_ref_is_answered_at_once(server: GitServer, rules: SourceRules) -> None:
    """A wrong ref costs one request and at most 0.1 s beside what the host itself takes."""
    overheads = []
    address = server.url("org/repo") + "/info/refs?service=git-upload-pack"
    for _ in range(5):
        host = time.monotonic()
        await asyncio.to_thread(urllib.request.urlopen, address)
        host = time.monotonic() - host
        server.requests.clear()
        ours = time.monotonic()
        with pytest.raises(RefNotFound):
            await resolve(source_of(server, ref="mian"), rules)
        overheads.append(time.monotonic() - ours - host)
        assert len(server.requests) == 1
    assert min(overheads) <= 0.1


@pytest.mark.usefixtures("repo")
async def test_many_at_once(server: GitServer, rules: SourceRules) -> None:
    """Twenty questions at once are all answered."""
    answers = await asyncio.gather(*(resolve(source_of(server), rules) for _ in range(20)))
    assert len({answer.commit for answer in answers}) == 1


@pytest.mark.usefixtures("repo")
async def test_list_refs(server: GitServer, rules: SourceRules) -> None:
    """All branches and tags can be listed, with the default one."""
    refs = await list_refs(source_of(server), rules)
    assert refs.default == "main"
    assert set(refs.branches) == {"main", "aaa/main", "feature/x", "both"}
    assert set(refs.tags) == {"light", "annotated", "both"}


def processes(url: str) -> list[int]:
    """The processes of git that were given *url*."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_bytes()
            except OSError:
                continue  # it ended while we looked
            if url.encode() in command and int(folder.name) != os.getpid():
                found.append(int(folder.name))
    return found


def environments(url: str) -> list[bytes]:
    """The environment of each process of git that was given *url*."""
    return [Path(f"/proc/{pid}/environ").read_bytes() for pid in processes(url)]


def is_alive(pid: int) -> bool:
    """Whether the process runs; a dead one nobody has collected yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    """Wait for *condition*; fail after *seconds*."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.01)
