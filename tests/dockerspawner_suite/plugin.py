"""Stands in for the conftest that DockerSpawner's source distribution leaves out; loaded by name in a pytest of its own.

The fixtures have the names its tests ask for, the classes they test are replaced by ours, and each outcome is written
down as a line of JSON. What is to be done is read from `Settings`, a JSON file named by SUITE_SETTINGS.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import dockerspawner
import pytest
from jupyterhub.tests.conftest import app as jupyterhub_app  # noqa: F401  # a fixture
from jupyterhub.tests.conftest import cleanup_after, io_loop, ssl_tmpdir, tmp_cwd, user, username  # noqa: F401

from versatilehub.spawner import VersatileMixin, VersatileSpawner

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "SUITE_SETTINGS"


class VersatileSwarm(VersatileMixin, dockerspawner.SwarmSpawner):
    """Ours over services of a swarm."""


class VersatileSystemUser(VersatileMixin, dockerspawner.SystemUserSpawner):  # type: ignore[misc]  # untyped start
    """Ours over the accounts of the machine."""


CLASSES = {
    "DockerSpawner": VersatileSpawner,
    "SwarmSpawner": VersatileSwarm,
    "SystemUserSpawner": VersatileSystemUser,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One run: *stock* tests DockerSpawner itself; *image* is the default image, *homes* a folder for home folders."""

    stock: bool
    hub_id: str
    label: str
    image: str
    homes: str
    report: str

    @classmethod
    def read(cls) -> Self:
        """Return the settings of this process."""
        return cls(**json.loads(Path(os.environ[VARIABLE]).read_text()))

    def write(self, path: Path) -> dict[str, str]:
        """Write them down; return the environment that leads `read` there."""
        path.write_text(json.dumps(asdict(self)))
        return {VARIABLE: str(path)}


def _spawner(name: str) -> type:
    classes = vars(dockerspawner) if Settings.read().stock else CLASSES
    found: type = classes[name]
    return found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the class under test where the modules have imported DockerSpawner's."""
    for module in {item.getparent(pytest.Module) for item in items}:
        for name in CLASSES:
            if module is not None and hasattr(module.obj, name):
                setattr(module.obj, name, _spawner(name))


@pytest.fixture
def app(jupyterhub_app: Any) -> Any:  # noqa: F811  # pytest's way to build on a fixture
    """JupyterHub in this process, configured to leave nothing that cannot be found again."""
    settings = Settings.read()
    config = jupyterhub_app.config
    config.DockerSpawner.prefix = f"suite-{settings.hub_id}"
    config.SystemUserSpawner.host_homedir_format_string = settings.homes + "/{username}"
    if settings.stock:
        config.DockerSpawner.image = settings.image
        config.DockerSpawner.extra_create_kwargs = {"labels": {"versatilehub.test": settings.label}}
    else:
        config.VersatileHub.hub_id = settings.hub_id
        config.VersatileHub.singleuser_image = settings.image
        config.VersatileHub.extra_labels = {"versatilehub.test": settings.label}
    return jupyterhub_app


@pytest.fixture
def named_servers(app: Any) -> Iterator[None]:
    """Allow two named servers a user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(app.tornado_settings, "allow_named_servers", True)
        patch.setitem(app.tornado_settings, "named_server_limit_per_user", 2)
        yield


def _configured(name: str) -> Any:
    @pytest.fixture(name=f"{name.lower()}_configured_app")
    def fixture(app: Any, named_servers: None, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ARG001  # for its effect
        monkeypatch.setitem(app.tornado_settings, "spawner_class", _spawner(name))
        return app

    return fixture


dockerspawner_configured_app = _configured("DockerSpawner")
swarmspawner_configured_app = _configured("SwarmSpawner")
systemuserspawner_configured_app = _configured("SystemUserSpawner")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Write the outcome of a case: of its call, or of what failed around it."""
    if report.when != "call" and report.passed:
        return
    line = {
        "case": report.nodeid,
        "when": report.when,
        "outcome": report.outcome,
        "text": report.longreprtext,
    }
    with Path(Settings.read().report).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
