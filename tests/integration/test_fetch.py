"""Fetching from a real git host: logins, submodules, large files, and hosts that give no single commits.

What has to do with secrets and git-lfs runs in the builder's container as the hub runs it, the rest as a process here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - a dataclass has it
from typing import TYPE_CHECKING, Any

import pytest

from tests.gitrepos import Submodule
from tests.gitserver import Behaviour, GitServer
from tests.integration.test_builder_package import BUILDER, LABEL, PACKAGE, Work, job

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.gitrepos import Files

PERSON = ("oauth2", "canary-4711-token")
BIG = b"large content " * 1000


@pytest.fixture(scope="module")
def host() -> Iterator[GitServer]:
    """A git host the containers reach."""
    with GitServer() as server:
        yield server


@pytest.fixture
def work() -> Iterator[Work]:
    """A work volume; the builder's own user owns what Docker copies into it."""
    made = Work()
    yield made
    subprocess.run(["docker", "volume", "rm", "-f", made.volume], check=True, capture_output=True)


def fetch(work: Work, values: Mapping[str, object], login: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Fetch as the hub does, the login written to standard input; return the last line, with all lines as "said"."""
    command = work.arguments("fetch", {**values, "login": login is not None})
    command[2:2] = ["--interactive"]
    said = (json.dumps(login or {}) + "\n").encode()
    done = subprocess.run(command, input=said, capture_output=True, timeout=100, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines, done.stderr
    return {**lines[-1], "said": done.stdout.decode() + done.stderr.decode()}


@dataclass(frozen=True, slots=True)
class Here:
    """The same command as a process of this machine, at work in a folder: a container costs a second each time."""

    folder: Path

    def fetch(self, values: Mapping[str, object], login: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Fetch; return as `fetch` does."""
        script = "import sys,pathlib,versatilehub_builder.fetch as f;f.WORK=pathlib.Path(sys.argv[1]);sys.exit(f.main(f.command))"
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(PACKAGE),
            "VERSATILEHUB_JOB": json.dumps({**values, "login": login is not None}),
        }
        command = [sys.executable, "-c", script, str(self.folder)]
        said = (json.dumps(login or {}) + "\n").encode()
        done = subprocess.run(
            command, env=environment, input=said, capture_output=True, timeout=60, check=False
        )
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert lines, done.stderr
        return {**lines[-1], "said": done.stdout.decode() + done.stderr.decode()}

    def text(self, path: str) -> str:
        """Return the content of a file of the tree."""
        return (self.folder / "tree" / path).read_text()


@pytest.fixture
def here(tmp_path: Path) -> Here:
    """A folder to fetch into."""
    return Here(tmp_path)


def files_in(work: Work, *paths: str) -> dict[str, str | None]:
    """Return the content of files of the tree, None for what is none."""
    script = "import sys,json,pathlib;print(json.dumps([(p:=pathlib.Path('/work/tree')/n).is_file() and p.read_text() or None for n in sys.argv[1:]]))"
    command = [
        "docker",
        "run",
        "--rm",
        f"--label={LABEL}",
        f"--volume={work.volume}:/work",
        "--entrypoint=python3",
    ]
    found = subprocess.run([*command, BUILDER, "-c", script, *paths], check=True, capture_output=True).stdout
    return dict(zip(paths, json.loads(found), strict=True))


def everything_in(work: Work) -> bytes:
    """Return all bytes of the work volume."""
    command = [
        "docker",
        "run",
        "--rm",
        f"--label={LABEL}",
        f"--volume={work.volume}:/work",
        "--entrypoint=tar",
    ]
    return subprocess.run(
        [*command, BUILDER, "-C", "/work", "-cf-", "."], check=True, capture_output=True
    ).stdout


def login(host: GitServer, secret: str = PERSON[1]) -> dict[str, str]:
    """Return what the hub writes."""
    return {"origin": host.base.rstrip("/"), "username": PERSON[0], "secret": secret}


