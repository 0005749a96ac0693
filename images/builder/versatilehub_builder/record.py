"""Bring one version of a record of an archive into a folder, by the plan the hub made when it asked the archive.

repo2docker's own content providers are not used: they follow every redirect, take whatever is the newest version now, compare
no checksum, know no limits, and unpack a whole archive from memory. What they make of a record is kept: one zip is the
folder itself, and a folder that is alone in it is the top.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import shutil
import signal
import time
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from versatilehub_builder.download import Downloads
from versatilehub_builder.gitrun import no_space
from versatilehub_builder.lines import Failure, Lines
from versatilehub_builder.tree import BUILD_FOLDERS, too_large, too_many_files
from versatilehub_builder.unpack import Bounds, Unpacked, is_archive, safe_path, unpack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from versatilehub_builder.jobs import FetchJob

_PAUSES: Final = (0.5, 1.0, 2.0, 5.0)
"""Seconds between two looks at something an archive prepares; the last one stays."""
_PREPARING: Final = 32 * 1024 * 1024
_ZIP: Final = b"PK"
_MANIFEST: Final = "manifest-md5.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of the plan, as the hub's `RecordFile`."""

    path: str
    url: str
    size: int
    checksum: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The hub's `RecordPlan`."""

    kind: str
    files: tuple[File, ...]
    unpack: bool
    inside: str
    hosts: tuple[str, ...]
    asked: str
    stamp: str


def read_record(packed: str) -> Record:
    """Read the plan from a job; raises `Failure` (``bad_job``)."""
    try:
        raw = json.loads(zlib.decompress(base64.b64decode(packed, validate=True)))
        files = tuple(
            File(path=str(path), url=str(url), size=int(size), checksum=str(checksum))
            for path, url, size, checksum in raw["files"]
        )
        return Record(
            kind=raw["kind"],
            files=files,
            unpack=raw["unpack"],
            inside=raw["inside"],
            hosts=tuple(raw["hosts"]),
            asked=raw["asked"],
            stamp=raw["stamp"],
        )
    except (ValueError, TypeError, KeyError, zlib.error) as error:
        raise Failure("bad_job", f"The plan of the record cannot be read: {error!r}") from error


def fetch_record(job: FetchJob, lines: Lines, work: Path) -> None:
    """Bring the record of *job* into the empty folder ``tree`` of *work*."""
    record, limits = read_record(job.record), job.limits
    if len(record.files) > limits.files:
        raise too_many_files(len(record.files), limits.files)
    if (total := sum(max(file.size, 0) for file in record.files)) > limits.bytes:
        raise too_large(total, limits.bytes)
    downloads = Downloads(
        prefixes=job.prefixes, hosts=record.hosts, bytes=limits.bytes, free=limits.free, log=lines.log
    )
    (work / "packed").unlink(missing_ok=True)
    bring = {"files": _files, "bag": _bag, "vault": _vault}[record.kind]
    try:
        with _deadline(limits.seconds):
            bring(_Fetch(job=job, record=record, downloads=downloads, lines=lines, work=work))
    except OSError as error:
        raise _of_disk(error) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fetch:
    """What each way to bring a record needs."""

    job: FetchJob
    record: Record
    downloads: Downloads
    lines: Lines
    work: Path

    @property
    def tree(self) -> Path:
        return self.work / "tree"

    @property
    def packed(self) -> Path:
        """Where an archive lies until it is unpacked."""
        return self.work / "packed"

    def unpack(self, inside: str = "") -> Unpacked:
        """Unpack what was downloaded, and take it for the tree; nothing else stays."""
        self.lines.phase("Unpacking the archive")
        top = loose = self.work / "unpacked"
        shutil.rmtree(loose, ignore_errors=True)
        loose.mkdir()
        limits = self.job.limits
        bounds = Bounds(bytes=limits.bytes, files=limits.files, free=limits.free)
        unpacked = unpack(self.packed, loose, bounds, inside)
        self.packed.unlink()
        if unpacked.left_out:
            self.lines.log("Folders named .git are left out: programs run what their settings say.")
        first = list(loose.iterdir())
        alone = len(first) == 1 and first[0].is_dir() and not first[0].is_symlink()
        if alone and not inside and first[0].name not in BUILD_FOLDERS:
            top = first[0]
        self.tree.rmdir()
        top.rename(self.tree)
        shutil.rmtree(loose, ignore_errors=True)
        return unpacked


def _files(fetch: _Fetch) -> None:
    files = fetch.record.files
    fetch.lines.phase("Downloading the files of the record")
    if fetch.record.unpack:
        fetch.downloads.file(files[0].url, fetch.packed, size=files[0].size, checksum=files[0].checksum)
        if is_archive(fetch.packed, files[0].path):
            fetch.unpack()
            return
        target = _target(fetch.tree, files[0].path)
        fetch.packed.rename(target)
        return
    for file in files:
        target = _target(fetch.tree, file.path)
        fetch.downloads.file(file.url, target, size=file.size, checksum=file.checksum)


