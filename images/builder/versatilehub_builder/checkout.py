"""One commit of one repository: asked for alone where the host gives it, measured before it is written out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from versatilehub_builder.lines import Failure
from versatilehub_builder.tree import too_large, too_many_files

if TYPE_CHECKING:
    from versatilehub_builder.gitrun import Git

_DEEPER = (50, 1000)
_SHA256_DIGITS = 64


@dataclass(slots=True, kw_only=True)
class Budget:
    """What all that is fetched together may take: bytes and files, counted down by `take` as listings come in."""

    bytes: int
    files: int
    taken: int = 0
    counted: int = 0

    def take(self, sizes: list[int]) -> None:
        """Count files of these sizes; raise `Failure` at the first beyond a limit."""
        for size in sizes:
            self.counted += 1
            self.taken += size
            if self.counted > self.files:
                raise too_many_files(self.counted, self.files)
            if self.taken > self.bytes:
                raise too_large(self.taken, self.bytes)


def fetch_commit(git: Git, url: str, commit: str) -> None:
    """Bring *commit* of *url* into a new repository: the commit alone, or as little more as an old host insists on."""
    kind = "sha256" if len(commit) == _SHA256_DIGITS else "sha1"
    git.run("init", "--quiet", "--template=", f"--object-format={kind}", "--initial-branch=main")
    git.run("config", "remote.origin.url", url)
    git.run("config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")
    options = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
    code, output = git.run(*options, "--depth=1", "origin", commit, check=False)
    if code == 0:
        return
    if "unadvertised object" not in output and "does not support shallow" not in output:
        git.run(*options, "--depth=1", "origin", commit)  # once more: hosts do answer 5xx for a moment
        return
    _fetch_tips(git, options, commit)


def _fetch_tips(git: Git, options: tuple[str, ...], commit: str) -> None:
    """Take what an old host gives, the ends of branches and tags, then ever deeper until *commit* is among them."""
    tips = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
    git.log("The host gives no single commits: fetching its branches and tags.")
    shallow = (git.folder or git.tree / ".git") / "shallow"
    for depth in ("--depth=1", *(f"--depth={number}" for number in _DEEPER), "--unshallow"):
        if depth == "--unshallow" and not shallow.exists():
            break
        code, output = git.run(*options, depth, "origin", *tips, check=False)
        if code != 0 and "does not support shallow" in output:
            git.run(*options, "origin", *tips)
            break
        if _has(git, commit):
            return
    if not _has(git, commit):
        raise Failure(
            "commit_not_found",
            "The repository no longer has this commit.",
            hint="Start again from the branch.",
        )


def _has(git: Git, commit: str) -> bool:
    return git.run("cat-file", "-e", commit + "^{commit}", check=False)[0] == 0


def measure(git: Git, commit: str, budget: Budget) -> None:
    """Measure the tree before it exists: a repository of a few KiB can name a billion files."""
    _, output = git.run("cat-file", "-t", commit)
    if output.strip() != "commit":
        raise Failure("commit_not_found", f"{commit[:12]} is a {output.strip()}, not a commit.")
    # Of a commit with too many files, enough is read to see that; a size of 2^64 has 20 digits.
    most = 24 * (budget.files + 2)
    _, output = git.run("ls-tree", "-r", "--format=%(objectsize:padded)", commit, "--", ".", most=most)
    budget.take([int(size) for size in output.split() if size.isdecimal()])


def check_out(git: Git, commit: str) -> None:
    """Write the files of *commit* out."""
    git.run("update-ref", "--no-deref", "HEAD", commit)
    git.run("reset", "--hard", "--quiet", commit, "--")
