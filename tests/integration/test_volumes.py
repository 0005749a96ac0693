"""Server volumes on a real engine."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

import pytest

from tests.buildsite import BASE, remove_all
from versatilehub.engine import Engine
from versatilehub.errors import EngineConflict
from versatilehub.storage.volumes import Volumes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.plugins.leftovers import SessionLabel


@pytest.fixture
async def engine(session_label: SessionLabel) -> AsyncIterator[Engine]:
    """An engine of a fresh hub id."""
    opened = Engine(hub=f"t{secrets.token_hex(4)}", labels=session_label.labels)
    yield opened
    await remove_all(opened)
    await opened.close()


async def test_a_server_has_one_volume_however_often_it_is_asked_for(engine: Engine) -> None:
    """Ten starts at once and one later get the same volume, and another server gets another."""
    volumes = Volumes(engine)
    found = await asyncio.gather(*(volumes.ensure("ann", "lab") for _ in range(10)))

    assert 1 == len({one.name for one in found})
    assert found[0] == await Volumes(engine).ensure("ann", "lab")
    assert found[0].name != (await volumes.ensure("ann", "")).name
    assert {"lab", ""} == {one.server for one in await volumes.list(owner="ann")}


async def test_a_volume_name_never_comes_back(engine: Engine) -> None:
    """A server made anew after its volume went gets a volume of a new name."""
    volumes = Volumes(engine)
    first = await volumes.ensure("ann", "lab")
    await volumes.remove(first.name)

    assert None is await volumes.find("ann", "lab")
    assert first.name != (await volumes.ensure("ann", "lab")).name


async def test_a_name_of_somebody_else_is_refused(engine: Engine) -> None:
    """A volume another person has is not given by its name."""
    volumes = Volumes(engine)
    hers = await volumes.ensure("ann", "lab")

    with pytest.raises(EngineConflict):
        await volumes.ensure("bob", "lab", name=hers.name)


async def test_a_volume_in_use_stays(engine: Engine) -> None:
    """While a container has it, even one that never ran, a volume is not removed."""
    volumes = Volumes(engine)
    volume = await volumes.ensure("ann", "lab")
    mounts = [{"Type": "volume", "Source": volume.name, "Target": "/x"}]
    spec = {"Image": BASE, "Labels": engine.labels("helper"), "HostConfig": {"Mounts": mounts}}
    container = await engine.containers.create(f"{engine.hub}-user", spec)

    with pytest.raises(EngineConflict):
        await volumes.remove(volume.name)
    await engine.containers.remove(container)
    await volumes.remove(volume.name)
    assert [] == await volumes.list()
