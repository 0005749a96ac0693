"""Placing on a real file system, into homes that are new, used, hostile or full."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

import pytest
from versatilehub_builder.jobs import PlaceJob
from versatilehub_builder.place import place

from tests.gitrepos import scrubbed_env

if TYPE_CHECKING:
    from pathlib import Path

Placed = Mapping[str, object]


class Home:
    """A home and a content folder; `place` starts a server with the content as commit *commit*."""

    def __init__(self, root: Path) -> None:
        self.path, self.content, self.outside = root / "home", root / "content", root / "outside"
        for folder in (self.path, self.content, self.outside):
            folder.mkdir()
        self.repo = self.path / "repo"

    def offer(self, files: Mapping[str, str | None]) -> None:
        """Change the content: text, ``symlink:target``, ``exec:text``, or None to delete."""
        for name, text in files.items():
            path = self.content / name
            if path.is_symlink() or path.is_file():
                path.unlink()
            if text is None:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            if text.startswith("symlink:"):
                path.symlink_to(text.removeprefix("symlink:"))
            else:
                path.write_text(text.removeprefix("exec:"))
                path.chmod(0o755 if text.startswith("exec:") else 0o644)

    def place(self, commit: str, files: Mapping[str, str | None] | None = None) -> Placed:
        """Offer *files* and place."""
        self.offer(files or {})
        owner = {"uid": os.getuid(), "gid": os.getgid()}
        job = PlaceJob(name="repo", commit=commit, content=self.content, volume=self.path, **owner)
        return place(job)

    def files(self) -> dict[str, str]:
        """What is in the person's folder."""
        found = {}
        for path in sorted(self.repo.rglob("*")):
            name = str(path.relative_to(self.repo))
            if path.is_symlink():
                found[name] = f"symlink:{path.readlink()}"
            elif path.is_file():
                found[name] = path.read_text()
        return found


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home on this machine's temporary disk."""
    return Home(tmp_path)


@pytest.mark.req("V49", "V23")
def test_first_start(home: Home) -> None:
    """Everything comes: links as links, execute bits, odd names; there is no note yet."""
    files = {"a": "1", "d/e": "exec:2", "l": "symlink:d/e", "x y\n☃": "3", "-rf": "4"}
    placed = home.place("c1", files)
    assert 5 == placed["count"]
    assert {**files, "d/e": "2"} == home.files()
    assert os.access(home.repo / "d/e", os.X_OK)
    assert {"repo", ".local"} == {path.name for path in home.path.iterdir()}


@pytest.mark.req("V49")
def test_update(home: Home) -> None:
    """A new commit brings what the person left alone, keeps what they changed or deleted, and says so."""
    home.place("c1", {"same": "1", "mine": "1", "gone": "1", "old": "1", "old-mine": "1", "mode": "1"})
    (home.repo / "mine").write_text("my work")
    (home.repo / "gone").unlink()
    (home.repo / "old-mine").write_text("my work")
    (home.repo / "own").write_text("my own")
    placed = home.place(
        "c2",
        {
            "same": "2",
            "mine": "2",
            "gone": "2",
            "old": None,
            "old-mine": None,
            "mode": "exec:1",
            "new/er": "2",
        },
    )
    expected = {
        "same": "2",
        "mine": "my work",
        "old-mine": "my work",
        "own": "my own",
        "mode": "1",
        "new/er": "2",
    }
    assert expected == home.files()
    assert (["mode", "new/er", "same"], ["gone", "mine", "old-mine"]) == (placed["brought"], placed["kept"])
    note = (home.path / "repo-update.txt").read_text()
    assert "  mine" in note
    assert "c2" in note


def test_third_commit_after_a_kept_change(home: Home) -> None:
    """A file the person keeps is kept again, without being reported for a commit that did not touch it."""
    home.place("c1", {"a": "1", "b": "1"})
    (home.repo / "a").write_text("mine")
    home.place("c2", {"a": "2"})
    placed = home.place("c3", {"b": "3"})
    assert ({"a": "mine", "b": "3"}, []) == (home.files(), placed["kept"])


