"""The images as they are: what is in them, how fast they answer, and that a faster start lost no feature."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import uuid
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from images.singleuser import measure_boot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.plugins.leftovers import SessionLabel

ROOT = Path(__file__).parents[2]
BRIDGE = "172.17.0.1"
TOKEN = {"Authorization": "token test"}
pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A single-user server in a container, with its first answer's delay in seconds."""

    container: str
    address: str
    delay: float

    def call(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Any:
        """Make one request below the server's prefix; return status, Location and body."""
        payload = body if isinstance(body, bytes) or body is None else json.dumps(body)
        sent = TOKEN if headers is None else headers
        with closing(HTTPConnection(self.address, measure_boot.PORT, timeout=60)) as connection:
            connection.request(method, f"{measure_boot.PREFIX}{path}", payload, sent)
            with connection.getresponse() as answer:
                return answer.status, answer.getheader("Location", ""), answer.read()


@pytest.fixture(scope="module", autouse=True)
def _images() -> None:
    """Bring the images up to date first; an engine that is missing is an error."""
    subprocess.run([sys.executable, str(ROOT / "images" / "make.py")], check=True)


@pytest.fixture(scope="module")
def hub_api() -> Iterator[str]:
    """URL of a stand-in for the hub's API that knows one user, ada."""
    server = ThreadingHTTPServer((BRIDGE, 0), measure_boot.StubHub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://{BRIDGE}:{server.server_address[1]}/hub/api"
    server.shutdown()
    server.server_close()


@contextmanager
def running(image: str, api: str, label: SessionLabel, *options: str) -> Iterator[Server]:
    """Run *image*'s single-user server until the block ends."""
    candidate = measure_boot.Candidate(image=image, command=("jupyterhub-singleuser",))
    container = measure_boot.create(candidate, api, f"--label={label.text}", *options)
    try:
        delay = measure_boot.first_answer(container)
        address = measure_boot.docker("inspect", "--format={{.NetworkSettings.IPAddress}}", container)
        yield Server(container=container, address=address, delay=delay)
    finally:
        measure_boot.docker("rm", "--force", "--volumes", container)


@pytest.fixture(scope="module")
def lab(hub_api: str, session_label: SessionLabel) -> Iterator[Server]:
    """A running server of the singleuser image."""
    with running("versatilehub/singleuser", hub_api, session_label) as server:
        yield server


@pytest.fixture(scope="module")
def stub(hub_api: str, session_label: SessionLabel) -> Iterator[Server]:
    """A running server of the test-server image."""
    with running("versatilehub/test-server", hub_api, session_label) as server:
        yield server


def inside(image: str, *command: str) -> str:
    """Return what *command* prints in a fresh container without a network."""
    return measure_boot.docker(
        "run", "--rm", "--network=none", "--label=versatilehub.test=images", image, *command
    )


@pytest.mark.req("S1", "S12")
@pytest.mark.parametrize("name", ["base", "builder", "singleuser", "test-server"])
def test_image_says_where_it_comes_from(name: str) -> None:
    """Each image carries provenance labels, and the tag of the day it was made beside `latest`."""
    found = json.loads(measure_boot.docker("image", "inspect", f"versatilehub/{name}"))[0]
    labels = found["Config"]["Labels"]
    day = labels["org.opencontainers.image.created"][:10]
    assert labels["versatilehub.kind"] == "image"
    assert labels["org.opencontainers.image.title"] == f"versatilehub/{name}"
    assert {f"versatilehub/{name}:latest", f"versatilehub/{name}:{day}"} <= set(found["RepoTags"])


def test_images_that_are_up_to_date_take_no_time() -> None:
    """A second run builds nothing and ends within a second."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(ROOT / "images" / "make.py")], check=True, capture_output=True, text=True
    )
    assert [line.split()[1:3] for line in done.stdout.splitlines()] == [["up", "to"]] * 4
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("image", "command"),
    [
        pytest.param("builder", "import repo2docker.app, versatilehub_builder", id="repo2docker"),
        pytest.param(
            "singleuser", "import numpy, pandas, matplotlib, ipywidgets, nbgitpuller", id="packages"
        ),
    ],
)
def test_python_packages_are_there(image: str, command: str) -> None:
    """What the image promises can be imported."""
    inside(f"versatilehub/{image}", "python", "-c", command)


@pytest.mark.parametrize(
    "tool", ["git --version", "git lfs version", "uv --version", "docker buildx version"]
)
def test_builder_has_its_tools(tool: str) -> None:
    """The builder has git, git-lfs, uv, and docker with buildx."""
    assert inside("versatilehub/builder", *tool.split())


@pytest.mark.parametrize("image", ["singleuser", "test-server"])
def test_server_image_answers_a_probe(image: str) -> None:
    """Command and metadata name the same version, of the hub's series; uid, gid and home are as documented."""
    version = inside(f"versatilehub/{image}", "jupyterhub-singleuser", "--version").split()[-1]
    code = "import importlib.metadata, os; print(importlib.metadata.version('jupyterhub'), os.getuid(), os.getgid())"
    assert inside(f"versatilehub/{image}", "python3", "-c", code) == f"{version} 1000 100"
    assert version.startswith("6.1.")
    assert inside(f"versatilehub/{image}", "pwd") == "/home/jovyan"


def test_stub_answers_soon(stub: Server) -> None:
    """The stub answers at once after its container's start; the limit leaves room for a busy machine."""
    assert stub.delay < 2


@pytest.mark.parametrize("path", ["api", "api/status", "lab", "lab/tree/a.ipynb", "", "proc", "env/HOME"])
def test_stub_has_the_paths_others_ask_for(stub: Server, path: str) -> None:
    """The hub's, the spawner's and a browser's paths answer 200."""
    assert stub.call("GET", path)[0] == 200


def test_stub_keeps_files_in_its_home(stub: Server) -> None:
    """A file written through it is read back; a path out of the home is refused."""
    assert stub.call("PUT", "files/deep/a.txt", b"kept")[0] == 201
    assert stub.call("GET", "files/deep/a.txt")[2] == b"kept"
    assert stub.call("GET", "files/..%2F..%2Fetc/passwd")[0] == 403


def test_stub_stops_at_once(hub_api: str, session_label: SessionLabel) -> None:
    """SIGTERM ends it long before the engine would kill it."""
    with running("versatilehub/test-server", hub_api, session_label) as server:
        began = time.monotonic()
        measure_boot.docker("stop", "--time=10", server.container)
        assert time.monotonic() - began < 5


FEATURES = [
    "api/status",
    "lab",
    "tree",
    "api/terminals",
    "api/nbconvert",
    "api/kernelspecs",
    "lab/api/settings",
    "lab/api/extensions",
    "lsp/status",
    "metrics",
    "git-pull?repo=https://forge.example/a/b",
]


@pytest.mark.parametrize("path", FEATURES)
def test_every_feature_answers_after_the_fast_start(lab: Server, path: str) -> None:
    """JupyterLab, Notebook 7, terminals, nbconvert, language servers and nbgitpuller are all there."""
    assert lab.call("GET", path)[0] == 200


def test_collaboration_opens_a_room_for_a_notebook(lab: Server) -> None:
    """A notebook gets a shared document, and nbconvert renders the same notebook."""
    content = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    lab.call("PUT", "api/contents/a.ipynb", {"type": "notebook", "format": "json", "content": content})
    status, _, body = lab.call(
        "PUT", "api/collaboration/session/a.ipynb", {"format": "json", "type": "notebook"}
    )
    assert status == 201
    assert json.loads(body)["fileId"]
    assert lab.call("GET", "nbconvert/html/a.ipynb")[0] == 200


def test_stranger_is_sent_to_the_hub(lab: Server) -> None:
    """Without a token or cookie the page redirects to the hub's login and the API refuses."""
    status, location, _ = lab.call("GET", "lab", headers={})
    assert (status, location.partition("?")[0]) == (302, "/hub/api/oauth2/authorize")
    assert lab.call("GET", "api/contents", headers={})[0] == 403


async def test_kernel_computes(lab: Server) -> None:
    """A kernel started by REST answers 1+1 over its websocket."""
    kernel = json.loads(lab.call("POST", "api/kernels", {})[2])["id"]
    url = f"ws://{lab.address}:{measure_boot.PORT}{measure_boot.PREFIX}api/kernels/{kernel}/channels"
    socket = await websocket_connect(HTTPRequest(url, headers=TOKEN))
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "username": "",
        "session": "",
        "version": "5.3",
    }
    content = {"code": "1+1", "silent": False}
    request = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    await socket.write_message(json.dumps(request))
    result = ""
    while not result:
        message = json.loads(await socket.read_message() or "{}")
        if message["msg_type"] == "execute_result":
            result = message["content"]["data"]["text/plain"]
    socket.close()
    while await socket.read_message() is not None:
        pass  # until the other side has closed, too: the connection would outlive the loop
    assert result == "2"


def test_server_starts_with_a_full_home(hub_api: str, session_label: SessionLabel) -> None:
    """A home without room for one more byte keeps nobody from starting the server and deleting files."""
    home = "--tmpfs=/home/jovyan:size=4k,uid=1000,gid=100,mode=0755,nr_inodes=1"
    with running("versatilehub/singleuser", hub_api, session_label, home) as server:
        assert server.call("GET", "api/contents")[0] == 200
        assert server.call("GET", "lab")[0] == 200


def test_start_script_of_the_repository_runs_first() -> None:
    """An executable `start` gets the command and hands over to it, and binder/ wins over the root."""
    script = "mkdir -p /srv/repo/binder; printf '#!/bin/sh\\nexport SEEN=yes\\nexec \"$@\"\\n' > /srv/repo/binder/start;"
    script += "chmod +x /srv/repo/binder/start; versatilehub-entry sh -c 'echo $SEEN'"
    assert inside("versatilehub/singleuser", "sh", "-c", script) == "yes"


def test_person_can_replace_packages() -> None:
    """The Python environment belongs to the person, and bytecode of a removed package is not used."""
    script = "uv pip uninstall -q nbgitpuller; python -c 'import nbgitpuller' 2>/dev/null || echo gone"
    assert inside("versatilehub/singleuser", "sh", "-c", script) == "gone"
