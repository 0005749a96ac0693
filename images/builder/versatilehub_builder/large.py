"""Large files of git-lfs: from the repository's own endpoint only, and measured by their pointers before they come."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from versatilehub_builder.gitfiles import check_lfsconfig
from versatilehub_builder.lines import Failure
from versatilehub_builder.tree import read_build_file, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from versatilehub_builder.checkout import Budget
    from versatilehub_builder.gitrun import Git

_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-.*\n)*oid sha256:[0-9a-f]{64}\nsize (\d{1,19})\n"
)
_POINTER_BYTES = 1024  # https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md: always below
_ATTRIBUTES_BYTES = 1_000_000


def has_large_files(tree: Path) -> bool:
    """Whether a ``.gitattributes`` of *tree* gives files to git-lfs."""
    return any(
        "filter=lfs" in path.read_text("utf-8", "replace")
        for path in tree.rglob(".gitattributes")
        if path.is_file() and not path.is_symlink() and path.stat().st_size < _ATTRIBUTES_BYTES
    )


def fetch_large(git: Git, url: str, budget: Budget, *, file: str = ".lfsconfig") -> None:
    """Replace the pointers in the tree of *git* by what they stand for; *file* is what a person calls its settings."""
    if not has_large_files(git.tree):
        return
    config = git.tree / ".lfsconfig"
    if config.is_symlink() or config.exists():
        check_lfsconfig(read_build_file(config, file), url)
    sizes = list(_pointed_to(git.tree))
    if not sizes:
        return
    git.log(f"Fetching {len(sizes)} large files, {sum(sizes) / 2**20:.1f} MiB")
    budget.take(sizes)
    endpoint = url.removesuffix(".git") + ".git/info/lfs"
    git.run("lfs", "install", "--local", "--skip-repo", lfs=True)
    settings = (f"lfs.url={endpoint}", f"remote.origin.lfsurl={endpoint}", "lfs.basictransfersonly=true")
    options = [word for setting in settings for word in ("-c", setting)]
    code, output = git.run(*options, "lfs", "pull", "origin", check=False, lfs=True)
    if code != 0:
        tail = [line for line in output.strip().splitlines() if line.strip()][-1:] or [f"exit code {code}"]
        message = f"The repository's large files cannot be fetched: “{tail[0][:200]}”."
        hint = "Check that its large files can be read by whoever reads the repository, and are within quota."
        raise Failure("lfs_failed", message, hint=hint)


def _pointed_to(tree: Path) -> Iterator[int]:
    """Yield the size each pointer in the tree says."""
    for _, entry in walk(tree):
        if (
            entry.is_file(follow_symlinks=False)
            and entry.stat(follow_symlinks=False).st_size < _POINTER_BYTES
        ):
            with Path(entry.path).open("rb") as content:
                found = _POINTER.fullmatch(content.read(_POINTER_BYTES))
            if found:
                yield int(found[1])