def _target(tree: Path, path: str) -> Path:
    """Return where the file *path* of a record goes; its folders are there. Raises `Failure` for a path out of the tree."""
    safe = safe_path(path)
    if safe is None or any(part.lower() in {".git", "git~1"} for part in safe.parts):
        raise Failure(
            "record_file_name",
            f"The record's file {path[:200]!r} has a name that no file may have.",
            file=path[:200],
        )
    target = tree / safe
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        raise Failure("record_file_name", f"The record has two files {path[:200]!r}.", file=path[:200])
    return target


def _bag(fetch: _Fetch) -> None:
    """Get a bag, which the archive packs when it is asked for, and look whether the resource is still what was asked for."""
    fetch.lines.phase("Waiting for the archive to pack the record")
    file = fetch.record.files[0]
    for pause in _pauses():
        with fetch.downloads.open(file.url) as answer:
            if answer.begins_with(_ZIP):
                fetch.lines.phase("Downloading the packed record")
                answer.save(fetch.packed)
                break
        time.sleep(pause)
    said = fetch.downloads.ask(fetch.record.asked)
    dates = said.get("dates") if isinstance(said, dict) else None
    rows = [one for one in dates if isinstance(one, dict)] if isinstance(dates, list) else []
    stamps = [one.get("start_date") for one in rows if one.get("type") == "modified"]
    if stamps[:1] != [fetch.record.stamp]:
        raise Failure(
            "record_changed",
            "The record was changed while it was fetched.",
            hint="Start again: the newest version is taken.",
        )
    unpacked = fetch.unpack(fetch.record.inside)
    _check_manifest(fetch, unpacked.beside.get(_MANIFEST, ""))


def _check_manifest(fetch: _Fetch, manifest: str) -> None:
    """Compare every file with the list of checksums a bag brings (RFC 8493); a bag of HydroShare always has one."""
    top = fetch.record.inside.partition("/")[2]
    wanted: dict[str, str] = {}
    for line in manifest.splitlines():
        digits, _, listed = line.strip().partition(" ")
        if listed.strip().startswith(f"{top}/"):
            wanted[listed.strip().removeprefix(f"{top}/")] = digits.lower()
    for path in sorted(fetch.tree.rglob("*")):
        name = path.relative_to(fetch.tree).as_posix()
        if path.is_symlink() or not path.is_file():
            continue
        with path.open("rb") as opened:
            actual = hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        if wanted.pop(name, "") != actual:
            raise damaged(name)
    for name in wanted:
        if ".git" not in name.lower().split("/"):
            raise damaged(name)


def _vault(fetch: _Fetch) -> None:
    """Have Software Heritage pack a folder, wait for it, and get it."""
    fetch.lines.phase("Waiting for the archive to pack the record")
    url = fetch.record.files[0].url
    said = fetch.downloads.ask(url, method="POST")
    for pause in _pauses():
        status = said.get("status") if isinstance(said, dict) else None
        if status == "failed":
            raise Failure(
                "source_failed", "Software Heritage could not pack this directory.", hint="Try again later."
            )
        if status == "done":
            break
        time.sleep(pause)
        said = fetch.downloads.ask(url)
    fetch.lines.phase("Downloading the packed record")
    where = said.get("fetch_url") if isinstance(said, dict) else None
    fetch.downloads.file(str(where), fetch.packed, size=-1, checksum="", start=url)
    fetch.unpack()


def damaged(name: str) -> Failure:
    """Return the failure of a file that is not what the archive says it is."""
    return Failure(
        "source_damaged",
        f"The file {name[:200]!r} is not what the archive's checksum says.",
        hint="Try again later; if it stays so, tell the people who run the archive.",
        file=name[:200],
    )


def _pauses() -> Iterator[float]:
    """Yield the pauses between looks, without end: the deadline of the whole fetch is the limit."""
    yield from _PAUSES
    while True:
        yield _PAUSES[-1]


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """End what is inside after *seconds*, wherever it waits: one byte a second keeps every other limit happy."""

    def late(_signal: int, _frame: object) -> None:
        raise Failure(
            "source_too_slow",
            f"The record was not fetched within {seconds:g} s.",
            hint="Try again later; a smaller record is fetched faster.",
        )

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _of_disk(error: OSError) -> Failure:
    """Return what a failed write means: names of a record may be longer than any file system takes."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return no_space()
    return Failure(
        "record_file_name",
        f"A file of the record cannot be written: {os.strerror(error.errno or 0)}.",
        hint="Names may have 255 bytes, and a file cannot be a folder as well.",
    )