def test_same_commit_does_nothing(home: Home) -> None:
    """A later start of the same commit reads one file and leaves the folder alone, even an emptied one."""
    home.place("c1", {"a": "1"})
    (home.repo / "a").unlink()
    assert ({"brought": [], "kept": [], "count": 1, "note": ""}, {}) == (home.place("c1"), home.files())


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param({"a": "1"}, {"a": None, "a/b": "2"}, id="file-to-folder"),
        pytest.param({"a/b": "1", "a/c/d": "1"}, {"a/b": None, "a/c/d": None}, id="folder-goes"),
        pytest.param({"a": "1"}, {"a": "symlink:b", "b": "2"}, id="file-to-link"),
        pytest.param({"a": "symlink:b"}, {"a": "2"}, id="link-to-file"),
    ],
)
def test_shapes_change(home: Home, first: dict[str, str | None], second: dict[str, str | None]) -> None:
    """Files become folders and links and back where the person did nothing."""
    home.place("c1", first)
    home.offer(second)
    wanted = {name: text for name, text in second.items() if text is not None}
    home.place("c2")
    assert wanted == home.files()


def test_folder_to_file(home: Home) -> None:
    """A folder that became a file is replaced once it is empty, and kept while the person has files in it."""
    home.place("c1", {"a/b": "1", "z/b": "1"})
    (home.repo / "z/mine").write_text("mine")
    for name in ("a", "z"):
        (home.content / name / "b").unlink()
        (home.content / name).rmdir()
    placed = home.place("c2", {"a": "2", "z": "2"})
    assert ({"a": "2", "z/mine": "mine"}, ["z"]) == (home.files(), placed["kept"])


