"""``python -m versatilehub_builder.place``: bring an image's content into ``~/<repo>`` and overwrite no one's work.

The record of what was placed lies in the home (``.local/share/versatilehub/<repo>.json``) and is written last, so a
run killed at any point is simply done again. The home may hold anything: see `homefs`.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from versatilehub_builder.gitstate import work_mark
from versatilehub_builder.homefs import Blocked, Tree, safe_path
from versatilehub_builder.jobs import PlaceJob, place_job
from versatilehub_builder.lines import JSON, Failure, Lines, main
from versatilehub_builder.placement import NOTE_HEAD, Entry, Kind, note, plan_placement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_STATE = (".local/share/versatilehub", ".versatilehub")
_MANIFEST_BYTES = 64 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT}
_NEW, _OLD = ".git.versatilehub-new", ".git.versatilehub-old"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the last placement left: its commit, the content it brought, the mark of its ``.git`` ("" if none)."""

    commit: str = ""
    git: str = ""
    content: Mapping[str, Entry] | None = None


def command(values: Mapping[str, JSON], lines: Lines) -> Mapping[str, JSON]:
    """Place, as the home's owner where we may become it."""
    job = place_job(values)
    lines.phase(f"Placing the content into {job.name}")
    _hand_over(job)
    return place(job)


def place(job: PlaceJob) -> Mapping[str, JSON]:
    """Bring the content; return the paths brought and kept, the number of files, and the note's name if one is there."""
    try:
        with Tree(job.volume, (job.uid, job.gid)) as home:
            return _place(job, home)
    except OSError as error:
        if error.errno in _FULL:
            hint = "Delete files in the home folder, or ask for more space."
            raise Failure("no_space", "The home folder is full.", hint=hint) from error
        raise


def _place(job: PlaceJob, home: Tree) -> Mapping[str, JSON]:
    state = _state_folder(home)
    manifest = f"{state}/{job.name}.json"
    record = _read_record(home.read(manifest, _MANIFEST_BYTES))
    if record.commit == job.commit and record.content is not None:
        return {"brought": [], "kept": [], "count": len(record.content), "note": ""}
    try:
        target = home.folder(job.name, make=True)
    except Blocked:
        return {"brought": [], "kept": [job.name], "count": 0, "note": ""}
    with (
        Tree(target, (job.uid, job.gid)) as folder,
        _staging(home, state, job) as staging,
        Tree(job.content) as source,
    ):
        content = dict(source.walk(frozenset({".git"})))
        plan = plan_placement(record.content or {}, content, folder.entry)
        for path in plan.remove:
            folder.remove(path)
        folder.forget()
        brought, kept = _bring(folder, source, plan.write, content, staging)
        kept = tuple(sorted({*kept, *plan.kept}))
        git = _place_git(folder, source, record, first=record.content is None)
        changed = (*brought, *plan.remove)
        said = _say(home, job, changed, kept, staging) if record.content is not None else ""
        written = _record_text(job.commit, git, content)
        home.write(manifest, written, staging)
    return {"brought": list(brought), "kept": list(kept), "count": len(content), "note": said}


def _bring(
    folder: Tree, source: Tree, paths: tuple[str, ...], content: Mapping[str, Entry], staging: Tree
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    brought, kept = [], []
    for path in paths:
        try:
            folder.copy(source, path, content[path], staging)
            brought.append(path)
        except Blocked:
            kept.append(path)
        except OSError as error:
            if error.errno not in {
                errno.ENOTEMPTY,
                errno.EEXIST,
                errno.EACCES,
                errno.ENAMETOOLONG,
                errno.ELOOP,
            }:
                raise
            kept.append(path)
    return tuple(brought), tuple(kept)


def _place_git(folder: Tree, source: Tree, record: Record, *, first: bool) -> str:
    """Bring ``.git`` as a unit unless the person has worked in theirs; return the mark to remember."""
    names = folder.names()
    if ".git" not in names and _OLD in names:
        folder.rename(_OLD, ".git")  # killed between the two renames below
    for half in (_NEW, _OLD):
        folder.remove_tree(half)
    if ".git" not in source.names():
        return record.git
    here = folder.entry(".git")
    mark = _mark(folder)
    if here is not None and mark == _mark(source):
        return mark  # placed by a run that was killed before it could say so
    if not (first if here is None else bool(record.git) and mark == record.git):
        return record.git
    with Tree(source.folder(".git")) as new, Tree(folder.folder(_NEW, make=True), folder.owner) as copy:
        for path, entry in new.walk():
            copy.copy(new, path, entry, copy)
        for empty in ("objects", "refs", "refs/heads"):
            copy.folder(empty, make=True)
    if here is not None:
        folder.rename(".git", _OLD)
    folder.rename(_NEW, ".git")
    folder.remove_tree(_OLD)
    return _mark(folder)


def _mark(folder: Tree) -> str:
    try:
        with Tree(folder.folder(".git")) as git:
            return work_mark(git)
    except (Blocked, FileNotFoundError):
        return "no folder"


def _say(home: Tree, job: PlaceJob, brought: tuple[str, ...], kept: tuple[str, ...], staging: Tree) -> str:
    """Write the note of an update, never over a file that is not ours; return its name, "" if none was due."""
    name = f"{job.name}-update.txt"
    if not (brought or kept):
        return ""
    there = home.entry(name)
    if there is not None and not (home.read(name, 1 << 20) or b"").startswith(NOTE_HEAD.encode()):
        return ""
    home.write(name, note(job.name, job.commit, brought, kept).encode("utf-8", "surrogateescape"), staging)
    return name


def _state_folder(home: Tree) -> str:
    for path in _STATE:
        with contextlib.suppress(Blocked):
            home.folder(path, make=True)
            return path
    hint = "Remove the files or links named .local and .versatilehub from the home folder."
    raise Failure(
        "home_unusable", "There is no place in the home for the record of what was placed.", hint=hint
    )


@contextlib.contextmanager
def _staging(home: Tree, state: str, job: PlaceJob) -> Iterator[Tree]:
    """Give an empty folder on the home's volume, gone afterwards."""
    name = f"staging-{job.name}"
    with Tree(home.folder(state), (job.uid, job.gid)) as parent:
        parent.remove_tree(name)
        with Tree(parent.folder(name, make=True), (job.uid, job.gid)) as staging:
            yield staging
        parent.remove_tree(name)


def _record_text(commit: str, git: str, content: Mapping[str, Entry]) -> bytes:
    rows = {path: [entry.kind.value, entry.mark, entry.executable] for path, entry in content.items()}
    return json.dumps({"version": 1, "commit": commit, "git": git, "files": rows}).encode()


def _read_record(text: bytes | None) -> Record:
    """Read the record; the person may have written it, so anything odd is no record."""
    try:
        raw = json.loads(text or b"null")
        content = {
            path: Entry(kind=Kind(kind), mark=str(mark), executable=bool(executable))
            for path, (kind, mark, executable) in raw["files"].items()
            if safe_path(path)
        }
        return Record(commit=str(raw["commit"]), git=str(raw["git"]), content=content)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Record()


def _hand_over(job: PlaceJob) -> None:
    """Give the home's top to its owner and become them; without the right to, files are given away one by one."""
    if os.geteuid() != 0:
        return
    handle = os.open(job.volume, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(handle).st_uid != job.uid:
            os.fchown(handle, job.uid, job.gid)
    finally:
        os.close(handle)
    try:
        os.setgroups([])
        os.setgid(job.gid)
        os.setuid(job.uid)
    except PermissionError:
        return  # no SETUID here


if __name__ == "__main__":
    sys.exit(main(command))
