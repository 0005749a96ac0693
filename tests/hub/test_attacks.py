"""Servers that attack the hub that runs them: what they answer, print and send elsewhere does it no harm."""

from __future__ import annotations

import http.server
import json
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.hubprocess import docker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.hubprocess import HubProcess
    from tests.plugins.leftovers import SessionLabel

DOCKERFILE = "FROM versatilehub/test-server\nCOPY main.py /opt/stub/main.py\n"
#: The stub server, but for what it answers when the hub asks how busy it is; its own name says with what.
MAIN = """\
import os, sys
sys.path.insert(0, "/opt/stub")
import stub_server

NAME = os.environ.get("JUPYTERHUB_SERVER_NAME", "")
HEAD = b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nConnection: close\\r\\n\\r\\n"
AWAY = "HTTP/1.1 302 Found\\r\\nLocation: http://127.0.0.1:%s/inner\\r\\nConnection: close\\r\\n\\r\\n"

class Hostile(stub_server.Connection):
    def handle(self):
        if b"/api/status " not in self.rfile.peek():
            super().handle()
        elif NAME == "nested":
            self.wfile.write(HEAD + b"[" * 200000)
        elif NAME == "endless":
            self.wfile.write(HEAD)
            while True:
                self.wfile.write(b" " * (1 << 20))
        else:
            self.wfile.write((AWAY % open("/home/jovyan/port").read()).encode())

if NAME == "loud":
    print("x" * (3 << 20))
    sys.exit(3)
stub_server.Connection = Hostile
stub_server.main()
"""


@pytest.fixture(scope="module")
def hostile(
    make_hub: Callable[..., HubProcess], session_label: SessionLabel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubProcess]:
    """A hub whose people run the hostile image."""
    name = f"vh-hostile:{session_label.value}"
    context = tmp_path_factory.mktemp("hostile")
    (context / "Dockerfile").write_text(DOCKERFILE)
    (context / "main.py").write_text(MAIN)
    docker("build", "-q", "-t", name, "--label", session_label.text, str(context))
    lines = f"""
    c.VersatileHub.policy_overrides = {{"images": ["{name}"]}}
    c.VersatileHub.singleuser_image = "{name}"
    """
    yield make_hub(lines).start()
    docker("rmi", "-f", name)


def peak_mib(hub: HubProcess) -> int:
    """Return the most memory the hub's process ever had, in MiB."""
    assert hub.process is not None
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{hub.process.pid}/status").read_text())
    assert found
    return int(found[1]) >> 10


@pytest.mark.parametrize("name", ["nested", "endless"])
def test_a_server_cannot_refuse_to_be_stopped(hostile: HubProcess, name: str) -> None:
    """What a server says of itself when it is to be stopped neither keeps it alive nor fills the hub's memory."""
    user = hostile.user(f"u-{name}")
    hostile.run(user, name)
    before = peak_mib(hostile)

    hostile.halt(user, name)

    assert [] == hostile.containers(user)
    assert peak_mib(hostile) - before < 32


def test_a_server_sends_the_hub_nowhere(hostile: HubProcess) -> None:
    """A redirect of a server does not make the hub ask its own machine's ports."""
    asked: list[str] = []

    class Inner(http.server.BaseHTTPRequestHandler):
        """A service that only this machine should reach."""

        def do_GET(self) -> None:
            """Note the request."""
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Inner) as inner:
        threading.Thread(target=inner.serve_forever, daemon=True).start()
        user = hostile.user("u-redirecting")
        hostile.run(user, "redirecting")
        hostile.exec(user, f"printf {inner.server_address[1]} > /home/jovyan/port", server="redirecting")
        hostile.halt(user, "redirecting")
        inner.shutdown()

    assert [] == asked
    assert [] == hostile.containers(user)


def test_last_words_are_short(hostile: HubProcess) -> None:
    """A server that ends with one endless line makes no endless message of it."""
    user = hostile.user("u-loud")
    hostile.launch_soon(user, "loud")
    events = hostile.events(user, "loud")

    assert "exit code 3" in json.dumps(events)
    assert len(json.dumps(events)) < 20_000


def connects(host: str, port: int) -> str:
    """Return how a connection ends that a step of a build makes: those run on Docker's default bridge."""
    code = f"import socket\ntry: socket.create_connection(({host!r}, {port}), 5); print('connected')\nexcept OSError as e: print(e)"
    return docker(
        "run", "--rm", "--label", "versatilehub.test", "versatilehub/test-server", "python3", "-c", code
    )


@pytest.mark.req("V27")
def test_a_build_step_reaches_neither_hub_nor_metadata(hostile: HubProcess) -> None:
    """The hub's API and the cloud's metadata refuse what comes from the bridge of build steps."""
    network = f"label=versatilehub.hub={hostile.hub_id}"
    names = docker("network", "ls", "--filter", network, "--format", "{{.Name}}").split()
    servers = next(name for name in names if not name.endswith("-build"))
    gateway = docker("network", "inspect", servers, "-f", "{{(index .IPAM.Config 0).Gateway}}")

    assert "Connection refused" in connects(gateway, hostile.port + 81)
    assert "Connection refused" in connects("169.254.169.254", 80)


def guess(hub: HubProcess, name: str, headers: dict[str, str]) -> int:
    """Try one wrong password and return the status of the answer."""
    with requests.Session() as session:
        session.headers.update(headers)
        session.get(f"{hub.url}/hub/login", timeout=10)
        data = {"username": name, "password": "wrong-password-1", "_xsrf": session.cookies.get("_xsrf")}
        return session.post(f"{hub.url}/hub/login", data=data, timeout=10).status_code


def test_a_guesser_cannot_change_address(hostile: HubProcess) -> None:
    """A header that anybody can send makes a new address of each guess at a password: names are slowed down, too."""
    answers = [guess(hostile, "ada", {"X-Real-IP": f"203.0.113.{number}"}) for number in range(40)]

    assert 429 in answers
