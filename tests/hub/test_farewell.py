"""How a server ends: at once when nothing is open in it, with its whole grace when something is."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import TYPE_CHECKING

import pytest
import requests
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

if TYPE_CHECKING:
    from tests.hubprocess import HubProcess

IMAGE = "versatilehub/singleuser:latest"
# What a kernel does with the time it is given; a killed one writes nothing.
LAST_WORDS = """
import atexit, time

def say():
    time.sleep(0.5)
    with open("/home/jovyan/said", "w") as file:
        file.write("goodbye")

atexit.register(say)
"""


async def _execute(url: str, token: str, code: str) -> None:
    """Run *code* in the kernel whose channels are at *url* and wait for its answer."""
    socket = await websocket_connect(HTTPRequest(url, headers={"Authorization": f"token {token}"}))
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "username": "",
        "session": "test",
        "version": "5.3",
    }
    content = {
        "code": code,
        "silent": False,
        "store_history": False,
        "allow_stdin": False,
        "stop_on_error": True,
    }
    await socket.write_message(
        json.dumps(
            {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
        )
    )
    while True:
        answer = await socket.read_message()
        assert isinstance(answer, str)
        message = json.loads(answer)
        if message["header"]["msg_type"] == "execute_reply":
            assert "ok" == message["content"]["status"], message["content"]
            break
    socket.close()
    while await socket.read_message() is not None:
        pass  # until the other side has closed, too: the connection would outlive the loop


@pytest.mark.req("K4")
def test_an_idle_server_leaves_nothing(hub: HubProcess, user: str) -> None:
    """When the stop of an idle server has been answered, its container is gone."""
    hub.run(user, image=IMAGE)
    hub.halt(user)

    assert [] == hub.containers(user)


@pytest.mark.req("K4")
def test_a_kernel_is_given_its_time(hub: HubProcess, user: str) -> None:
    """A server with a kernel ends by itself: what the kernel writes while it ends is there at the next start."""
    hub.run(user, image=IMAGE)
    headers = {"Authorization": f"token {hub.token}"}
    api = f"{hub.url}/user/{user}/api"
    made = requests.post(f"{api}/kernels", headers=headers, json={"name": "python3"}, timeout=30)
    assert made.ok, made.text
    channels = f"{api.replace('http', 'ws', 1)}/kernels/{made.json()['id']}/channels"
    asyncio.run(asyncio.wait_for(_execute(channels, hub.token, LAST_WORDS), 60))

    hub.halt(user)
    assert [] == hub.containers(user)
    hub.run(user, image="versatilehub/test-server:latest")

    assert "goodbye" == hub.exec(user, "cat ~/said")