def hostile(home: Home) -> dict[str, Callable[[], None]]:
    """Ways to point a home at what lies outside of it."""

    def link(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(home.outside)

    return {
        "the-folder": lambda: link(home.repo),
        "a-folder-in-it": lambda: link(home.repo / "d"),
        "a-file-in-it": lambda: link(home.repo / "a"),
        "the-record": lambda: link(home.path / ".local"),
        "the-record-deeper": lambda: link(home.path / ".local/share/versatilehub"),
        "the-record-itself": lambda: link(home.path / ".local/share/versatilehub/repo.json"),
        "the-staging": lambda: link(home.path / ".local/share/versatilehub/staging-repo"),
        "git": lambda: link(home.repo / ".git"),
        "the-new-git": lambda: link(home.repo / ".git.versatilehub-new"),
        "the-note": lambda: link(home.path / "repo-update.txt"),
    }


WAYS = (
    "the-folder",
    "a-folder-in-it",
    "a-file-in-it",
    "the-record",
    "the-record-deeper",
    "the-record-itself",
    "the-staging",
    "git",
    "the-new-git",
    "the-note",
)


@pytest.mark.parametrize("way", WAYS)
def test_links_are_never_followed(home: Home, way: str) -> None:
    """Nothing outside of the home is written, changed or removed, whatever is a link in it."""
    (home.outside / "a").write_text("outside")
    (home.outside / "keep").write_text("outside")
    hostile(home)[way]()
    home.place("c1", {"a": "1", "d/e": "1", ".git/HEAD": "ref: refs/heads/main\n", ".git/config": ""})
    home.place("c2", {"a": "2", "d/e": None, "d/f": "2", ".git/HEAD": "ref: refs/heads/other\n"})
    assert {"a": "outside", "keep": "outside"} == {
        path.name: path.read_text() for path in home.outside.iterdir()
    }


@pytest.mark.parametrize(
    "record",
    [
        pytest.param("", id="empty"),
        pytest.param("[]", id="other-json"),
        pytest.param('{"commit": "c2", "git": "", "files": {"../../x": ["file", "", false]}}', id="way-out"),
        pytest.param(
            '{"commit": 1, "git": "", "files": {"/etc/x": ["file", "", 0], "a": ["?", "", 0]}}', id="nonsense"
        ),
        pytest.param("[" * 100_000, id="deep"),
    ],
)
def test_forged_record(home: Home, record: str) -> None:
    """The person may write anything into the record; the worst they get is a first placement."""
    (home.path / ".local/share/versatilehub").mkdir(parents=True)
    (home.path / ".local/share/versatilehub/repo.json").write_text(record)
    home.place("c3", {"a": "1"})
    assert {"a": "1"} == home.files()


def test_existing_folder(home: Home) -> None:
    """A folder of that name from before us keeps its files; only what is missing comes."""
    home.repo.mkdir()
    (home.repo / "a").write_text("mine")
    placed = home.place("c1", {"a": "1", "b": "1"})
    assert ({"a": "mine", "b": "1"}, ["a"]) == (home.files(), placed["kept"])


def git(folder: Path, *arguments: str) -> str:
    """Run git in the person's folder, as they would."""
    person = ["-c", "user.name=P", "-c", "user.email=p@example.org"]
    done = subprocess.run(
        ["git", *person, *arguments], cwd=folder, env=scrubbed_env(), check=True, stdout=subprocess.PIPE
    )
    return done.stdout.decode().strip()


@pytest.mark.parametrize(
    ("work", "replaced"),
    [
        pytest.param([], True, id="nothing"),
        pytest.param([["status"]], True, id="looked"),
        pytest.param([["fetch", "-q", "origin"]], True, id="fetched"),
        pytest.param([["commit", "-q", "--allow-empty", "-m", "x"]], False, id="committed"),
        pytest.param([["add", "own"]], False, id="staged"),
        pytest.param([["checkout", "-q", "-b", "mine"]], False, id="branched"),
        pytest.param([["tag", "v1"]], False, id="tagged"),
        pytest.param([["add", "own"], ["stash", "-q"]], False, id="stashed"),
        pytest.param([["config", "user.name", "Me"]], False, id="configured"),
    ],
)
def test_git_folder_is_one_unit(home: Home, work: list[list[str]], *, replaced: bool) -> None:
    """A new commit brings its ``.git`` unless the person committed, staged, stashed, branched or configured."""
    origin = home.outside / "origin"
    git(home.outside, "init", "-q", "-b", "main", str(origin))
    (origin / "a").write_text("1")
    git(origin, "add", "a")
    git(origin, "commit", "-q", "-m", "1")
    home.content.rmdir()
    git(home.outside, "clone", "-q", str(origin), str(home.content))
    first = git(home.content, "rev-parse", "HEAD")
    home.place("c1")
    (home.repo / "own").write_text("own")
    for command in work:
        git(home.repo, *command)
    (origin / "a").write_text("2")
    git(origin, "commit", "-q", "-a", "-m", "2")
    git(home.content, "pull", "-q")
    home.place("c2")
    second = git(home.content, "rev-parse", "HEAD")
    heads = git(home.repo, "log", "--format=%H").splitlines()
    assert replaced == (second in heads)
    assert first in heads
    assert not [path for path in home.repo.iterdir() if path.name.startswith(".git.")]


def test_killed_between_git_renames(home: Home) -> None:
    """A run killed while it exchanged ``.git`` leaves one, and the next run goes on."""
    home.place("c1", {".git/HEAD": "ref: refs/heads/main\n", "a": "1"})
    (home.repo / ".git").rename(home.repo / ".git.versatilehub-old")
    (home.repo / ".git.versatilehub-new").mkdir()
    home.place("c2", {".git/HEAD": "ref: refs/heads/other\n"})
    assert "ref: refs/heads/other\n" == (home.repo / ".git/HEAD").read_text()


def test_record_is_written_last(home: Home) -> None:
    """Without a record, a run goes on where the last one was killed, files and ``.git`` alike."""
    files: dict[str, str | None] = {"a": "1", "b": "1", ".git/HEAD": "ref: refs/heads/main\n"}
    home.place("c1", files)
    record = home.path / ".local/share/versatilehub/repo.json"
    before = json.loads(record.read_text())
    record.unlink()
    (home.repo / "b").unlink()
    placed = home.place("c1")
    assert (["b"], []) == (placed["brought"], placed["kept"])
    assert before == json.loads(record.read_text())


def _work(action: Callable[[], object]) -> float:
    """Return the processor time *action* took, in seconds."""
    before = os.times()
    action()
    after = os.times()
    return (after.user + after.system) - (before.user + before.system)


def test_a_few_hundred_files_are_quick(home: Home, tmp_path: Path) -> None:
    """Three hundred files cost a start no more than some plain copies of them: speed is a ratio, never a time."""
    home.offer({f"d{number % 20}/f{number}": "x" * 3000 for number in range(300)})
    plain = _work(lambda: shutil.copytree(home.content, tmp_path / "copy"))

    assert _work(lambda: home.place("c1")) < 20 * max(plain, 0.02)
    assert 300 == cast("int", home.place("c1")["count"])
