"""A folder tree that may be hostile, reached by descriptors only: no link in it is ever followed.

Every path is walked part by part from an open folder with ``O_NOFOLLOW``, so nothing outside is read or written,
whatever stands there. Files appear whole, by rename within the same volume.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Self

from versatilehub_builder.placement import Entry, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 20


class Blocked(Exception):
    """Something that is no folder stands where a folder must be; *path* says where."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Tree:
    """The tree below *top*. New files and folders belong to *owner* (uid, gid), where we may give them away."""

    def __init__(self, top: str | os.PathLike[str] | int, owner: tuple[int, int] | None = None) -> None:
        self._top = os.dup(top) if isinstance(top, int) else os.open(top, _FOLDER)
        self.owner = owner if os.geteuid() == 0 else None
        self._cached: tuple[str, int] = ("", self._top)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.forget()
        os.close(self._top)

    def forget(self) -> None:
        """Close the folder of the last path; needed after folders were moved."""
        path, handle = self._cached
        if path:
            os.close(handle)
        self._cached = ("", self._top)

    def folder(self, path: str, *, make: bool = False) -> int:
        """Return a descriptor of the folder *path*, good until the next call.

        Raises `Blocked`, or FileNotFoundError without *make*.
        """
        if path == self._cached[0]:
            return self._cached[1]
        handle, walked = os.dup(self._top), ""
        try:
            for part in path.split("/") if path else ():
                walked = f"{walked}/{part}" if walked else part
                inner = self._enter(handle, part, walked, make=make)
                os.close(handle)
                handle = inner
        except BaseException:
            os.close(handle)
            raise
        self.forget()
        self._cached = (path, handle) if path else ("", self._top)
        if not path:
            os.close(handle)
        return self._cached[1]

    def _enter(self, parent: int, name: str, walked: str, *, make: bool) -> int:
        try:
            return os.open(name, _FOLDER, dir_fd=parent)
        except FileNotFoundError:
            if not make:
                raise
        except OSError as error:
            raise Blocked(walked) from error
        os.mkdir(name, 0o755, dir_fd=parent)
        handle = os.open(name, _FOLDER, dir_fd=parent)
        if self.owner:
            os.fchown(handle, *self.owner)
        return handle

    def entry(self, path: str) -> Entry | None:
        """Return what stands at *path*, None for nothing."""
        folder, name = _split(path)
        try:
            parent = self.folder(folder)
            state = os.stat(name, dir_fd=parent, follow_symlinks=False)
            return self._entry(parent, name, state)
        except FileNotFoundError:
            return None
        except Blocked as blocked:
            return Entry(kind=Kind.BLOCKED, mark=blocked.path)

    @staticmethod
    def _entry(parent: int, name: str, state: os.stat_result) -> Entry:
        if stat.S_ISREG(state.st_mode):
            return Entry(kind=Kind.FILE, mark=_digest(parent, name), executable=bool(state.st_mode & 0o100))
        if stat.S_ISLNK(state.st_mode):
            return Entry(kind=Kind.LINK, mark=os.readlink(name, dir_fd=parent))
        return Entry(kind=Kind.FOLDER if stat.S_ISDIR(state.st_mode) else Kind.OTHER)

    def walk(self, skip: frozenset[str] = frozenset()) -> Iterator[tuple[str, Entry]]:
        """Yield every file and link with its entry, without the top folders of *skip*; unreadable ones are left out."""
        folders = [""]
        while folders:
            folder = folders.pop()
            with os.scandir(self.folder(folder)) as found:
                names = sorted((each.name, each.is_dir(follow_symlinks=False)) for each in found)
            for name, is_folder in names:
                path = f"{folder}/{name}" if folder else name
                if path in skip:
                    continue
                if is_folder:
                    folders.append(path)
                    continue
                with contextlib.suppress(PermissionError):
                    entry = self.entry(path)
                    if entry and entry.kind in {Kind.FILE, Kind.LINK}:
                        yield path, entry

    def copy(self, source: Tree, path: str, entry: Entry, staging: Tree) -> None:
        """Bring *path* from *source* by way of *staging* (same volume); a folder in the way goes if it is empty.

        Raises OSError, with this tree as it was.
        """
        folder, name = _split(path)
        half = hashlib.sha256(os.fsencode(path)).hexdigest()
        room = staging.folder("")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(half, dir_fd=room)
        if entry.kind is Kind.LINK:
            os.symlink(entry.mark, half, dir_fd=room)
            if self.owner:
                os.chown(half, *self.owner, dir_fd=room, follow_symlinks=False)
        else:
            _copy_file(source.folder(folder), name, room, half)
            self._finish(room, half, executable=entry.executable)
        target = self.folder(folder, make=True)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.rmdir(name, dir_fd=target)  # raises if the person has files in it
        os.replace(half, name, src_dir_fd=room, dst_dir_fd=target)

    def _finish(self, room: int, name: str, *, executable: bool) -> None:
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=room)
        try:
            os.fchmod(handle, 0o755 if executable else 0o644)
            if self.owner:
                os.fchown(handle, *self.owner)
        finally:
            os.close(handle)

    def write(self, path: str, content: bytes, staging: Tree) -> None:
        """Write a small file whole, over whatever file or link is there."""
        folder, name = _split(path)
        half, room = "text-" + hashlib.sha256(os.fsencode(path)).hexdigest(), staging.folder("")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(half, dir_fd=room)
        handle = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644, dir_fd=room)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self._finish(room, half, executable=False)
        os.replace(half, name, src_dir_fd=room, dst_dir_fd=self.folder(folder, make=True))

    def read(self, path: str, most: int) -> bytes | None:
        """Return a regular file's content, None if it is none or larger than *most* bytes."""
        folder, name = _split(path)
        try:
            handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=self.folder(folder))
        except (OSError, Blocked):
            return None
        with os.fdopen(handle, "rb") as file:
            state = os.fstat(handle)
            if not stat.S_ISREG(state.st_mode) or state.st_size > most:
                return None
            return file.read(most)

    def remove(self, path: str) -> None:
        """Remove a file or link, and the folders above it that this left empty."""
        folder, name = _split(path)
        with contextlib.suppress(FileNotFoundError, Blocked):
            os.unlink(name, dir_fd=self.folder(folder))
        while folder:
            parent, last = _split(folder)
            self.forget()
            try:
                os.rmdir(last, dir_fd=self.folder(parent))
            except (OSError, Blocked):
                return
            folder = parent

    def remove_tree(self, name: str) -> None:
        """Remove what stands at the top name *name*, whatever it is."""
        self.forget()
        try:
            os.unlink(name, dir_fd=self._top)
        except FileNotFoundError:
            return
        except (IsADirectoryError, PermissionError):
            _remove_folder(self._top, name)

    def rename(self, old: str, new: str) -> None:
        """Rename at the top; *new* must not be there."""
        self.forget()
        os.rename(old, new, src_dir_fd=self._top, dst_dir_fd=self._top)

    def names(self) -> set[str]:
        """The names at the top."""
        return set(os.listdir(self._top))  # noqa: PTH208 - a descriptor, not a path


