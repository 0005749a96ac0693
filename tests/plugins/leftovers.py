"""Everything a test makes in Docker carries one label of its session; what remains at the end fails the run.

What is found is removed after it is reported, so that the next run starts clean. Each pytest-xdist worker is a session of its own and
hands what it found to the controller.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import docker
import docker.errors
import pytest

LABEL = "versatilehub.test"
_LEFTOVERS = pytest.StashKey[list[str]]()
_SESSION = pytest.StashKey["SessionLabel"]()
_ARMED = pytest.StashKey[bool]()
_OUTPUT = "versatilehub_leftovers"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLabel:
    """The label of one test session: give `.labels` to whatever is made in Docker."""

    value: str

    @property
    def labels(self) -> dict[str, str]:
        """The label as Docker's API takes it."""
        return {LABEL: self.value}

    @property
    def text(self) -> str:
        """The label as a filter or a command line takes it."""
        return f"{LABEL}={self.value}"


def pytest_configure(config: pytest.Config) -> None:
    """Choose the session's label."""
    config.stash[_SESSION] = SessionLabel(value=secrets.token_hex(4))
    config.stash[_LEFTOVERS] = []


@pytest.fixture(scope="session")
def session_label(pytestconfig: pytest.Config) -> SessionLabel:
    """Label of everything this session makes in Docker; asking for it arms the check at the end."""
    pytestconfig.stash[_ARMED] = True
    return pytestconfig.stash[_SESSION]


@pytest.hookimpl(trylast=True)  # after the teardown of session fixtures
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Look for what is left, remove it, and fail a run that left something."""
    if not session.config.stash.get(_ARMED, False):
        return
    label = session.config.stash[_SESSION]
    found = session.config.stash[_LEFTOVERS]
    client = docker.from_env()
    try:
        found.extend(remove_labelled(client, label.text))
    finally:
        client.close()
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[_OUTPUT] = found
    if found and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take over what a worker found; the run has failed then."""
    del error
    found = getattr(node, "workeroutput", {}).get(_OUTPUT, [])
    node.config.stash[_LEFTOVERS].extend(found)
    node.config.stash[_ARMED] = True


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Name what was left."""
    for line in config.stash[_LEFTOVERS]:
        terminalreporter.write_line(f"LEFT IN DOCKER by this session, now removed: {line}", red=True)


def remove_labelled(client: docker.DockerClient, label: str) -> list[str]:
    """Remove every container, volume, network and image with *label*; return one line for each."""
    filters: dict[str, str | list[str] | bool] = {"label": label}
    found: list[str] = []
    for container in client.containers.list(all=True, filters=filters, ignore_removed=True):
        found.append(f"container {container.name} ({container.status})")
        _ignoring_gone(container.remove, force=True, v=True)
    for network in client.networks.list(filters=filters):
        found.append(f"network {network.name}")
        _ignoring_gone(network.remove)
    for volume in client.volumes.list(filters=filters):
        found.append(f"volume {volume.name}")
        _ignoring_gone(volume.remove, force=True)
    for image in client.images.list(filters=filters):
        found.append(f"image {', '.join(image.tags) or image.short_id}")
        _ignoring_gone(client.images.remove, image.id, force=True)
    return found


def _ignoring_gone(remove: Any, *arguments: Any, **options: Any) -> None:
    try:
        remove(*arguments, **options)
    except docker.errors.NotFound:
        return
