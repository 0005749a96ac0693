"""The arbiter against a hub that answers as it likes: one plan a pass, a last look each, and nothing stopped on any doubt."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from versatilehub.culler import Arbiter

if TYPE_CHECKING:
    from collections.abc import Iterator


class FakeHub(ThreadingHTTPServer):
    """Answers with *plan*, and with *last* to every last look; remembers what it was asked."""

    def __init__(self) -> None:
        self.plan: Any = {"stop": [], "held": 0, "running": 0, "skip": ""}
        self.last: Any = {"stop": True}
        self.status = 200
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), Answer)


class Answer(BaseHTTPRequestHandler):
    """One answer."""

    def answer(self) -> None:
        """Answer whatever is asked."""
        hub: Any = self.server
        hub.asked.append(f"{self.command} {self.path.removeprefix('/hub/versatilehub/api/')}")
        text = json.dumps(hub.plan if self.command == "GET" else hub.last).encode()
        self.send_response(hub.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self) -> None:
        """A plan."""
        self.answer()

    def do_POST(self) -> None:
        """A last look."""
        self.answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's name
        """Say nothing."""


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    """A hub of this test's own."""
    with FakeHub() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture
def arbiter(hub: FakeHub) -> Arbiter:
    """The arbiter that asks it."""
    return Arbiter(f"http://127.0.0.1:{hub.server_address[1]}/hub/api", "token")


async def asks(arbiter: Arbiter, name: str) -> bool:
    """Ask as idle-culler does."""
    return await arbiter(inactive=None, inactive_limit=600, server={"full_name": name})


@pytest.mark.req("P7")
async def test_one_plan_a_pass_and_a_last_look_for_each(hub: FakeHub, arbiter: Arbiter) -> None:
    """A name that comes again begins the next pass; only what is planned is looked at again."""
    hub.plan["stop"] = ["ada/", "mary+t@x.org/lab"]
    first = [await asks(arbiter, name) for name in ("ada/", "bob/", "mary+t@x.org/lab")]
    hub.plan["stop"] = []
    second = [await asks(arbiter, name) for name in ("bob/", "ada/")]

    assert first == [True, False, True]
    assert second == [False, False]
    plans = [line for line in hub.asked if line == "GET culling"]
    looks = [line for line in hub.asked if line != "GET culling"]
    assert (len(plans), looks) == (2, ["POST culling/ada/", "POST culling/mary%2Bt@x.org/lab"])


@pytest.mark.req("P7")
@pytest.mark.parametrize(
    ("plan", "last", "status"),
    [
        pytest.param({"stop": ["ada/"]}, {"stop": False}, 200, id="put off since"),
        pytest.param({"stop": ["ada/"]}, {"stop": "yes"}, 200, id="an odd answer"),
        pytest.param({"stop": ["ada/"]}, [], 200, id="no object"),
        pytest.param({"stop": ["ada/"], "skip": "settling"}, {"stop": True}, 200, id="a pass left out"),
        pytest.param({}, {"stop": True}, 200, id="no plan"),
        pytest.param({"stop": None}, {"stop": True}, 200, id="a broken plan"),
        pytest.param({"stop": ["ada/"]}, {"stop": True}, 403, id="a token that is no good"),
        pytest.param({"stop": ["ada/"]}, {"stop": True}, 500, id="a hub with a fault"),
    ],
)
async def test_a_doubt_stops_nothing(
    hub: FakeHub, arbiter: Arbiter, plan: object, last: object, status: int
) -> None:
    """Whatever is missing or odd, the answer is no, and no error ends the pass."""
    hub.plan, hub.last, hub.status = plan, last, status
    assert await asks(arbiter, "ada/") is False


async def test_a_hub_that_is_away_stops_nothing() -> None:
    """Nobody answers: no."""
    assert await asks(Arbiter("http://127.0.0.1:9/hub/api", "token"), "ada/") is False
