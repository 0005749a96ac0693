"""Git repositories for tests, made by one ``git fast-import`` each: the same commits each time."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_PERSON = "Test Author <author@example.org>"
_EPOCH = 1_700_000_000


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link to *target*."""

    target: str


@dataclass(frozen=True, slots=True)
class Executable:
    """A file with the execute bit."""

    content: str | bytes


@dataclass(frozen=True, slots=True)
class Submodule:
    """A pinned commit of another repository; its URL belongs into ``.gitmodules``."""

    commit: str


Entry = str | bytes | Link | Executable | Submodule | None  # None removes the path
Files = Mapping[str, Entry]


def scrubbed_env() -> dict[str, str]:
    """Return the environment every git of the tests runs in: nothing of the person who runs them."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
    }


@dataclass(slots=True)
class Repo:
    """A bare repository on disk; every change is visible to the next request."""

    folder: Path
    branch: str
    commits: int = 0

    @property
    def head(self) -> str:
        """The commit HEAD stands for."""
        return self.git("rev-parse", "HEAD")

    def git(self, *arguments: str, text: str = "") -> str:
        """Run git in the repository and return what it prints."""
        command = ["git", "-C", str(self.folder), *arguments]
        done = subprocess.run(
            command, env=scrubbed_env(), input=text.encode(), stdout=subprocess.PIPE, check=True
        )
        return done.stdout.decode().strip()

    def commit(self, files: Files, *, branch: str = "", parent: str = "", message: str = "") -> str:
        """Commit *files* on *branch* (default: HEAD's) on top of it or of *parent*; return the commit."""
        ref = f"refs/heads/{branch or self.branch}"
        self.commits += 1
        parent = parent or self.git("for-each-ref", "--format=%(objectname)", ref)
        said = (message or f"Commit {self.commits}").encode()
        head = f"feature done\ncommit {ref}\nmark :1\ncommitter {_PERSON} {_EPOCH + self.commits} +0000\n"
        stream = head.encode() + _block(said)
        if parent:
            stream += f"from {parent}\n".encode()
        for path, entry in files.items():
            stream += _change(path, entry)
        stream += b"\nget-mark :1\ndone\n"
        command = ["git", "-C", str(self.folder), "fast-import", "--quiet", "--force"]
        done = subprocess.run(command, env=scrubbed_env(), input=stream, stdout=subprocess.PIPE, check=True)
        return done.stdout.decode().strip()

    def tag(self, name: str, commit: str = "", *, message: str = "") -> str:
        """Tag *commit* (default: HEAD), annotated if there is a *message*; return the object it names."""
        who = ["-c", "user.name=Test Author", "-c", "user.email=author@example.org"]
        note = ["-a", "-m", message] if message else []
        self.git(*who, "tag", *note, name, commit or "HEAD")
        return self.git("rev-parse", f"refs/tags/{name}")

    def set_ref(self, ref: str, commit: str) -> None:
        """Point the full name *ref* (``refs/pull/1/head``) at *commit*."""
        self.git("update-ref", ref, commit)

    def detach(self, commit: str) -> None:
        """Make HEAD a commit in place of a branch."""
        self.git("update-ref", "--no-deref", "HEAD", commit)

    def add_many_refs(self, pattern: str, count: int) -> None:
        """Add *count* refs at HEAD's commit, named by *pattern* with ``{}`` for the number, in one file."""
        head = self.head
        self.git("pack-refs", "--all")
        lines = [line for line in (self.folder / "packed-refs").read_text().splitlines() if line[0] != "#"]
        lines += [f"{head} {pattern.format(number)}" for number in range(count)]
        (self.folder / "packed-refs").write_text("# pack-refs with:\n" + "\n".join(lines) + "\n")


def make_repo(folder: Path, *, branch: str = "main", sha256: bool = False) -> Repo:
    """Make an empty bare repository in *folder* whose HEAD is *branch*, and that serves any commit it has."""
    kind = "sha256" if sha256 else "sha1"
    command = ["git", "init", "--quiet", "--bare", f"--initial-branch={branch}", f"--object-format={kind}"]
    subprocess.run([*command, str(folder)], env=scrubbed_env(), check=True)
    config = folder / "config"
    settings = "[uploadpack]\n\tallowAnySHA1InWant = true\n\tallowFilter = true\n[gc]\n\tauto = 0\n"
    config.write_text(config.read_text() + settings)
    return Repo(folder, branch)


def _change(path: str, entry: Entry) -> bytes:
    quoted = '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    match entry:
        case None:
            return f"D {quoted}\n".encode()
        case Submodule(commit):
            return f"M 160000 {commit} {quoted}\n".encode()
        case Link(target):
            return f"M 120000 inline {quoted}\n".encode() + _block(target)
        case Executable(content):
            return f"M 100755 inline {quoted}\n".encode() + _block(content)
        case str() | bytes():
            return f"M 100644 inline {quoted}\n".encode() + _block(entry)


def _block(content: str | bytes) -> bytes:
    raw = content.encode() if isinstance(content, str) else content
    return f"data {len(raw)}\n".encode() + raw + b"\n"
