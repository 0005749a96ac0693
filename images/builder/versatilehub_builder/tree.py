"""The check of a fetched tree, before anything reads a file of it: no link out, no device, no bomb.

Pure file system reading: nothing is followed, nothing is run. `check_tree` raises `Failure` with a stable code.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from versatilehub_builder.aptfile import read_apt
from versatilehub_builder.gitfiles import check_gitmodules, check_lfsconfig
from versatilehub_builder.lines import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator

BUILD_FILES = frozenset(
    {
        "Dockerfile",
        "environment.yml",
        "environment.yaml",
        "requirements.txt",
        "requirements3.txt",
        "constraints.txt",
        "pyproject.toml",
        "setup.py",
        "setup.cfg",
        "Pipfile",
        "Pipfile.lock",
        "apt.txt",
        "postBuild",
        "start",
        "runtime.txt",
        "install.R",
        "DESCRIPTION",
        "Project.toml",
        "JuliaProject.toml",
        "Manifest.toml",
        "REQUIRE",
        "default.nix",
        ".dockerignore",
        ".containerignore",
        "Dockerfile.dockerignore",
    }
)
BUILD_FOLDERS = ("binder", ".binder")
BUILD_FILE_BYTES = 1024 * 1024
_LINK_STEPS = 40  # what Linux itself follows before ELOOP


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeRules:
    """What a tree is measured against; *url* decides which large-file address is its own."""

    url: str
    subdir: str = ""
    prefixes: tuple[str, ...] = ()
    bytes: int
    files: int


def check_tree(root: Path, rules: TreeRules) -> None:
    """Raise `Failure` unless the tree at *root* may be built; ``.git`` at its top is ours and not looked at."""
    total = 0
    for count, (path, entry) in enumerate(walk(root), start=1):
        mode = entry.stat(follow_symlinks=False)
        if count > rules.files:
            raise too_many_files(count, rules.files)
        if entry.name.lower() in {".git", "git~1"}:
            raise Failure(
                "nested_git", f"The repository contains the path {path!r}, which git never stores.", file=path
            )
        if stat.S_ISLNK(mode.st_mode):
            check_link(root, path, str(Path(entry.path).readlink()))
        elif stat.S_ISREG(mode.st_mode):
            total += mode.st_size
            if total > rules.bytes:
                raise too_large(total, rules.bytes)
        elif not stat.S_ISDIR(mode.st_mode):
            raise Failure("special_file", f"{path!r} is neither file, folder nor link.", file=path)
        _check_name(path)
    _check_subdir(root, rules.subdir)
    for folder in dict.fromkeys(("", rules.subdir)):
        _check_build_files(root / folder, folder)
    _check_git_files(root, rules)


def walk(root: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield every path below *root* with its entry, without following links and without the top ``.git``."""
    folders = [""]
    while folders:
        folder = folders.pop()
        with os.scandir(root / folder) as entries:
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if path == ".git":
                    continue
                yield path, entry
                if entry.is_dir(follow_symlinks=False):
                    folders.append(path)


def check_link(root: Path, path: str, target: str) -> None:
    """Raise `Failure` (``link_leaves_tree``) when the link *path* leads out of *root*, by whatever detour."""
    parts = list(PurePosixPath(path).parent.parts)
    todo = [] if target.startswith("/") else list(reversed(target.split("/")))
    leaves = target.startswith("/")
    steps = 0
    while todo and not leaves:
        part = todo.pop()
        if part in {"", "."}:
            continue
        if part == "..":
            leaves = not parts
            del parts[-1:]
            continue
        parts.append(part)
        leaves = parts == [".git"]
        here = root.joinpath(*parts)
        if here.is_symlink():
            steps += 1
            if steps > _LINK_STEPS:
                return  # a ring of links: it leads nowhere
            inner = str(here.readlink())
            leaves = leaves or inner.startswith("/")
            parts.pop()
            todo.extend(reversed(inner.split("/")))
    if leaves:
        raise Failure(
            "link_leaves_tree",
            f"The link {path!r} points to {target[:200]!r}, outside of the repository.",
            hint="Replace the link by the file itself, or make it point inside the repository.",
            file=path,
        )


def build_folder(root: Path) -> str:
    """Return the folder whose build files count: "binder", ".binder" or "" (the top), as repo2docker does."""
    found = [name for name in BUILD_FOLDERS if (root / name).is_dir()]
    if len(found) > 1:
        raise Failure(
            "two_build_folders",
            "The repository has both a binder and a .binder folder.",
            hint="Keep one of them: build files are looked for in one folder only.",
            file="binder",
        )
    return found[0] if found else ""


def read_build_file(path: Path, name: str) -> str:
    """Return the text of a build file; a link or a file above 1 MiB is a `Failure`."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise build_file_is_link(name) from error
    with os.fdopen(handle, "rb") as file:
        content = file.read(BUILD_FILE_BYTES + 1)
    if len(content) > BUILD_FILE_BYTES:
        message = f"The file {name} is larger than {BUILD_FILE_BYTES} bytes."
        raise Failure("build_file_too_large", message, hint="Build files are short texts.", file=name)
    return content.decode("utf-8", "replace")


def too_large(actual: int, limit: int) -> Failure:
    """Return the failure of a tree that is too large; figures in MiB."""
    message = f"The repository's files take {actual >> 20} MiB or more; the limit is {limit >> 20} MiB."
    return Failure("tree_too_large", message, hint="Keep large data outside of the repository.")


def too_many_files(actual: int, limit: int) -> Failure:
    """Return the failure of a tree with too many files."""
    message = f"The repository has {actual} files and folders or more; the limit is {limit}."
    return Failure("too_many_files", message, hint="Pack the data into an archive, or keep it elsewhere.")


def build_file_is_link(name: str) -> Failure:
    """Return the failure of a build file that is a link: reading it would show another file in the log."""
    message = f"The build file {name} is a link, not a file."
    return Failure("build_file_is_link", message, hint="Put the file itself there.", file=name)


def _check_name(path: str) -> None:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError as error:
        shown = ascii(path)
        message = f"The name {shown} is not UTF-8, and Docker takes no other names."
        raise Failure("name_not_utf8", message, hint="Rename the file.", file=shown) from error


def _check_subdir(root: Path, subdir: str) -> None:
    here = root
    for part in PurePosixPath(subdir).parts:
        here /= part
        if part == ".." or here.is_symlink() or not here.is_dir():
            raise Failure(
                "subdir_not_found",
                f"The repository has no folder {subdir!r}.",
                hint="Check the folder's name at this commit; it cannot be a link.",
            )


def _check_build_files(folder: Path, prefix: str) -> None:
    for inner in ("", *BUILD_FOLDERS):
        here = folder / inner
        shown = str(PurePosixPath(prefix) / inner) if inner else prefix
        if inner and here.is_symlink():
            raise build_file_is_link(shown)
        if not here.is_dir():
            continue
        for name in BUILD_FILES:
            path, full = here / name, str(PurePosixPath(shown) / name)
            if path.is_symlink():
                raise build_file_is_link(full)
            if path.is_file():
                text = read_build_file(path, full)
                if name == "apt.txt":
                    read_apt(text, full)


def _check_git_files(root: Path, rules: TreeRules) -> None:
    for name in (".gitmodules", ".lfsconfig", ".gitattributes"):
        path = root / name
        if path.is_symlink():
            raise build_file_is_link(name)
        if not path.is_file() or name == ".gitattributes":
            continue
        text = read_build_file(path, name)
        if name == ".gitmodules":
            check_gitmodules(text, rules.prefixes)
        else:
            check_lfsconfig(text, rules.url)
