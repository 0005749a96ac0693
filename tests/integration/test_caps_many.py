"""Many capped volumes through stops, engine restarts and reboots: each stops at its cap, none loses a byte.

The usual run is a short one; `make soak` (VERSATILEHUB_SOAK=1) makes the founders' figure: 50 volumes, 20 rounds, 5 restarts, 3 reboots.
The engine that is killed is one of the test's own; the helper that attaches disks lives on the machine's.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from versatilehub.engine import Engine
from versatilehub.errors import EngineFailure
from versatilehub.storage.caps.attendant import Attendant
from versatilehub.storage.caps.loop import Loop

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.plugins.leftovers import SessionLabel
    from tests.secondengine import SecondEngine

MIB = 1 << 20
CAP = 16 * MIB
BATCH = 10
#: Fills the volume with what cannot be compressed or guessed; the last line of dd tells that it was stopped.
FILL = "dd if=/dev/urandom of=/v/$one/full bs=64k 2>/tmp/said; cat /tmp/said | while read line; do case $line in *left*) echo stopped;; esac; done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """How much is done."""

    volumes: int
    rounds: int
    restarts: int
    reboots: int


LENGTH = (
    Length(volumes=50, rounds=20, restarts=5, reboots=3)
    if os.environ.get("VERSATILEHUB_SOAK")
    else Length(volumes=12, rounds=2, restarts=1, reboots=2)
)


def batches(names: list[str]) -> list[list[str]]:
    """Return the volumes of each container."""
    return [names[at : at + BATCH] for at in range(0, len(names), BATCH)]


class Machine:
    """The engine that is killed, and containers on it that use the volumes as servers do."""

    def __init__(self, second: SecondEngine, image: str) -> None:
        self.second = second
        self.image = image

    def run(self, names: list[str], command: str, *options: str) -> str:
        """Run a shell line for each volume ($one) in one container; return what it printed."""
        mounts = [f"--volume={name}:/v/{name}" for name in names]
        line = f"for one in {' '.join(names)}; do {command}; done"
        return self.second.docker(
            "run",
            *options,
            "--network=none",
            "--user=1000:100",
            "--tmpfs=/tmp",
            *mounts,
            self.image,
            "sh",
            "-c",
            line,
        )

    def sums(self, names: list[str]) -> dict[str, str]:
        """Return the checksum of each volume's file."""
        found: dict[str, str] = {}
        for some in batches(names):
            for line in self.run(some, "sha256sum /v/$one/full", "--rm").splitlines():
                digest, path = line.split()
                found[Path(path).parent.name] = digest
        return found

    def hold(self, names: list[str]) -> None:
        """Leave containers running that have the volumes and keep on writing to them, which a full one refuses."""
        line = "while :; do for any in /v/*; do echo more >> $any/more; done; sleep 1; done"
        for some in batches(names):
            self.run(some, line, "-d", "--stop-signal=KILL")


def reboot(names: list[str]) -> None:
    """Take every device and link away, as a reboot does."""
    for name in names:
        link = Path("/dev/vhub") / name
        subprocess.run(["losetup", "--detach", str(link.resolve())], check=True)
        link.unlink()


@pytest.mark.req("P10", "S9")
@pytest.mark.timeout(3600 if os.environ.get("VERSATILEHUB_SOAK") else 240)
async def test_no_volume_passes_its_cap_and_none_loses_a_byte(
    make_engine: Callable[..., SecondEngine], session_label: SessionLabel, tmp_path: Path
) -> None:
    """Full volumes keep their bytes over starts, kills of the engine under running servers, and devices in another order."""
    second = make_engine().start()
    machine = Machine(second, second.take_shell())
    hub = f"t{secrets.token_hex(4)}"
    here, there = Engine(hub=hub, labels=session_label.labels), Engine(hub=hub, url=second.url)
    attendant = Attendant(here, image="versatilehub/builder:latest", store=str(tmp_path / "store"))
    loop = Loop(there, attendant, free=0)
    names = [f"vh-{hub}-{index}" for index in range(LENGTH.volumes)]
    labels = there.labels("volume", owner="ann", server="lab")

    async def made_ready() -> None:
        order = random.sample(names, len(names))
        await asyncio.gather(*(loop.ready(name) for name in order))

    try:
        await asyncio.gather(*(loop.create(name, labels, CAP) for name in names))
        told = "".join(machine.run(some, FILL, "--rm") for some in batches(names))
        assert LENGTH.volumes == told.count("stopped")
        sizes = await loop.measure(names)
        assert all(CAP * 0.8 < found.used <= found.limit <= CAP for found in sizes.values())
        assert LENGTH.volumes == len(sizes)

        before = machine.sums(names)
        assert LENGTH.volumes == len(set(before.values()))
        for _ in range(LENGTH.rounds):
            await made_ready()
            assert before == machine.sums(names)
        for _ in range(LENGTH.restarts):
            machine.hold(names)
            await asyncio.to_thread(second.kill)
            await asyncio.to_thread(second.start)
            second.docker("container", "prune", "--force")
            await made_ready()
            assert before == machine.sums(names)
        for _ in range(LENGTH.reboots):
            await asyncio.to_thread(second.stop)
            reboot(names)
            await asyncio.to_thread(second.start)
            await made_ready()
            assert before == machine.sums(names)
    finally:
        with suppress(EngineFailure):
            await asyncio.gather(*(loop.remove(name) for name in names), return_exceptions=True)
        await attendant.close()
        await here.close()
        await there.close()
    assert [] == list((tmp_path / "store").iterdir())
