"""Capped volumes as ext4 images on loop devices: made, attached, checked, grown, removed; each step may be repeated.

A volume NAME is the file NAME.img in the store, and /dev/vhub/NAME leads to its device. Device numbers change with every boot, and
a volume named by one would show another person's files; the link is made anew only after the image's own UUID was compared.
Space is reserved when the image is made, so that a full store cannot take what was already written.
"""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from versatilehub_builder import ext4
from versatilehub_builder.lines import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LINKS: Final = Path("/dev/vhub")
_SPARE: Final = 1 << 20
_FIXED: Final = 2
"""e2fsck ends with 0 (clean), 1 (repaired) or 2 (repaired, reboot if it was mounted)."""


class Loops:
    """The images of one store; safe from several threads as long as each volume is worked on by one."""

    def __init__(self, store: Path, links: Path = LINKS) -> None:
        self._store = store
        self._links = links
        self._admission = threading.Lock()  # two volumes at once must not both take the last free space
        self._attaching = threading.Lock()  # two at once may find the same free device

    def create(self, name: str, uuid: str, *, size: int, free: int) -> Mapping[str, str]:
        """Make the image of *size* bytes if there is none, and attach it; *free* bytes stay free in the store."""
        if not self._image(name).exists():
            self._make(name, uuid, size=size, free=free)
        return self.attach(name, uuid)

    def _make(self, name: str, uuid: str, *, size: int, free: int) -> None:
        half, image = self._store / f"{name}.half", self._image(name)
        half.unlink(missing_ok=True)  # of a run that was killed
        try:
            with self._admission:
                self._reserve(half, 0, size, free)
            _run(*_MKFS, "-U", uuid, str(half))
            _empty(half)
            with half.open("rb") as made:
                os.fsync(made.fileno())
            half.rename(image)
        except BaseException:
            half.unlink(missing_ok=True)
            raise
        self._sync_store()

    def _reserve(self, path: Path, start: int, size: int, free: int) -> None:
        """Give *path* the bytes from *start* to *size* for certain, or raise before anything is written."""
        there, wanted = self.free(), size - start
        if there - wanted < free:
            raise _store_full(there, wanted, free)
        with path.open("ab") as file:
            try:
                os.posix_fallocate(file.fileno(), start, wanted)
            except OSError as error:
                os.ftruncate(file.fileno(), start)
                if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                    raise
                raise _store_full(self.free(), wanted, free) from error
            path.chmod(0o600)

    def attach(self, name: str, uuid: str) -> Mapping[str, str]:
        """Attach the image, checked, and lead the link to its device; return the device."""
        image = self._image(name)
        if not image.exists():
            raise Failure(
                "volume_lost",
                f"The disk image {image.name} is not in the volume store.",
                hint=f"An administrator can put the store back, or {image.name} from a backup.",
            )
        _same(image, uuid)
        with self._attaching:
            device = self._device(image)
            if device is None:
                _check(image)
                device = Path(_run("losetup", "--find", "--show", "--nooverlap", "--", str(image)))
            elif not _busy(device):
                _check(device)
            if not _busy(device):
                _spare(device)
        _same(device, uuid)
        self._link(name, device)
        return {"device": str(device)}

    def _device(self, image: Path) -> Path | None:
        """Return the device of *image*, found by inode; of several (of a run that was killed) keep one."""
        found = [Path(line.strip()) for line in _run(*_LIST, "--associated", str(image)).splitlines()]
        kept = next((one for one in found if _busy(one)), next(iter(found), None))
        for extra in found:
            if extra != kept:
                if _busy(extra):
                    raise Failure("volume_mixed_up", f"{image.name} is mounted on {kept} and on {extra}.")
                _run("losetup", "--detach", str(extra))
        return kept

    def _link(self, name: str, device: Path) -> None:
        link = self._links / name
        with contextlib.suppress(OSError):
            if link.readlink() == device:
                return
        self._links.mkdir(mode=0o700, exist_ok=True)
        fresh = self._links / f"{name}.new"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(device)
        fresh.replace(link)

    def grow(self, name: str, uuid: str, *, size: int, free: int) -> Mapping[str, str]:
        """Enlarge an image that nothing uses, and its file system."""
        device = Path(self.attach(name, uuid)["device"])
        image = self._image(name)
        now = image.stat().st_size
        if size < now:
            raise Failure("cap_lowered", f"The volume has {now} bytes and cannot be made smaller, to {size}.")
        if _busy(device):
            raise _in_use(name)
        if size > now:
            with self._admission:
                self._reserve(image, now, size, free)
        _run("losetup", "--set-capacity", str(device))
        _check(device, "-f")
        _run("resize2fs", str(device))
        return {"device": str(device)}

    def remove(self, name: str) -> Mapping[str, str]:
        """Detach and delete the image; one that is gone is fine."""
        image = self._image(name)
        if image.exists():
            device = self._device(image)
            if device is not None:
                if _busy(device):
                    raise _in_use(name)
                _run("losetup", "--detach", str(device))
        (self._links / name).unlink(missing_ok=True)
        image.unlink(missing_ok=True)
        (self._store / f"{name}.half").unlink(missing_ok=True)
        self._sync_store()
        return {}

    def measure(self, names: Iterable[str]) -> Mapping[str, Mapping[str, int]]:
        """Return used and total bytes of each volume; one that cannot be read is left out."""
        found = {}
        for name in names:
            link = self._links / name
            with contextlib.suppress(OSError, Failure):
                seen = ext4.read(link if link.exists() else self._image(name))
                found[name] = {"used": seen.used, "total": seen.total}
        return found

    def names(self) -> list[str]:
        """Return every image there is."""
        return sorted(path.stem for path in self._store.glob("*.img"))

    def free(self) -> int:
        """Return the bytes free in the store."""
        space = os.statvfs(self._store)
        return space.f_bavail * space.f_frsize

    def _image(self, name: str) -> Path:
        return self._store / f"{name}.img"

    def _sync_store(self) -> None:
        folder = os.open(self._store, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _same(path: Path, uuid: str) -> None:
    found = ext4.read(path).uuid
    if found != uuid:
        raise Failure(
            "volume_mixed_up",
            f"{path.name} holds the file system {found}, and the volume's is {uuid}.",
            hint="An administrator must find out which disk image was put in its place; nothing was changed.",
        )


def _busy(device: Path) -> bool:
    """Tell whether it is mounted, in whatever namespace: the kernel refuses an exclusive opening then."""
    try:
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL))
    except OSError as error:
        if error.errno == errno.EBUSY:
            return True
        raise
    return False


