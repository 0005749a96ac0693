"""Which backend this machine can hold caps with: found by trying, never by asking what a machine is.

A trial makes a volume, writes 64 MiB more than its cap, and expects the file system to stop it at the cap.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from versatilehub.errors import EngineFailure, EngineUnavailable, StorageFailure, VersatileHubError
from versatilehub.storage.backend import TRIAL

from .soft import Soft

if TYPE_CHECKING:
    from collections.abc import Sequence

    from versatilehub.engine import Engine
    from versatilehub.storage.backend import Backend

ROLE: Final = "trial"
"""Label of what a trial makes."""
_CAP: Final = 16 << 20
_BEYOND: Final = 64 << 20
_WRITER: Final = """
import os
import sys
cap, beyond = int(sys.argv[1]), int(sys.argv[2])
piece, written = bytes(1 << 20), 0
try:
    with open("/v/full", "wb", buffering=0) as file:
        while written < cap + beyond:
            written += file.write(piece)
        os.fsync(file.fileno())
except OSError:
    sys.exit(0 if written <= cap else 3)
sys.exit(4)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A backend that was tried, and why it is not used."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The backend in use ("" when the one that was asked for does not work) and those that were tried before it."""

    name: str
    hard: bool
    rejected: tuple[Rejected, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return it as written into the state folder, for `doctor`."""
        return asdict(self)

    @property
    def reasons(self) -> str:
        """Why the others are not used, in one line."""
        return "; ".join(f"{one.name}: {one.reason}" for one in self.rejected)


async def choose(
    engine: Engine, backends: Sequence[Backend], *, wanted: str, image: str, require_hard: bool = False
) -> Choice:
    """Return the first of *backends* whose cap holds; *wanted* names one, or is "auto".

    Raises `StorageFailure` (``no_hard_cap``) when *require_hard* and none holds; `EngineUnavailable`: nothing could be tried.
    """
    rejected: list[Rejected] = []
    for backend in backends:
        if wanted not in {"auto", backend.name}:
            continue
        try:
            if not isinstance(backend, Soft):
                await prove(engine, backend, image=image)
        except EngineUnavailable:
            raise
        except VersatileHubError as error:
            rejected.append(Rejected(name=backend.name, reason=error.message.rstrip(".")))
            continue
        choice = Choice(name=backend.name, hard=backend.hard, rejected=tuple(rejected))
        break
    else:
        choice = Choice(name="", hard=False, rejected=tuple(rejected))
    if require_hard and not choice.hard:
        raise StorageFailure(
            f"require_hard_cap is set, and no storage backend holds a cap here. {choice.reasons}.",
            hint="Remove one of these reasons, or set require_hard_cap to False.",
            code="no_hard_cap",
        )
    return choice


async def prove(engine: Engine, backend: Backend, *, image: str) -> None:
    """Raise `VersatileHubError` with the reason unless a cap of *backend* holds; nothing of the trial stays."""
    await backend.usable()
    name = f"{TRIAL}{secrets.token_hex(8)}"
    labels = engine.labels("helper", extra={"versatilehub.role": ROLE})
    try:
        await backend.create(name, labels, _CAP)
        await backend.ready(name)
        code = await _write(engine, name, image=image)
    finally:
        await backend.remove(name)
    if code:
        raise StorageFailure(f"a volume of {_CAP >> 20} MiB took {(_CAP + _BEYOND) >> 20} MiB (exit {code})")


async def _write(engine: Engine, volume: str, *, image: str) -> int:
    container = f"{volume}-writer"
    spec = {
        "Image": image,
        "Entrypoint": ["python3", "-c", _WRITER, str(_CAP), str(_BEYOND)],
        "Cmd": [],
        "User": "0:0",
        "Labels": engine.labels("helper", extra={"versatilehub.role": ROLE}),
        "NetworkDisabled": True,
        "HostConfig": {
            "NetworkMode": "none",
            "CapDrop": ["ALL"],
            "CapAdd": ["DAC_OVERRIDE"],
            "ReadonlyRootfs": True,
            "LogConfig": {"Type": "none"},
            "Mounts": [
                {
                    "Type": "volume",
                    "Source": volume,
                    "Target": "/v",
                    "VolumeOptions": {"NoCopy": True},
                }
            ],
        },
    }
    try:
        await engine.containers.create(container, spec)
        await engine.containers.start(container)
        return await engine.containers.wait(container, limit=60)
    except EngineUnavailable as error:
        raise EngineFailure(error.message) from error
    finally:
        await engine.containers.remove(container)
