"""What an ext4 file system says of itself, read from its device or image without mounting it.

The superblock's own count of free blocks is old while the file system is mounted; the group descriptors are current, because a
mounted ext4 keeps them in the very page cache that a read of its device sees. Layout: kernel.org/doc/html/latest/filesystems/ext4.
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from versatilehub_builder.lines import Failure

if TYPE_CHECKING:
    from pathlib import Path

_OFFSET: Final = 1024
_MAGIC: Final = 0xEF53
_INCOMPAT_64BIT: Final = 0x80
_SMALL_DESCRIPTOR: Final = 32
_KEPT_BLOCKS: Final = 4096
"""ext4 lets nobody have its last 2 %, at most so many blocks: it needs them to write what it has promised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSystem:
    """*uuid* in its usual spelling; *space* and *free* bytes for files; *spare* of the free ones are for root, *kept* the kernel's."""

    uuid: str
    block: int
    space: int
    free: int
    spare: int
    kept: int

    @property
    def room(self) -> int:
        """Bytes that files could still take, the spare included."""
        return self.free - self.kept

    @property
    def used(self) -> int:
        """Bytes in use, as `df` tells them."""
        return self.space - self.free

    @property
    def total(self) -> int:
        """The most bytes a person's files can take."""
        return self.space - self.spare - self.kept


def read(path: Path) -> FileSystem:
    """Read the file system on *path*; `Failure` (``volume_damaged``) when there is none."""
    with path.open("rb") as disk:
        disk.seek(_OFFSET)
        head = disk.read(1024)
        if len(head) < 1024 or _u16(head, 0x38) != _MAGIC:
            raise Failure("volume_damaged", f"There is no ext4 file system on {path.name}.")
        block = 1024 << _u32(head, 0x18)
        wide = bool(_u32(head, 0x60) & _INCOMPAT_64BIT)
        blocks = _u32(head, 0x4) | (_u32(head, 0x150) << 32 if wide else 0)
        first, per_group = _u32(head, 0x14), _u32(head, 0x20)
        groups = -(-(blocks - first) // per_group)
        size = _u16(head, 0xFE) if wide else _SMALL_DESCRIPTOR
        disk.seek((first + 1) * block)
        table = disk.read(groups * size)
    free = sum(_free(table[at : at + size]) for at in range(0, len(table), size))
    return FileSystem(
        uuid=str(uuid.UUID(bytes=head[0x68:0x78])),
        block=block,
        space=(blocks - _u32(head, 0x248)) * block,
        free=free * block,
        spare=_u32(head, 0x8) * block,
        kept=min(blocks // 50, _KEPT_BLOCKS) * block,
    )


def _free(descriptor: bytes) -> int:
    high = _u16(descriptor, 0x2C) if len(descriptor) > _SMALL_DESCRIPTOR else 0
    return _u16(descriptor, 0xC) | high << 16


def _u16(raw: bytes, at: int) -> int:
    return int(struct.unpack_from("<H", raw, at)[0])


def _u32(raw: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", raw, at)[0])
