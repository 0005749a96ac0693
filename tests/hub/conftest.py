"""Tests of a real hub, driven by REST; `hub`, `make_lasting_hub`, `forge` and `user` are those of tests/plugins/hubs.py."""

from __future__ import annotations

import secrets
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.enginefault import EngineProxy
from tests.hub.clocks import LINES
from tests.hubprocess import docker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.hubprocess import HubProcess
    from tests.plugins.leftovers import SessionLabel

#: What a server of the odd image does when it starts, by its name; any other name is a healthy stub.
ODD = """\
FROM versatilehub/test-server
USER root
RUN mv /usr/local/bin/jupyterhub-singleuser /usr/local/bin/stub && printf '%s\\n' \\
    '#!/bin/sh' \\
    'case "$JUPYTERHUB_SERVER_NAME" in' \\
    '  ends) echo "cannot find the flux capacitor"; exit 3;;' \\
    '  hungry) exec python3 -c "len(str(0) * (1 << 30))";;' \\
    '  glutton) stub "$@" & until [ -e /tmp/eat ]; do sleep 0.1; done; exec python3 -c "bytes(bytearray(3 << 30))";;' \\
    '  silent) exec sleep 600;;' \\
    '  deaf) trap "" TERM; stub "$@" & while :; do sleep 1; done;;' \\
    'esac' \\
    'exec stub "$@"' > /usr/local/bin/jupyterhub-singleuser && chmod +x /usr/local/bin/jupyterhub-singleuser
USER 1000:100
"""


@pytest.fixture(scope="session")
def odd_image(session_label: SessionLabel) -> Iterator[str]:
    """An image whose server does as its own name says: `ends`, `hungry`, `glutton` (once told to), `silent`, `deaf`."""
    name = f"vh-odd:{session_label.value}"
    subprocess.run(
        ["docker", "build", "-q", "-t", name, "--label", session_label.text, "-"],
        input=ODD.encode(),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    yield name
    docker("rmi", "-f", name)


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProxy]:
    """The engine of the `frail` hub, which fails when it is told to."""
    with EngineProxy(tmp_path_factory.mktemp("engine")) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def frail(make_lasting_hub: Callable[..., HubProcess], engine: EngineProxy, odd_image: str) -> HubProcess:
    """A hub behind the failing `engine`: short time limits, and a look at each server every second."""
    lines = f"""
    c.VersatileHub.policy_overrides = {{"images": ["versatilehub/test-server:latest", "{odd_image}"]}}
    c.VersatileSpawner.client_kwargs = {{"timeout": 8, "max_pool_size": 32}}
    c.VersatileSpawner.poll_interval = 1
    c.VersatileSpawner.stop_grace = 2
    c.VersatileSpawner.ready_timeout = 20
    """
    return make_lasting_hub(lines, environment={"DOCKER_HOST": engine.url}).start()


@pytest.fixture
def person(frail: HubProcess, engine: EngineProxy) -> Iterator[str]:
    """A person of the frail hub whose servers are gone afterwards; the engine is healthy again then."""
    name = frail.user(f"p{secrets.token_hex(4)}")
    yield name
    engine.forget_all()
    engine.come_back()
    for server in frail.api("GET", f"users/{name}").json().get("servers", {}):
        frail.halt(name, server)


@pytest.fixture(scope="session")
def clocked(make_lasting_hub: Callable[..., HubProcess]) -> HubProcess:
    """A hub whose culler looks every second, and that asks its proxy for nothing."""
    return make_lasting_hub(LINES).start()


@pytest.fixture
def customer(clocked: HubProcess) -> str:
    """Somebody of their own at that hub."""
    return clocked.user(f"c{secrets.token_hex(4)}")
