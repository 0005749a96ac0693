"""Both hubs of a benchmark, and the floor below them: the container alone, with no hub waiting for it."""

from __future__ import annotations

import concurrent.futures
import http.client
import os
import secrets
import time
from typing import TYPE_CHECKING

import docker
import requests

from tests.hubprocess import ROOT, HubProcess, bridge_address

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PLAIN_IMAGE = "versatilehub-bench/plain:latest"
OUR_IMAGE = "versatilehub/singleuser:latest"
# From the builder image only because it trusts the site's certificates; JupyterLab itself is as pip installs it.
PLAIN_DOCKERFILE = """
FROM versatilehub/builder:latest
RUN useradd -m -u 1000 jovyan && /usr/bin/python3 -m venv /opt/jupyter
RUN /opt/jupyter/bin/pip install -q jupyterlab 'jupyterhub==6.1.*'
ENV PATH=/opt/jupyter/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PYTHONDONTWRITEBYTECODE=
USER 1000
WORKDIR /home/jovyan
CMD ["jupyterhub-singleuser"]
"""


def our_hub(state: Path, image: str, **kwargs: object) -> HubProcess:
    """Return our hub with *image* for servers that ask for nothing."""
    lines = f"""
        c.VersatileSpawner.image = {image!r}
        c.VersatileHub.base_images = ["versatilehub/singleuser", "versatilehub/test-server", "versatilehub-bench/plain"]
        c.VersatileHub.policy_overrides = {{"images": [{PLAIN_IMAGE!r}, {OUR_IMAGE!r}, "versatilehub/test-server:latest"]}}
        c.JupyterHub.log_level = 20
    """
    return HubProcess(state=state, lines=lines, session="bench", users={"admin": "x"}, **kwargs)  # type: ignore[arg-type]  # fields


def stock_hub(state: Path, image: str) -> HubProcess:
    """Return the peer with *image*."""
    lines = f"c.DockerSpawner.image = {image!r}\nc.JupyterHub.log_level = 20"
    config = ROOT / "benchmarks" / "stock_config.py"
    os.environ["BENCH_BRIDGE"] = bridge_address()
    return HubProcess(state=state, lines=lines, session="bench", config=config)


def timed(action: Callable[[], object]) -> float:
    """Return the seconds *action* took."""
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def start(hub: HubProcess, user: str, server: str = "", **options: object) -> float:
    """Start a server and return the seconds until the hub calls it ready."""

    def ask() -> None:
        answer = hub.launch(user, server, **options)
        if (
            answer.status_code == requests.codes.accepted
        ):  # past the hub's own patience of 10 s: now its event stream
            last = hub.events(user, server)[-1]
            if not last.get("ready"):
                raise AssertionError(last)
        elif answer.status_code != requests.codes.created:
            raise AssertionError(f"{answer.status_code} {answer.text}\n{hub.tail()}")

    return timed(ask)


def stop(hub: HubProcess, user: str, server: str = "") -> float:
    """Stop a server and return the seconds until the hub says so."""
    return timed(lambda: hub.halt(user, server))


def together(actions: list[Callable[[], object]]) -> float:
    """Run *actions* at once and return the seconds until the last is done."""

    def everything() -> None:
        with concurrent.futures.ThreadPoolExecutor(len(actions)) as pool:
            for future in [pool.submit(action) for action in actions]:
                future.result()

    return timed(everything)


class Floor:
    """The same container, made and started by one call each, until its own command answers: nothing can be faster."""

    def __init__(self, hub: HubProcess, user: str) -> None:
        """Take the container of *user*'s running server in *hub* as the pattern; it has the real environment."""
        self._docker = docker.APIClient(version="auto")
        self._pattern = self._docker.inspect_container(hub.container(user))
        self._prefix = next(
            line.split("=", 1)[1]
            for line in self._pattern["Config"]["Env"]
            if line.startswith("JUPYTERHUB_SERVICE_PREFIX=")
        )

    def once(self) -> float:
        """Return the seconds from asking for the container to its first HTTP answer."""
        name = f"floor-{secrets.token_hex(4)}"
        try:
            return timed(lambda: self._up(name))
        finally:
            self._docker.remove_container(name, force=True, v=True)

    def _up(self, name: str) -> None:
        config, host = self._pattern["Config"], dict(self._pattern["HostConfig"])
        network = host["NetworkMode"]
        host["Mounts"] = (
            None  # its own fresh volume instead: two servers in one home would wait for each other
        )
        host["Binds"] = [f"{name}:/home/jovyan"]
        made = self._docker.create_container(
            config["Image"],
            command=config["Cmd"],
            environment=config["Env"],
            user=config["User"],
            working_dir=config["WorkingDir"],
            name=name,
            labels={"versatilehub.test": "bench"},
            host_config=host,
        )
        self._docker.start(made["Id"])
        inspected = self._docker.inspect_container(made["Id"])
        address = inspected["NetworkSettings"]["Networks"][network]["IPAddress"]
        while not self._answers(address):
            time.sleep(0.01)

    def _answers(self, address: str) -> bool:
        connection = http.client.HTTPConnection(address, 8888, timeout=5)
        try:
            connection.request("GET", f"{self._prefix}api")
            return connection.getresponse().status < http.HTTPStatus.INTERNAL_SERVER_ERROR
        except OSError:
            return False
        finally:
            connection.close()
