"""Servers stop by themselves: shortened clocks, a real hub, its own culler process."""

from __future__ import annotations

import re
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.hubprocess import HubProcess, docker, wait_for
from versatilehub.events import Event, Kind
from versatilehub.store import Store
from versatilehub.store import ledger as rows

if TYPE_CHECKING:
    from collections.abc import Callable

STUB = "versatilehub/test-server:latest"
LAB = "versatilehub/singleuser:latest"
LINES = f"""
    c.VersatileSpawner.image = {STUB!r}
    c.VersatileHub.policy_overrides = {{
        "images": [{STUB!r}, {LAB!r}], "named_servers": 10, "offers": ["idle_timeout"],
        "idle_timeout": "1h", "idle_timeout_max": "1h", "extension_max": 30,
    }}
    c.VersatileHub.policy_groups = {{"aged": {{"max_age": 4}}}}
    c.VersatileHub.cull_every = 1
    c.VersatileHub.cull_grace = 0
    c.VersatileHub.open_tabs_count = False
    c.JupyterHub.last_activity_interval = 1
"""
#: Seconds a server may be idle in these tests.
IDLE = 3
#: Seconds from a server's end until it is stopped: two passes, and a busy machine.
SLACK = 20


@pytest.fixture(scope="session")
def clocked(make_hub: Callable[..., HubProcess]) -> HubProcess:
    """A hub whose culler looks every second, and that asks its proxy for nothing."""
    return make_hub(LINES).start()


@pytest.fixture
def person(clocked: HubProcess) -> str:
    """Somebody of their own at that hub."""
    return clocked.user(f"c{secrets.token_hex(4)}")


def is_up(hub: HubProcess, user: str, server: str = "") -> bool:
    """Tell whether the hub has the server as ready."""
    return bool(hub.model(user, server).get("ready"))


def gone(hub: HubProcess, user: str, server: str = "", *, seconds: float = SLACK) -> None:
    """Wait until the hub has the server as stopped."""
    wait_for(lambda: hub.model(user, server).get("stopped"), f"{user}/{server} stopped", seconds=seconds)


def ours(hub: HubProcess, method: str, path: str, *, token: str = "", **kwargs: Any) -> requests.Response:
    """Call our API, as the operator unless another *token* is given."""
    headers = {"Authorization": f"token {token or hub.token}"}
    url = f"{hub.url}/hub/versatilehub/api/{path}"
    return requests.request(method, url, headers=headers, timeout=60, **kwargs)


def token_of(hub: HubProcess, user: str) -> str:
    """Return a token of that person."""
    return str(hub.api("POST", f"users/{user}/tokens", json={}).json()["token"])


def report(hub: HubProcess, user: str, server: str = "", *, at: datetime | None = None) -> None:
    """Report use, as a server does."""
    stamp = (at or datetime.now(UTC)).isoformat()
    answer = hub.api("POST", f"users/{user}/activity", json={"servers": {server: {"last_activity": stamp}}})
    assert answer.ok, answer.text


def happened(hub: HubProcess, user: str) -> list[Event]:
    """Return the person's events in the ledger."""
    store = Store(f"sqlite:///{hub.state / 'versatilehub.sqlite'}")
    try:
        return store.run_now(lambda session: rows.read(session, owner=user))
    finally:
        store.close()


@pytest.mark.req("P7", "K48", "K46")
def test_an_idle_server_stops_and_stays_startable(clocked: HubProcess, person: str) -> None:
    """Unused for as long as its person chose, it stops when the countdown said; its files are there at the next start."""
    clocked.run(person, image=STUB, idle_timeout=IDLE)
    clocked.exec(person, "echo kept > ~/note")
    said = ours(clocked, "GET", f"servers/{person}/countdown").json()
    assert (said["why"], said["limits"]["idle"]) == ("idle", IDLE)

    gone(clocked, person)

    events = wait_for(
        lambda: [one for one in happened(clocked, person) if one.kind == Kind.SERVER_STOPPED] and happened(clocked, person),
        "the stop in the ledger",
    )  # fmt: skip
    assert [one.kind for one in events] == [Kind.SERVER_STARTED, Kind.SERVER_CULLED, Kind.SERVER_STOPPED]
    assert events[0].data["memory"] > 0
    assert events[1].data == {"why": "idle"}
    late = (events[1].at - datetime.fromisoformat(said["stops_at"])).total_seconds()
    assert 0 <= late < SLACK, "not before the end that was shown"
    clocked.run(person, image=STUB)
    assert clocked.exec(person, "cat ~/note") == "kept"
    assert ours(clocked, "GET", f"servers/{person}/countdown").json()["limits"]["idle"] == 3600
    clocked.halt(person)


@pytest.mark.req("P9", "P8")
def test_reports_count_and_traffic_does_not_where_tabs_do_not(clocked: HubProcess, person: str) -> None:
    """Behind a proxy that tells nothing, a server is used when it says so; requests through the proxy keep none."""
    with ThreadPoolExecutor(2) as pool:
        list(
            pool.map(lambda name: clocked.run(person, name, image=STUB, idle_timeout=IDLE), ("open", "used"))
        )
    begun = time.monotonic()

    def both() -> bool:
        requests.get(f"{clocked.url}/user/{person}/open/lab", timeout=10)
        report(clocked, person, "used")
        return bool(clocked.model(person, "open").get("stopped"))

    wait_for(both, "the server of the open tab stopped", seconds=SLACK, step=0.3)
    assert is_up(clocked, person, "used")
    assert time.monotonic() - begun > IDLE - 1
    gone(clocked, person, "used")