def modules(**urls: str) -> str:
    """Return a ``.gitmodules``."""
    return "".join(f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n' for path, url in urls.items())


@pytest.mark.req("V28", "T18")
def test_private_repository_with_a_private_submodule(work: Work, host: GitServer) -> None:
    """Both come with the login, the submodule is reported, and the secret is in nothing that is left or said."""
    inner = host.repo("p/inner", {"inner.txt": "inner"}, behaviour=Behaviour(login=PERSON))
    files: Files = {
        "a": "1",
        ".gitattributes": "*.bin filter=lfs\n",
        "big.bin": host.large.pointer(BIG),
        ".gitmodules": modules(lib="../inner"),
        "lib": Submodule(inner.head),
    }
    where = job(host, "p/outer", files=files)
    host.behave("p/outer", Behaviour(login=PERSON))
    answer = fetch(work, {**where, "private": True}, login(host))

    assert ("result", [host.url("p/inner")]) == (answer["t"], answer["private"]), answer
    assert {"lib/inner.txt": "inner", "a": "1", "big.bin": BIG.decode()} == files_in(
        work, "lib/inner.txt", "a", "big.bin"
    )
    left = everything_in(work)
    assert b"inner.txt" in left
    for form in (PERSON[1], "b2F1dGgyOmNhbmFyeS00NzExLXRva2Vu"):
        assert form.encode() not in left
        assert form not in answer["said"]


@pytest.mark.req("T18")
def test_a_login_is_for_its_host_only(here: Here, host: GitServer) -> None:
    """A private submodule of another host gets no login, and what everyone may read is asked for without one."""
    with GitServer() as other:
        inner = other.repo("inner", {"i": "1"}, behaviour=Behaviour(login=PERSON))
        files = {".gitmodules": modules(lib=other.url("inner")), "lib": Submodule(inner.head)}
        where = job(host, "open", files=files)
        host.requests.clear()
        answer = here.fetch({**where, "prefixes": [host.base, other.base]}, login(host))
        assert ("source_not_readable", ".gitmodules") == (answer["code"], answer["file"])
        assert {""} == {seen.authorization for seen in (*host.requests, *other.requests)}


@pytest.mark.req("P20")
@pytest.mark.parametrize("secret", ["", "canary-4711-expired"])
def test_private_repository_without_a_good_login(here: Here, host: GitServer, secret: str) -> None:
    """A login that is gone or refused by the time of the fetch says so, and does not show it."""
    where = job(host, "closed", files={"a": "1"})
    host.behave("closed", Behaviour(login=PERSON))
    answer = here.fetch({**where, "private": True}, login(host, secret) if secret else {})
    assert "source_not_readable" == answer["code"], answer
    assert "canary" not in answer["said"]


def _nested(host: GitServer, levels: int) -> Files:
    below: Files = {"end.txt": "end"}
    for level in range(levels):
        repo = host.repo(f"n{levels}/level{level}", below)
        below = {".gitmodules": modules(sub=f"../level{level}"), "sub": Submodule(repo.head)}
    return below


def test_submodules_within_submodules(here: Here, host: GitServer) -> None:
    """Three levels are fetched, each by its pinned commit, and the checkout looks clean to git."""
    where = job(host, "n3/top", files=_nested(host, 3))
    answer = here.fetch(where)
    assert "result" == answer["t"], answer
    assert "end" == here.text("sub/sub/sub/end.txt")
    assert not (here.folder / "tree/sub/.git").exists()
    status = subprocess.run(
        ["git", "status", "--short"], cwd=here.folder / "tree", check=True, capture_output=True
    )
    assert b"" == status.stdout


@pytest.mark.parametrize(
    ("urls", "changes", "code"),
    [
        pytest.param({"a": "http://169.254.169.254/x"}, {}, "submodule_refused", id="metadata"),
        pytest.param(
            {"a": "https://nosuch.example.org/x"},
            {"hosts": ["github.com"]},
            "submodule_refused",
            id="not-a-host-of-the-site",
        ),
        pytest.param({"a": "../../../../x"}, {}, "submodule_refused", id="above-the-host"),
        pytest.param(
            {"a": "https://nosuch.versatilehub-test.org/x"}, {}, "source_unreachable", id="no-such-host"
        ),
        pytest.param(
            {f"m{n}": "../leaf" for n in range(4)},
            {"limits": {"submodules": 3}},
            "submodule_refused",
            id="too-many",
        ),
        pytest.param({"a": "../leaf"}, {"limits": {"nesting": 0}}, "submodule_refused", id="too-deep"),
        pytest.param(
            {"a": "../leaf"}, {"limits": {"bytes": 4000}}, "tree_too_large", id="too-large-together"
        ),
        pytest.param({"a": "../nothing"}, {}, "source_not_readable", id="missing"),
    ],
)
def test_submodules_have_bounds(
    here: Here, host: GitServer, urls: dict[str, str], changes: dict[str, object], code: str
) -> None:
    """A submodule passes the rules of the repository itself, and counts towards its limits."""
    leaf = host.repo(f"b/{code}{len(urls)}{len(str(changes))}/leaf", {"leaf": "x" * 3000})
    files: Files = {
        ".gitmodules": modules(**urls),
        **dict.fromkeys(urls, Submodule(leaf.head)),
        "y": "y" * 2000,
    }
    where = job(host, f"b/{code}{len(urls)}{len(str(changes))}/top", files=files)
    answer = here.fetch({**where, **changes})
    assert code == answer.get("code"), answer


def test_a_submodule_that_is_not_wanted(here: Here, host: GitServer) -> None:
    """`update = none` leaves a submodule out, as with git, and the log says so."""
    more = "\tupdate = none\n"
    files: Files = {".gitmodules": modules(lib="../gone") + more, "lib": Submodule("1" * 40)}
    answer = here.fetch(job(host, "u/top", files=files))
    assert "result" == answer["t"], answer
    assert "The submodule lib is not fetched" in answer["said"]


@pytest.mark.parametrize(
    ("size", "lies", "code"),
    [
        pytest.param(None, False, "", id="as-it-says"),
        pytest.param(10**12, False, "tree_too_large", id="says-too-much"),
        pytest.param(None, True, "lfs_failed", id="other-content"),
        pytest.param(-1, False, "lfs_failed", id="missing"),
    ],
)
def test_large_files(work: Work, host: GitServer, size: int | None, lies: bool, code: str) -> None:
    """Large files come from the repository's own endpoint, in the size and content their pointers say, or not at all."""
    content = BIG + str((size, lies)).encode()
    pointer = host.large.pointer(content, size=size if size != -1 else None)
    if size == -1:
        host.large.contents.clear()
    host.large.lies = lies
    files = {".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "big.bin": pointer}
    answer = fetch(work, job(host, f"l/{size}{lies}", files=files))
    host.large.lies = False
    assert code == answer.get("code", ""), answer
    if not code:
        assert {"big.bin": content.decode()} == files_in(work, "big.bin")


@pytest.mark.parametrize("back", [0, 3, 60])
def test_a_host_that_gives_no_single_commits(here: Here, host: GitServer, back: int) -> None:
    """The commit is found through branches and tags, however far below their ends it is."""
    name = f"old{back}"
    repo = host.repo(name, {"a": "first"}, behaviour=Behaviour(old=True))
    first = repo.head
    for number in range(back):
        repo.commit({"a": str(number)})
    answer = here.fetch(job(host, name, commit=first))
    assert "result" == answer["t"], answer
    assert "first" == here.text("a")
    assert (back > 0) == ("The host gives no single commits" in answer["said"])
