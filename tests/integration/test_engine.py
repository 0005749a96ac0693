"""The door to Docker, against a real engine."""

from __future__ import annotations

import io
import secrets
import tarfile
from typing import TYPE_CHECKING

import pytest

from tests.buildsite import BASE, remove_all
from versatilehub.engine import Engine
from versatilehub.errors import EngineConflict, EngineFailure, EngineNotFound, EngineUnavailable

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


def _spec(engine: Engine, script: str) -> dict[str, object]:
    return {"Image": BASE, "Entrypoint": ["/bin/sh", "-c", script], "Labels": engine.labels("helper")}


def test_our_labels_win(session_label: SessionLabel) -> None:
    """Extra labels cannot replace the record, empty fields are left out, the default server's "" is kept."""
    engine = Engine(hub="h1", labels={**session_label.labels, "versatilehub.hub": "other"})
    labels = engine.labels("volume", owner="ann", server="", extra={"versatilehub.owner": "bob", "x": "y"})

    assert ("h1", "ann", "", "y") == tuple(
        labels[key] for key in ("versatilehub.hub", "versatilehub.owner", "versatilehub.server", "x")
    )
    assert "versatilehub.source" not in labels
    assert "versatilehub.test" in labels


async def test_absence_is_typed(engine: Engine) -> None:
    """What does not exist is `EngineNotFound`, or None where one asks whether it exists; removing it is fine."""
    for part in (engine.images, engine.containers, engine.volumes):
        with pytest.raises(EngineNotFound):
            await part.inspect("vh-no-such-thing")
        assert None is await part.find("vh-no-such-thing")
        await part.remove("vh-no-such-thing")


async def test_a_taken_name_is_typed(engine: Engine) -> None:
    """A second container of one name is `EngineConflict`."""
    name = f"{engine.hub}-one"
    await engine.containers.create(name, _spec(engine, "true"))

    with pytest.raises(EngineConflict):
        await engine.containers.create(name, _spec(engine, "true"))


@pytest.mark.parametrize(
    "url", [pytest.param("unix:///nonexistent.sock", id="unix"), pytest.param("tcp://127.0.0.1:1", id="tcp")]
)
async def test_an_engine_that_does_not_answer_is_unavailable(url: str) -> None:
    """No engine behind the address is `EngineUnavailable`, whatever the kind of address."""
    engine = Engine(url=url)
    with pytest.raises(EngineUnavailable):
        await engine.ping()
    await engine.close()


async def test_a_container_lives_and_ends(engine: Engine) -> None:
    """Create, start, follow, wait, inspect: the log comes from the first line, again after the end."""
    name = await engine.containers.create(
        f"{engine.hub}-two", _spec(engine, "echo one; echo two; echo err >&2; printf three; exit 3")
    )
    await engine.containers.start(name)
    lines = [line async for batch in engine.containers.logs(name) for line in batch]

    assert ["one", "two", "three"] == lines
    assert 3 == await engine.containers.wait(name)
    assert ("exited", 3) == (
        (await engine.containers.inspect(name)).state,
        (await engine.containers.inspect(name)).exit_code,
    )
    assert lines == [line async for batch in engine.containers.logs(name) for line in batch]
    assert [name] == [one.id for one in await engine.containers.list({"versatilehub.hub": engine.hub})]


async def test_a_long_line_arrives_whole(engine: Engine) -> None:
    """A line longer than Docker's 16 KiB pieces, with letters of several bytes, is one line again."""
    script = "i=0; while [ $i -lt 20000 ]; do printf 'äö'; i=$((i+1)); done; echo"
    name = await engine.containers.create(f"{engine.hub}-long", _spec(engine, script))
    await engine.containers.start(name)

    assert ["äö" * 20000] == [line async for batch in engine.containers.logs(name) for line in batch]


async def test_waiting_has_a_limit(engine: Engine) -> None:
    """A container that does not end in time is `EngineUnavailable` to whoever waits."""
    name = await engine.containers.create(f"{engine.hub}-slow", _spec(engine, "exec sleep 60"))
    await engine.containers.start(name)

    with pytest.raises(EngineUnavailable, match=r"0\.2 s"):
        await engine.containers.wait(name, limit=0.2)
    await engine.containers.kill(name)
    await engine.containers.kill(name)


async def test_files_of_a_container_that_never_ran(engine: Engine) -> None:
    """A file of an image can be read, and not beyond the limit; what a path is can be told, also that it is nothing."""
    name = await engine.containers.create(f"{engine.hub}-tar", _spec(engine, "true"))
    found = await engine.containers.get_archive(name, "/etc/hostname", most=100_000)
    with tarfile.open(fileobj=io.BytesIO(found)) as tar:
        assert ["hostname"] == tar.getnames()
    with pytest.raises(EngineFailure, match="more than"):
        await engine.containers.get_archive(name, "/usr/bin", most=1000)

    stats = {
        path: await engine.containers.stat(name, path)
        for path in ("/etc", "/bin/sh", "/etc/passwd", "/no", "/etc/passwd/x")
    }
    folder, link, file, *absent = stats.values()
    assert folder is not None
    assert (True, "") == (folder.folder, folder.target)
    assert link is not None
    assert link.target.startswith("/usr/bin/")
    assert file is not None
    assert (False, False, "") == (file.folder, file.executable, file.target)
    assert [None, None] == absent


async def test_somebody_elses_volume_is_not_taken(engine: Engine) -> None:
    """A volume of that name with other labels is refused; the same again is the same."""
    name = f"{engine.hub}-v"
    made = await engine.volumes.create(name, engine.labels("volume", owner="ann", server=""))

    assert (
        made.name == (await engine.volumes.create(name, engine.labels("volume", owner="ann", server=""))).name
    )
    with pytest.raises(EngineConflict, match="not ours"):
        await engine.volumes.create(name, engine.labels("volume", owner="bob", server=""))


async def test_a_network_is_made_once(engine: Engine) -> None:
    """Ensuring twice gives one network; another hub's of that name is refused."""
    name = f"{engine.hub}-net"
    first = await engine.networks.ensure(name, engine.labels("network"))
    try:
        assert first == await engine.networks.ensure(name, engine.labels("network"))
        with pytest.raises(EngineConflict, match="not ours"):
            await engine.networks.ensure(name, Engine(hub="other").labels("network"))
    finally:
        await engine.networks.remove(first)
