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
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from versatilehub_builder.checkout import Budget, check_out, fetch_commit, measure
from versatilehub_builder.gitrun import Git, limit_files
from versatilehub_builder.jobs import WORK, FetchJob, fetch_job
from versatilehub_builder.large import fetch_large
from versatilehub_builder.lines import JSON, Failure, Lines, main
from versatilehub_builder.logins import read_login
from versatilehub_builder.submodules import Submodules
from versatilehub_builder.tree import TreeRules, check_tree
from versatilehub_builder.waiting import publish

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def command(values: Mapping[str, JSON], lines: Lines) -> Mapping[str, JSON]:
    """Fetch, list, check out, bring large files and submodules, check."""
    job = fetch_job(values)
    limit_files(job.limits.bytes)
    return fetch(job, lines, WORK)


def fetch(job: FetchJob, lines: Lines, work: Path) -> Mapping[str, JSON]:
    """Do the job in *work*, whose ``fetched`` is written last; return which submodules needed the login."""
    tree = work / "tree"
    for old in (work / "fetched", work / "failed", work / "rendered"):
        old.unlink(missing_ok=True)
    if tree.exists():
        shutil.rmtree(tree)
    tree.mkdir(parents=True)
    private: list[str] = []
    if job.record:
        # urllib3 takes a tenth of a second to import, and git needs none of it
        from versatilehub_builder.record import fetch_record  # noqa: PLC0415

        fetch_record(job, lines, work)
    else:
        private = _fetch_repository(job, lines, work)
    limits = job.limits
    rules = TreeRules(
        url=job.url, subdir=job.subdir, prefixes=job.prefixes, bytes=limits.bytes, files=limits.files
    )
    check_tree(tree, rules)
    answer: dict[str, JSON] = {"private": list(private)} if private else {}
    publish(work / "fetched", json.dumps({"commit": job.commit, **answer}))
    return answer


def _fetch_repository(job: FetchJob, lines: Lines, work: Path) -> list[str]:
    """Bring the commit of a git repository, its large files and submodules; return those that needed the login."""
    _check_job(job)
    login = read_login(0, job.limits.seconds) if job.login else None
    git = Git(
        tree=work / "tree",
        http=job.http_allowed,
        deadline=time.monotonic() + job.limits.seconds,
        free=job.limits.free,
        log=lines.log,
        login=login if job.private and login and login.is_for(job.url) else None,
        pin=job.pin(job.url),
    )
    budget = Budget(bytes=job.limits.bytes, files=job.limits.files)
    lines.phase("Asking the git host for the commit")
    with ThreadPoolExecutor(1) as beside:
        branch = beside.submit(_branch, git, job)
        fetch_commit(git, job.url, job.commit)
        measure(git, job.commit, budget)
        check_out(git, job.commit)
        _name_branch(git, job, branch.result())
    fetch_large(git, job.url, budget)
    submodules = Submodules(
        job=job, git=git, login=login, budget=budget, folder=work / "modules", lines=lines
    )
    submodules.fetch()
    return submodules.private


def _check_job(job: FetchJob) -> None:
    """The hub has checked all this; git must not see it unchecked if it did not."""
    https = re.fullmatch(r"https://[!-~]{1,2048}", job.url)
    if not (https or job.http_allowed) or re.search(
        r"[\s\\\x00-\x1f]|@", job.url.partition("//")[2].partition("/")[0]
    ):
        raise Failure("source_refused", "Only https addresses without a login are fetched.")
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", job.commit):
        raise Failure("bad_job", "The commit is not 40 or 64 hexadecimal digits.")


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


def _name_branch(git: Git, job: FetchJob, branch: str) -> None:
    """Put the checkout on the branch it was asked for by, if it was."""
    if not branch or git.run("check-ref-format", "--branch", branch, check=False)[0] != 0:
        return
    git.run("update-ref", f"refs/heads/{branch}", job.commit)
    git.run("update-ref", f"refs/remotes/origin/{branch}", job.commit)
    git.run("symbolic-ref", "HEAD", f"refs/heads/{branch}")
    git.run("config", f"branch.{branch}.remote", "origin")
    git.run("config", f"branch.{branch}.merge", f"refs/heads/{branch}")


if __name__ == "__main__":
    sys.exit(main(command))
