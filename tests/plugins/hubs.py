"""Real hubs for tests/hub and tests/browser: one shared by a whole run, tests apart by user name.

Hubs of their own (`make_hub`) are for tests about restarting and about other settings.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.archives import Archives
from tests.gitserver import GitServer
from tests.hubprocess import HubProcess, bridge_address
from tests.secondengine import SecondEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.plugins.leftovers import SessionLabel

TEST_LINES = """
    c.VersatileHub.base_images = ["versatilehub/singleuser", "versatilehub/test-server"]
    c.VersatileHub.policy_overrides = {"images": ["versatilehub/test-server:latest", "versatilehub/singleuser:latest"]}
    c.VersatileHub.storage_backend = "soft"  # others are tried at each start
    c.VersatileHub.volumes_interval = 3600  # a helper container each time
    c.VersatileHub.singleuser_image = "versatilehub/singleuser:latest"
"""

#: The users.csv of every hub; NAME logs in with the password NAME-password-1. The last has what a URL must quote.
ACCOUNTS = ("admin", "ada", "bob", "grace", "alan", "mary+tests@example.org")


@pytest.fixture(scope="session")
def bridge() -> str:
    """The address of this machine that containers and builds can reach."""
    return bridge_address()


@pytest.fixture(scope="session")
def forge(bridge: str) -> Iterator[GitServer]:
    """A git host that the hub, its fetch containers and builds can reach."""
    with GitServer("0.0.0.0", name=bridge) as server:
        yield server


@pytest.fixture(scope="session")
def archives(bridge: str) -> Iterator[Archives]:
    """Research archives that the hub and its fetch containers can reach."""
    with Archives(bind="0.0.0.0", name=bridge) as server:
        yield server


@pytest.fixture(scope="session")
def hubs(
    tmp_path_factory: pytest.TempPathFactory,
    session_label: SessionLabel,
    forge: GitServer,
    archives: Archives,
) -> Callable[..., AbstractContextManager[Callable[..., HubProcess]]]:
    """Make hubs that are removed at the end of a ``with``, each whatever becomes of the others."""

    @contextmanager
    def maker() -> Iterator[Callable[..., HubProcess]]:
        with ExitStack() as stack:

            def make(lines: str = "", **kwargs: object) -> HubProcess:
                state: Path = tmp_path_factory.mktemp("state")
                hub = HubProcess(
                    state=state,
                    lines=TEST_LINES + f"\n    c.VersatileHub.archive_hosts = {archives.hosts}\n" + lines,
                    users={name: f"{name}-password-1" for name in ACCOUNTS},
                    extra_sources=(forge.base, archives.url),
                    session=session_label.value,
                    **kwargs,  # type: ignore[arg-type]  # fields of HubProcess
                )
                stack.callback(hub.close)
                return hub

            yield make

    return maker


@pytest.fixture(scope="session")
def make_lasting_hub(
    hubs: Callable[..., AbstractContextManager[Callable[..., HubProcess]]],
) -> Iterator[Callable[..., HubProcess]]:
    """Make hubs that many files share; an engine has addresses for 31 networks, and a hub takes two."""
    with hubs() as make:
        yield make


@pytest.fixture(scope="module")
def make_hub(
    hubs: Callable[..., AbstractContextManager[Callable[..., HubProcess]]],
) -> Iterator[Callable[..., HubProcess]]:
    """Make hubs of a file's own, for tests that kill or reconfigure one; all are removed after its tests."""
    with hubs() as make:
        yield make


@pytest.fixture(scope="session")
def hub(make_lasting_hub: Callable[..., HubProcess]) -> HubProcess:
    """The shared hub."""
    return make_lasting_hub().start()


@pytest.fixture
def user(hub: HubProcess) -> str:
    """A person nobody else in this run is."""
    return hub.user(f"u{secrets.token_hex(4)}")


@pytest.fixture(scope="session")
def make_engine() -> Iterator[Callable[..., SecondEngine]]:
    """Make engines of their own, for tests that kill or reconfigure one; all are gone in the end."""
    made: list[SecondEngine] = []

    def make(**settings: object) -> SecondEngine:
        folder = Path(tempfile.mkdtemp(prefix="vh-engine-"))  # pytest's own paths are too long for a socket
        made.append(SecondEngine(folder=folder, settings=settings))
        return made[-1]

    yield make
    for engine in made:
        engine.close()
        shutil.rmtree(engine.folder, ignore_errors=True)
