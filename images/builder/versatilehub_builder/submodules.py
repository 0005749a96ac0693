"""Submodules: fetched as their repository pins them, under the rules, limits and walls of the repository itself.

Their files come into the tree, their ``.git`` does not: placing content and Docker's context know one repository only.
A submodule is asked for by nobody first; the person's login is used where its host is the repository's own.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from versatilehub_builder.checkout import Budget, check_out, fetch_commit, measure
from versatilehub_builder.gitfiles import Module, check_gitmodules, module_address, modules_of
from versatilehub_builder.hosts import is_under, repository_url
from versatilehub_builder.large import fetch_large
from versatilehub_builder.lines import Failure, Lines
from versatilehub_builder.tree import read_build_file

if TYPE_CHECKING:
    from pathlib import Path

    from versatilehub_builder.gitrun import Git
    from versatilehub_builder.jobs import FetchJob
    from versatilehub_builder.logins import Login

_FILE = ".gitmodules"
_PRIVATE = "source_not_readable"


@dataclass(slots=True, kw_only=True)
class Submodules:
    """Brings all submodules of one checkout; `private` has the addresses of those that needed the login."""

    job: FetchJob
    git: Git
    login: Login | None
    budget: Budget
    folder: Path  # for their repositories, outside of the tree
    lines: Lines
    private: list[str] = field(default_factory=list)
    _count: int = 0

    def fetch(self) -> None:
        """Bring them, those within them too, and remove their repositories."""
        try:
            self._of(self.git, self.job.url, self.job.commit, ())
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _of(self, git: Git, url: str, commit: str, above: tuple[str, ...]) -> None:
        """Bring the submodules of *commit* of the repository at *url*; *above* are the paths it is within."""
        file = git.tree / _FILE
        shown = "/".join((*above, _FILE))
        if not file.is_file() and not file.is_symlink():
            return
        text = read_build_file(file, shown)
        check_gitmodules(text, self.job.prefixes)
        modules = modules_of(text)
        for path, pinned in _links(git, commit):
            module = modules.get(path)
            if module is None or not module.wanted:
                self.lines.log(f"The submodule {path} is not fetched: {shown} does not ask for it.")
                continue
            if len(above) >= self.job.limits.nesting:
                raise _refused(f"more than {self.job.limits.nesting} levels of submodules", shown)
            self._count += 1
            if self._count > self.job.limits.submodules:
                raise _refused(f"more than {self.job.limits.submodules} submodules", shown)
            self._one(module, url, pinned, (*above, path))

    def _one(self, module: Module, parent: str, commit: str, path: tuple[str, ...]) -> None:
        shown = "/".join((*path[:-1], _FILE))
        url = module_address(module.url, parent)
        if not repository_url(url, self.job.prefixes, self.job.hosts):
            raise _refused(f"the address {module.url[:80]!r} is not allowed", shown)
        tree = self.git.tree.joinpath(*path)
        if any(one.is_symlink() for one in (tree, *tree.parents) if one.is_relative_to(self.git.tree)):
            raise _refused(f"the path {module.path[:80]!r} is a link", shown)
        tree.mkdir(parents=True, exist_ok=True)
        self.lines.log(f"Fetching the submodule {'/'.join(path)} from {url}, commit {commit}")
        git, url = self._fetched(url, commit, tree, "/".join(path))
        measure(git, commit, self.budget)
        check_out(git, commit)
        fetch_large(git, url, self.budget, file="/".join((*path, ".lfsconfig")))
        self._of(git, url, commit, path)

    def _fetched(self, url: str, commit: str, tree: Path, path: str) -> tuple[Git, str]:
        """Return the repository with *commit* in it, and the address that gave it: to all, else to the login."""
        own = self.login is not None and self.login.is_for(url)
        logins = (None, self.login) if own else (None,)
        last: Failure | None = None
        for login in logins:
            for address in dict.fromkeys((url, url.removesuffix(".git") + ".git")):
                folder = self.folder / str(self._count)
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True)
                git = replace(self._at(address), tree=tree, folder=folder, login=login)
                try:
                    fetch_commit(git, address, commit)
                except Failure as failure:
                    last = failure
                    if failure.code != "source_moved":
                        break
                    continue
                if login is not None:
                    self.private.append(address)
                return git, address
            if last is None or last.code != _PRIVATE:
                break
        assert last is not None  # noqa: S101 - no way here but through a failure
        raise _named(last, path, url)

    def _at(self, url: str) -> Git:
        """Return git for this address: http and private addresses below the site's prefixes only."""
        http = any(is_under(url, prefix) for prefix in self.job.prefixes if prefix.startswith("http://"))
        return replace(self.git, http=http, pin=self.job.pin(url))


def _links(git: Git, commit: str) -> list[tuple[str, str]]:
    """Return path and commit of every submodule in the tree of *commit*."""
    _, output = git.run("ls-tree", "-r", "-z", commit)
    rows = [row.partition("\t") for row in output.split("\0")]
    return [(path, head.split()[2]) for head, _, path in rows if head.startswith("160000 commit ")]


def _named(failure: Failure, path: str, url: str) -> Failure:
    """Return *failure* with the submodule it is about."""
    hint = failure.hint
    if failure.code == _PRIVATE:
        hint = "A token is used for submodules on the repository's own host only; `update = none` in .gitmodules leaves one out."
    message = f"The submodule {path} ({url}) cannot be fetched: {failure.message}"
    return Failure(failure.code, message, hint=hint, file=_FILE)


def _refused(reason: str, file: str) -> Failure:
    return Failure(
        "submodule_refused",
        f"The file {file} is refused: {reason}.",
        hint="Use plain https addresses, or leave a submodule out with `update = none`.",
        file=file,
    )
