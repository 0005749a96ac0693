"""``python -m versatilehub_builder.fetch``: bring one commit, or one version of a record, into ``/work/tree`` and check it.

The tree's sizes are known from git's own listing before anything is written out; ``/work/fetched`` appears last, and
only when the tree passed. The ``.git`` left behind has a clean origin and, where the commit is a branch's, its name.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from versatilehub_builder.gitfiles import check_lfsconfig, read_config
from versatilehub_builder.gitrun import Git, limit_files
from versatilehub_builder.jobs import WORK, FetchJob, fetch_job
from versatilehub_builder.lines import JSON, Failure, Lines, main
from versatilehub_builder.tree import TreeRules, check_tree, read_build_file, too_large, too_many_files
from versatilehub_builder.waiting import publish

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_DEEPER = (50, 1000)
_NAMED = 12


def command(values: Mapping[str, JSON], lines: Lines) -> Mapping[str, JSON]:
    """Fetch, list, check out, bring large files, check; return nothing but success."""
    job = fetch_job(values)
    limit_files(job.limits.bytes)
    return fetch(job, lines, WORK)


def fetch(job: FetchJob, lines: Lines, work: Path) -> Mapping[str, JSON]:
    """Do the job in *work*, whose ``fetched`` is written last."""
    tree = work / "tree"
    for old in (work / "fetched", work / "failed", work / "rendered"):
        old.unlink(missing_ok=True)
    if tree.exists():
        shutil.rmtree(tree)
    tree.mkdir(parents=True)
    if job.record:
        # urllib3 takes a tenth of a second to import, and git needs none of it
        from versatilehub_builder.record import fetch_record  # noqa: PLC0415

        fetch_record(job, lines, work)
    else:
        _fetch_repository(job, lines, tree)
    limits = job.limits
    rules = TreeRules(
        url=job.url, subdir=job.subdir, prefixes=job.prefixes, bytes=limits.bytes, files=limits.files
    )
    check_tree(tree, rules)
    _tell_submodules(tree, lines)
    publish(work / "fetched", json.dumps({"commit": job.commit}))
    return {}


def _fetch_repository(job: FetchJob, lines: Lines, tree: Path) -> None:
    """Bring the commit of a git repository."""
    _check_job(job)
    git = Git(
        tree=tree,
        http=job.http_allowed,
        deadline=time.monotonic() + job.limits.seconds,
        free=job.limits.free,
        log=lines.log,
    )
    lines.phase("Asking the git host for the commit")
    with ThreadPoolExecutor(1) as beside:
        branch = beside.submit(_branch, git, job)
        _fetch_commit(git, job)
        _check_listing(git, job)
        _check_out(git, job, branch)
    if _has_large_files(tree):
        lines.phase("Fetching large files")
        _fetch_large(git, job)


def _check_job(job: FetchJob) -> None:
    """The hub has checked all this; git must not see it unchecked if it did not."""
    https = re.fullmatch(r"https://[!-~]{1,2048}", job.url)
    if not (https or job.http_allowed) or re.search(
        r"[\s\\\x00-\x1f]|@", job.url.partition("//")[2].partition("/")[0]
    ):
        raise Failure("source_refused", "Only https addresses without a login are fetched.")
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", job.commit):
        raise Failure("bad_job", "The commit is not 40 or 64 hexadecimal digits.")


def _fetch_commit(git: Git, job: FetchJob) -> None:
    kind = "sha256" if len(job.commit) == 64 else "sha1"
    git.run("init", "--quiet", "--template=", f"--object-format={kind}", "--initial-branch=main", ".")
    git.run("config", "remote.origin.url", job.url)
    git.run("config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")
    options = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
    code, output = git.run(*options, "--depth=1", "origin", job.commit, check=False)
    if code == 0:
        return
    if "unadvertised object" not in output and "does not support shallow" not in output:
        git.run(*options, "--depth=1", "origin", job.commit)  # once more: hosts do answer 5xx for a moment
        return
    # An old host gives tips only: take them, then ever deeper until the commit is among them.
    tips = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
    for depth in ("--depth=1", *(f"--depth={number}" for number in _DEEPER), "--unshallow"):
        if depth == "--unshallow" and not (git.tree / ".git/shallow").exists():
            break
        code, output = git.run(*options, depth, "origin", *tips, check=False)
        if code != 0 and "does not support shallow" in output:
            git.run(*options, "origin", *tips)
            break
        if git.run("cat-file", "-e", job.commit + "^{commit}", check=False)[0] == 0:
            return
    if git.run("cat-file", "-e", job.commit + "^{commit}", check=False)[0] != 0:
        raise Failure(
            "commit_not_found",
            "The repository no longer has this commit.",
            hint="Start again from the branch.",
        )


def _check_listing(git: Git, job: FetchJob) -> None:
    """Measure the tree before it exists: a repository of a few KiB can name a billion files."""
    _, output = git.run("cat-file", "-t", job.commit)
    if output.strip() != "commit":
        raise Failure("commit_not_found", f"{job.commit[:12]} is a {output.strip()}, not a commit.")
    total = 0
    for count, size in enumerate(git_sizes(git, job), start=1):
        total += size
        if count > job.limits.files:
            raise too_many_files(count, job.limits.files)
        if total > job.limits.bytes:
            raise too_large(total, job.limits.bytes)


def git_sizes(git: Git, job: FetchJob) -> list[int]:
    """Return the sizes of the commit's files; of a commit with too many, enough of them to see that."""
    most = 24 * (job.limits.files + 2)  # a size of 2^64 has 20 digits
    _, output = git.run("ls-tree", "-r", "--format=%(objectsize:padded)", job.commit, "--", ".", most=most)
    return [int(size) for size in output.split() if size.isdecimal()]


