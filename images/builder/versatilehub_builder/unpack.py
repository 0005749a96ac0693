"""Archives, unpacked without trust: no path out of the folder, no device, no more than the limits, whatever it declares.

Links are made last and only as they are: `check_tree` looks where they lead. Nothing is written through one.
"""

from __future__ import annotations

import os
import re
import stat
import tarfile
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Final

from versatilehub_builder.gitrun import no_space
from versatilehub_builder.lines import Failure
from versatilehub_builder.tree import too_large, too_many_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK: Final = 1 << 16
_TARS: Final = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_MOST_BESIDE: Final = 16 << 20
_LINK: Final = 4096


@dataclass(slots=True, kw_only=True)
class Unpacked:
    """What came of it: whether a ``.git`` was *left_out*, and the texts of small files *beside* the folder that was wanted."""

    left_out: bool = False
    beside: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """One entry: its path as the archive spells it, its kind, and its content while it is at hand."""

    name: str
    folder: bool = False
    link: str | None = None
    run: bool = False
    content: IO[bytes] | None = None


def is_archive(path: Path, name: str) -> bool:
    """Tell whether the file at *path*, called *name*, is a zip, or a tar by its name too."""
    return zipfile.is_zipfile(path) or (name.lower().endswith(_TARS) and tarfile.is_tarfile(path))


def safe_path(name: str) -> PurePosixPath | None:
    """Return *name* as a path below a folder, None when it is none: absolute, with "..", backslashes or controls."""
    if re.search(r"[\x00-\x1f\x7f\\]", name) or name.startswith("/") or name[1:2] == ":":
        return None
    path = PurePosixPath(name)
    return None if not path.parts or ".." in path.parts else path


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What may come out of an archive, in *bytes* and *files*, and how many bytes must stay *free* on the disk."""

    bytes: int
    files: int
    free: int = 0


def unpack(source: Path, target: Path, bounds: Bounds, inside: str = "") -> Unpacked:
    """Unpack *source* into the empty folder *target*; with *inside*, only what is in that folder of it.

    Raises `Failure`: ``archive_path_refused``, ``special_file``, ``tree_too_large``, ``too_many_files``, ``source_damaged``,
    ``no_space``.
    """
    packer = _Packer(target=target, bounds=bounds, inside=inside)
    try:
        with source.open("rb") as file:
            members = _zip(file) if zipfile.is_zipfile(file) else _tar(source)
            for member in members:
                packer.take(member)
        packer.make_links()
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise Failure(
            "source_damaged",
            f"The archive cannot be unpacked: {str(error)[:200] or type(error).__name__}.",
            hint="Download it and try to unpack it; archives with a password cannot be used.",
        ) from error
    return packer.unpacked


class _Packer:
    """Writes members into the folder, and counts."""

    def __init__(self, *, target: Path, bounds: Bounds, inside: str) -> None:
        self._target = target
        self._bounds = bounds
        self._inside = PurePosixPath(inside)
        self._bytes = self._files = 0
        self._links: list[tuple[Path, str]] = []
        self.unpacked = Unpacked()

    def take(self, member: _Member) -> None:
        self._files += 1
        if self._files > self._bounds.files:
            raise too_many_files(self._files, self._bounds.files)
        path = safe_path(member.name)
        if path is None:
            if member.folder and not member.name.strip("./"):
                return  # "./", the top itself
            raise _leaves(member.name)
        if any(part.lower() in {".git", "git~1"} for part in path.parts):
            self.unpacked.left_out = True
            return
        if self._inside.parts:
            if not path.is_relative_to(self._inside):
                self._keep_beside(path, member)
                return
            path = path.relative_to(self._inside)
        self._write(self._target / path, member)

    def make_links(self) -> None:
        for path, target in self._links:
            if any(folder.is_symlink() for folder in path.parents if folder.is_relative_to(self._target)):
                raise _leaves(str(path.relative_to(self._target)))
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_symlink():
                path.unlink()
            path.symlink_to(target)

    def _write(self, path: Path, member: _Member) -> None:
        if member.folder:
            path.mkdir(parents=True, exist_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if member.link is not None:
            self._links.append((path, member.link))
            return
        mode = 0o755 if member.run else 0o644
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with os.fdopen(os.open(path, flags, mode), "wb") as file:
            for chunk in self._counted(member):
                file.write(chunk)

    def _counted(self, member: _Member) -> Iterator[bytes]:
        while member.content and (chunk := member.content.read(_CHUNK)):
            self._bytes += len(chunk)
            if self._bytes > self._bounds.bytes:
                raise too_large(self._bytes, self._bounds.bytes)
            disk = os.statvfs(self._target)
            if disk.f_bavail * disk.f_frsize < self._bounds.free:
                raise no_space()
            yield chunk

    def _keep_beside(self, path: PurePosixPath, member: _Member) -> None:
        if member.content and path.parent == PurePosixPath(*self._inside.parts[:1]) and path.suffix == ".txt":
            text = b""
            for chunk in self._counted(member):
                text += chunk
                if len(text) > _MOST_BESIDE:
                    raise too_large(len(text), _MOST_BESIDE)
            self.unpacked.beside[path.name] = text.decode("utf-8", "replace")


def _zip(file: IO[bytes]) -> Iterator[_Member]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            mode = info.external_attr >> 16
            if info.is_dir():
                yield _Member(name=info.filename, folder=True)
            elif stat.S_ISLNK(mode):
                with archive.open(info) as content:
                    yield _Member(name=info.filename, link=_link_text(content))
            elif stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
                raise _special(info.filename)
            else:
                with archive.open(info) as content:
                    yield _Member(name=info.filename, run=bool(mode & 0o100), content=content)


def _tar(source: Path) -> Iterator[_Member]:
    with tarfile.open(source, "r:*") as archive:
        for info in archive:
            if info.isdir():
                yield _Member(name=info.name + "/", folder=True)
            elif info.issym():
                yield _Member(name=info.name, link=info.linkname)
            elif not info.isreg():
                raise _special(info.name)
            else:
                yield _Member(name=info.name, run=bool(info.mode & 0o100), content=archive.extractfile(info))


def _link_text(content: IO[bytes]) -> str:
    text = content.read(_LINK)
    if not text or b"\0" in text or content.read(1):
        raise Failure("source_damaged", "The archive holds a link that leads nowhere.")
    return os.fsdecode(text)


def _leaves(name: str) -> Failure:
    return Failure(
        "archive_path_refused",
        f"The archive holds the path {name[:200]!r}, which leads out of its folder.",
        hint="Pack it again with plain relative paths.",
        file=name[:200],
    )


def _special(name: str) -> Failure:
    return Failure("special_file", f"{name[:200]!r} is neither file, folder nor link.", file=name[:200])