def _check(path: Path, *options: str) -> None:
    """Repair what an unclean stop leaves; what needs a person's decision is a `Failure`."""
    done = _done("e2fsck", *options, "-p", str(path))
    if not 0 <= done.returncode <= _FIXED:
        raise Failure(
            "volume_damaged",
            f"The file system of {path.name} is damaged: {_words(done)}",
            hint="An administrator can copy the disk image, run `e2fsck -f` on it, and have the server started again.",
        )
    if done.returncode:
        _empty(path)  # a full check makes lost+found anew


def _spare(device: Path) -> None:
    """Keep a little back while there is room, and give it away at the next start of a full volume.

    A server makes files of its own when it starts (~/.jupyter, ~/.ipython): without room for them its owner could not get in to delete.
    """
    found = ext4.read(device)
    wanted = min(_SPARE, found.space // 64)
    if found.room < 2 * wanted:
        wanted = 0
    if found.spare // found.block != wanted // found.block:
        _run("tune2fs", "-r", str(wanted // found.block), str(device))


def _empty(path: Path) -> None:
    """Remove lost+found if nothing is in it: Docker fills a new volume with the image's home only when it is empty."""
    _run("debugfs", "-w", "-R", "rmdir lost+found", str(path))


def _run(*command: str) -> str:
    """Run a tool and return its output; an exit code other than 0 is a `Failure` with its own words."""
    done = _done(*command)
    if done.returncode:
        raise Failure("storage_failed", f"{command[0]} ended with {done.returncode}: {_words(done)}")
    return done.stdout.strip()


def _done(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def _words(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join((done.stderr or done.stdout).split())[-400:]


def _in_use(name: str) -> Failure:
    return Failure("volume_in_use", f"The volume {name} is in use.", hint="Stop the servers that have it.")


def _store_full(there: int, wanted: int, free: int) -> Failure:
    return Failure(
        "store_full",
        f"The volume store has {there} bytes free, and {wanted} are wanted with {free} to stay free.",
        hint="Delete a server you no longer need, or ask an administrator for space.",
    )


_MKFS: Final = (
    "mkfs.ext4",
    "-q",
    "-F",
    "-m",
    "0",
    "-E",
    # Without lazy_journal_init each image takes 66 MB at once; discards would give the reserved space back.
    "root_owner=1000:100,lazy_itable_init=1,lazy_journal_init=1,nodiscard",
)
_LIST: Final = ("losetup", "--noheadings", "--output", "NAME")