def safe_path(path: str) -> bool:
    """Whether *path* is relative, plain and leads nowhere else: what a manifest may name."""
    parts = path.split("/")
    return bool(path) and "\0" not in path and not any(part in {"", ".", ".."} for part in parts)


def _split(path: str) -> tuple[str, str]:
    pure = PurePosixPath(path)
    parent = str(pure.parent)
    return ("" if parent == "." else parent), pure.name


def _digest(parent: int, name: str) -> str:
    handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
    with os.fdopen(handle, "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy_file(source: int, name: str, room: int, half: str) -> None:
    reading = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        writing = os.open(half, flags, 0o600, dir_fd=room)
        try:
            while os.sendfile(writing, reading, None, _CHUNK):
                pass
        except BaseException:
            os.unlink(half, dir_fd=room)
            raise
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def _remove_folder(parent: int, name: str) -> None:
    handle = os.open(name, _FOLDER, dir_fd=parent)
    try:
        with os.scandir(handle) as found:
            names = [(each.name, each.is_dir(follow_symlinks=False)) for each in found]
        for inner, is_folder in names:
            if is_folder:
                _remove_folder(handle, inner)
            else:
                os.unlink(inner, dir_fd=handle)
    finally:
        os.close(handle)
    os.rmdir(name, dir_fd=parent)