COMPUTE = """
import glob, time
from jupyter_client import BlockingKernelClient
client = BlockingKernelClient(connection_file=glob.glob("/tmp/jupyter-runtime/kernel-*.json")[0])
client.load_connection_file()
client.start_channels()
client.wait_for_ready(timeout=60)
client.execute("import time; time.sleep(8)")
time.sleep(1)
"""


@pytest.mark.req("P7", "P8")
def test_a_kernel_that_computes_keeps_its_server(clocked: HubProcess, person: str) -> None:
    """A long cell that prints nothing is use; some time after its end the server stops. A restarted hub knows it too."""
    clocked.run(person, image=LAB, idle_timeout=5)
    token = token_of(clocked, person)
    url = f"{clocked.url}/user/{person}/api/kernels"
    headers = {"Authorization": f"token {token}"}
    report(clocked, person)
    made = requests.post(url, headers=headers, json={"name": "python3"}, timeout=60)
    assert made.ok, made.text
    report(clocked, person)
    docker("exec", clocked.container(person), "python", "-c", COMPUTE)
    begun = time.monotonic()
    clocked.kill()  # with it goes the hub's copy of the server's token
    clocked.start()

    def done() -> bool:
        kernels = requests.get(url, headers=headers, timeout=60).json()
        return bool(kernels[0]["execution_state"] == "idle")

    wait_for(done, "the cell at its end", seconds=40)
    if time.monotonic() - begun > 6:
        assert is_up(clocked, person), "stopped while its kernel computed"
    gone(clocked, person, seconds=40)


@pytest.mark.req("V12", "P7")
def test_its_owner_puts_the_end_off_up_to_the_ceiling(clocked: HubProcess, person: str) -> None:
    """By its owner and nobody else; the record outlives the hub; the ceiling holds."""
    clocked.run(person, image=STUB, idle_timeout=IDLE)
    path = f"servers/{person}/"
    mine = token_of(clocked, person)
    put_off = ours(clocked, "POST", f"{path}/extend", token=mine, json={"seconds": 12})
    assert put_off.status_code == 200, put_off.text
    end = datetime.fromisoformat(put_off.json()["stops_at"])
    own = clocked.exec(person, "echo $JUPYTERHUB_API_TOKEN")
    bob = token_of(clocked, clocked.user("bob"))

    assert (
        ours(clocked, "GET", f"{path}/countdown", token=own).json()["stops_at"] == put_off.json()["stops_at"]
    )
    assert ours(clocked, "POST", f"{path}/extend", token=own).status_code in (403, 404), "code in the server"
    for method, what in (("POST", "extend"), ("GET", "countdown")):
        assert ours(clocked, method, path + "/" + what, token=bob).status_code in (403, 404)
        assert ours(clocked, method, path + "/" + what, token="0" * 32).status_code == 403
    for method, what in (("GET", "culling"), ("POST", f"culling/{person}/")):
        assert ours(clocked, method, what, token=mine).status_code in (403, 404)
    refused = ours(clocked, "POST", f"{path}/extend", token=mine, json={"seconds": 31}).json()
    assert (refused["code"], refused["limit"], refused["actual"]) == ("extension_out_of_range", "30", "31")
    odd = ours(clocked, "POST", f"{path}/extend", token=mine, json={"seconds": "1h"})
    assert (odd.status_code, odd.json()["field"]) == (400, "seconds")

    wait_for(lambda: datetime.now(UTC) > end - timedelta(seconds=2), "nearly at its end", seconds=20)
    assert is_up(clocked, person), "kept"
    gone(clocked, person, seconds=SLACK)
    assert Kind.SERVER_EXTENDED in [one.kind for one in happened(clocked, person)]
    assert ours(clocked, "GET", f"{path}/countdown", token=mine).status_code == 404


@pytest.mark.req("V12")
def test_the_greatest_age_ends_a_server_in_use(clocked: HubProcess, person: str) -> None:
    """The policy of its owner's group stops it, however busy."""
    clocked.api("POST", "groups/aged")
    clocked.api("POST", "groups/aged/users", json={"users": [person]})
    clocked.run(person)

    def use() -> bool:
        if is_up(clocked, person):
            report(clocked, person)
        return bool(clocked.model(person).get("stopped"))

    wait_for(use, "stopped for its age", seconds=SLACK + 5, step=0.3)
    events = wait_for(
        lambda: [e for e in happened(clocked, person) if e.kind == Kind.SERVER_CULLED], "culled"
    )
    assert events[0].data == {"why": "age"}
    assert events[0].groups == ("aged",)


@pytest.mark.req("P7")
def test_a_pass_never_takes_more_than_half(clocked: HubProcess, person: str) -> None:
    """Six that become due at once do not go at once, and the log says so."""
    names = [f"n{number}" for number in range(6)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda name: clocked.run(person, name, image=STUB, idle_timeout=15), names))
    stamp = {"last_activity": datetime.now(UTC).isoformat()}
    assert clocked.api("POST", f"users/{person}/activity", json={"servers": dict.fromkeys(names, stamp)}).ok

    wait_for(
        lambda: re.search(r"6 of \d+ running servers are due; 3 stop now", clocked.tail(500)),
        "the warning",
        seconds=60,
    )
    for name in names:
        gone(clocked, person, name, seconds=40)
