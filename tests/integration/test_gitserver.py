"""The tests' own git host behaves as real ones do: it can be cloned from, asked, and made to misbehave."""

from __future__ import annotations

import math
import os
import subprocess
import threading
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError

import pytest

from tests.certificates import make_certificate
from tests.gitrepos import Executable, Link, Submodule, scrubbed_env
from tests.gitserver import Behaviour, GitServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.gitrepos import Files


@pytest.fixture
def server() -> Iterator[GitServer]:
    """A git host on this machine."""
    with GitServer() as server:
        yield server


def git(*arguments: str, folder: Path, **extra: str) -> str:
    """Run git in *folder* as a client would and return what it prints."""
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(
        command, env={**scrubbed_env(), **extra}, capture_output=True, text=True, check=True, timeout=20
    )
    return done.stdout


def test_clone(server: GitServer, tmp_path: Path) -> None:
    """Files, links, modes, bytes and odd names arrive in a clone."""
    files: Files = {
        "a folder/ü.txt": "text",
        "binary": b"\x00\xff",
        "link": Link("a folder/ü.txt"),
        "run.sh": Executable("#!/bin/sh\n"),
        'quo"te': "",
    }
    server.repo("org/repo", files)
    git("clone", "--quiet", server.url("org/repo"), "clone", folder=tmp_path)
    clone = tmp_path / "clone"
    assert (clone / "a folder" / "ü.txt").read_text() == "text"
    assert (clone / "binary").read_bytes() == b"\x00\xff"
    assert (clone / "link").readlink() == Path("a folder/ü.txt")
    assert os.access(clone / "run.sh", os.X_OK)
    assert (clone / 'quo"te').is_file()


def test_change_is_seen(server: GitServer, tmp_path: Path) -> None:
    """A commit made after a clone arrives with the next pull, removals too."""
    repo = server.repo("repo", {"a": "1", "b": "1"})
    git("clone", "--quiet", server.url("repo"), "clone", folder=tmp_path)
    commit = repo.commit({"a": "2", "b": None})
    git("pull", "--quiet", folder=tmp_path / "clone")
    assert git("rev-parse", "HEAD", folder=tmp_path / "clone").strip() == commit == repo.head
    assert not (tmp_path / "clone" / "b").exists()


@pytest.mark.parametrize("version", ["0", "2"])
def test_one_commit(server: GitServer, tmp_path: Path, version: str) -> None:
    """One commit alone can be fetched by its id, also one no branch has any more."""
    repo = server.repo("repo", {"a": "1"})
    old = repo.head
    repo.set_ref("refs/heads/main", repo.commit({"a": "2"}, branch="other"))
    repo.set_ref("refs/heads/other", repo.head)
    git("init", "--quiet", ".", folder=tmp_path)
    option = f"protocol.version={version}"
    git("-c", option, "fetch", "--quiet", "--depth", "1", server.url("repo"), old, folder=tmp_path)
    assert git("rev-parse", "FETCH_HEAD", folder=tmp_path).strip() == old


def test_submodule_entry(server: GitServer) -> None:
    """A repository can pin a commit of another."""
    inner = server.repo("inner", {"a": "1"})
    outer = server.repo("outer", {".gitmodules": "", "inner": Submodule(inner.head)})
    assert outer.git("ls-tree", "HEAD", "inner").split()[:3] == ["160000", "commit", inner.head]


def test_same_content_same_commit(server: GitServer) -> None:
    """Two repositories made alike have the same commit, so a test may rely on it."""
    assert server.repo("one", {"a": "1"}).head == server.repo("two", {"a": "1"}).head


def test_private(server: GitServer, tmp_path: Path) -> None:
    """A private repository answers 401 without, and content with, its name and password."""
    server.repo("private", {"a": "1"}, behaviour=Behaviour(login=("me", "secret")))
    with pytest.raises(HTTPError, match="401"):
        urllib.request.urlopen(server.url("private") + "/info/refs?service=git-upload-pack")
    url = server.url("private").replace("://", "://me:secret@")
    assert "refs/heads/main" in git("ls-remote", url, folder=tmp_path)


@pytest.mark.parametrize("status", [403, 404, 429, 500])
def test_status(server: GitServer, status: int) -> None:
    """A repository can answer with any status."""
    server.behave("bad", status=status)
    with pytest.raises(HTTPError, match=str(status)):
        urllib.request.urlopen(server.url("bad") + "/info/refs?service=git-upload-pack")


@pytest.mark.parametrize("path", ["../../etc", "missing", ""])
def test_no_repository(server: GitServer, path: str) -> None:
    """What is no repository of the server is not found."""
    with pytest.raises(HTTPError, match="404"):
        urllib.request.urlopen(server.base + path + "/info/refs?service=git-upload-pack")


def test_redirect(server: GitServer, tmp_path: Path) -> None:
    """A redirect keeps the rest of the path, so a client that follows it ends at the other repository."""
    server.repo("new", {"a": "1"})
    server.behave("old", redirect=server.url("new"))
    assert "refs/heads/main" in git("ls-remote", server.url("old"), folder=tmp_path)


def test_tls(tmp_path: Path) -> None:
    """With a certificate it serves https."""
    certificate = make_certificate(tmp_path, "127.0.0.1")
    with GitServer(certificate=certificate) as server:
        server.repo("repo", {"a": "1"})
        assert "main" in git("ls-remote", server.url("repo"), folder=tmp_path, GIT_SSL_CAINFO=certificate)


def test_name_of_its_own() -> None:
    """A server bound to all addresses is named as the caller says."""
    with GitServer("0.0.0.0", name="192.0.2.1") as server:
        assert server.url("a") == f"http://192.0.2.1:{server.port}/a"


def test_nothing_is_left() -> None:
    """Closing ends requests that hang, every thread, and removes the repositories."""
    before = threading.active_count()
    with GitServer() as server:
        server.repo("hang", {"a": "1"}, behaviour=Behaviour(delay=math.inf))
        client = subprocess.Popen(["git", "ls-remote", server.url("hang")], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 5
        while not server.requests:
            assert time.monotonic() < deadline, "the client did not come"
            time.sleep(0.01)
        folder = server.folder
    assert client.wait(timeout=5) != 0
    assert threading.active_count() == before
    assert not folder.exists()