def _branch(git: Git, job: FetchJob) -> str:
    """Return the branch the commit was asked for by, "" if by none; asked while the fetch runs, so it costs no time."""
    name = "" if job.ref == "HEAD" else job.ref.removeprefix("refs/heads/")
    if name.startswith(("refs/", "-")) or re.fullmatch(r"[0-9a-fA-F]{7,64}", name):
        return ""
    wanted = f"refs/heads/{name}"
    try:
        _, output = git.run("ls-remote", "--symref", "--", job.url, "HEAD", wanted, check=False)
    except Failure:
        return ""  # the fetch itself meets the same host and says it better
    rows = [line.split("\t", 1) for line in output.splitlines() if "\t" in line]
    if name:
        return name if any(row[1] == wanted for row in rows) else ""
    if [job.commit, "HEAD"] not in rows:
        return ""
    heads = [row[0] for row in rows if row[1] == "HEAD" and row[0].startswith("ref: refs/heads/")]
    return heads[0].removeprefix("ref: refs/heads/") if heads else ""


def _check_out(git: Git, job: FetchJob, asked: Future[str]) -> None:
    git.run("update-ref", "--no-deref", "HEAD", job.commit)
    git.run("reset", "--hard", "--quiet", job.commit, "--")
    branch = asked.result()
    if not branch or git.run("check-ref-format", "--branch", branch, check=False)[0] != 0:
        return
    git.run("update-ref", f"refs/heads/{branch}", job.commit)
    git.run("update-ref", f"refs/remotes/origin/{branch}", job.commit)
    git.run("symbolic-ref", "HEAD", f"refs/heads/{branch}")
    git.run("config", f"branch.{branch}.remote", "origin")
    git.run("config", f"branch.{branch}.merge", f"refs/heads/{branch}")


def _tell_submodules(tree: Path, lines: Lines) -> None:
    """Say which folders stay empty; whoever works in the checkout can still fetch them."""
    modules = tree / ".gitmodules"
    if not modules.is_file():
        return
    settings = read_config(read_build_file(modules, ".gitmodules"))
    paths = [one.value for one in settings if one.section == "submodule" and one.key == "path"]
    if paths:
        lines.log(f"Submodules are not fetched, their folders stay empty: {', '.join(paths[:_NAMED])}")


def _has_large_files(tree: Path) -> bool:
    return any(
        "filter=lfs" in path.read_text("utf-8", "replace")
        for path in tree.rglob(".gitattributes")
        if path.is_file() and not path.is_symlink() and path.stat().st_size < 1_000_000
    )


def _fetch_large(git: Git, job: FetchJob) -> None:
    config = git.tree / ".lfsconfig"
    if config.is_symlink() or config.exists():
        check_lfsconfig(read_build_file(config, ".lfsconfig"), job.url)
    endpoint = job.url.removesuffix(".git") + ".git/info/lfs"
    git.run("lfs", "install", "--local", "--skip-repo", lfs=True)
    options = (
        "-c",
        f"lfs.url={endpoint}",
        "-c",
        f"remote.origin.lfsurl={endpoint}",
        "-c",
        "lfs.basictransfersonly=true",
    )
    code, output = git.run(*options, "lfs", "pull", "origin", check=False, lfs=True)
    if code != 0:
        tail = output.strip().splitlines()[-1:] or [f"exit code {code}"]
        message = f"The repository's large files cannot be fetched: “{tail[0][:200]}”."
        raise Failure("lfs_failed", message, hint="Check that its large files are public and within quota.")


if __name__ == "__main__":
    sys.exit(main(command))
