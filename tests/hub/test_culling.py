"""Servers stop by themselves: shortened clocks, a real hub, its own culler process."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from tests.hub.clocks import LAB, SLACK, STUB, gone, happened, is_up, ours, report, token_of
from tests.hubprocess import docker, wait_for
from versatilehub.events import Kind

if TYPE_CHECKING:
    from collections.abc import Collection

    from tests.hubprocess import HubProcess
    from versatilehub.events import Event

#: Seconds a server may be idle in these tests.
IDLE = 3


@pytest.mark.req("P7", "K48", "K46")
def test_an_idle_server_stops_and_stays_startable(clocked: HubProcess, customer: str) -> None:
    """Unused for as long as its person chose, it stops when the countdown said; its files are there at the next start."""
    clocked.run(customer, image=STUB, idle_timeout=IDLE)
    clocked.exec(customer, "echo kept > ~/note")
    said = ours(clocked, "GET", f"servers/{customer}/countdown").json()
    assert (said["why"], said["limits"]["idle"]) == ("idle", IDLE)

    gone(clocked, customer)

    life = (Kind.SERVER_STARTED, Kind.SERVER_CULLED, Kind.SERVER_STOPPED)
    events = wait_for(
        lambda: found if len(found := of_kinds(clocked, customer, life)) >= len(life) else [],
        "start, cull and stop in the ledger",
    )
    assert [one.kind for one in events] == list(life)
    assert events[0].data["memory"] > 0
    assert events[1].data == {"why": "idle"}
    late = (events[1].at - datetime.fromisoformat(said["stops_at"])).total_seconds()
    assert 0 <= late < SLACK, "not before the end that was shown"
    clocked.run(customer, image=STUB)
    assert clocked.exec(customer, "cat ~/note") == "kept"
    assert ours(clocked, "GET", f"servers/{customer}/countdown").json()["limits"]["idle"] == 3600
    clocked.halt(customer)


@pytest.mark.req("P9", "P8")
def test_reports_count_and_traffic_does_not_where_tabs_do_not(clocked: HubProcess, customer: str) -> None:
    """Behind a proxy that tells nothing, a server is used when it says so; requests through the proxy keep none."""
    with ThreadPoolExecutor(2) as pool:
        list(
            pool.map(
                lambda name: clocked.run(customer, name, image=STUB, idle_timeout=IDLE), ("open", "used")
            )
        )
    begun = time.monotonic()

    def both() -> bool:
        requests.get(f"{clocked.url}/user/{customer}/open/lab", timeout=10)
        report(clocked, customer, "used")
        return bool(clocked.model(customer, "open").get("stopped"))

    wait_for(both, "the server of the open tab stopped", seconds=SLACK, step=0.3)
    assert is_up(clocked, customer, "used")
    assert time.monotonic() - begun > IDLE - 1
    gone(clocked, customer, "used")


def of_kinds(hub: HubProcess, user: str, kinds: Collection[str]) -> list[Event]:
    """Return the person's events of some kinds."""
    return [one for one in happened(hub, user) if one.kind in kinds]


def services(hub: HubProcess) -> list[Path]:
    """Return the culler and the janitor of that hub, and those a hub before it left."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            ours = any(name in command for name in (b"versatilehub.culler", b"versatilehub.janitor"))
            if ours and f":{hub.port + 81}/".encode() in (process / "environ").read_bytes():
                found.append(process)
        except OSError:  # it has just ended
            continue
    return found


COMPUTE = """
import glob, time
from jupyter_client import BlockingKernelClient
client = BlockingKernelClient(connection_file=glob.glob("/tmp/jupyter-runtime/kernel-*.json")[0])
client.load_connection_file()
client.start_channels()
while True:
    try:
        client.wait_for_ready(timeout=60)
        break
    except RuntimeError:  # "died", while it has not begun to live on a busy machine
        time.sleep(0.2)
client.execute("import os, time\\nwhile not os.path.exists('/tmp/enough'): time.sleep(0.1)")
time.sleep(1)
"""


@pytest.mark.req("P7", "P8")
def test_a_kernel_that_computes_keeps_its_server(clocked: HubProcess, customer: str) -> None:
    """A long cell that prints nothing is use, also for a hub that was killed meanwhile; after its end the server stops."""
    clocked.run(customer, image=LAB, idle_timeout=10)
    url = f"{clocked.url}/user/{customer}/api/kernels"
    headers = {"Authorization": f"token {token_of(clocked, customer)}"}
    report(clocked, customer)
    made = requests.post(url, headers=headers, json={"name": "python3"}, timeout=60)
    assert made.ok, made.text
    docker("exec", "-d", clocked.container(customer), "python", "-c", COMPUTE)

    def computes() -> bool:
        report(clocked, customer)
        kernels = requests.get(url, headers=headers, timeout=60).json()
        return bool(kernels[0]["execution_state"] == "busy")

    wait_for(computes, "the cell under way", seconds=60, step=0.3)
    clocked.kill()  # with it goes the hub's copy of the server's token
    clocked.start()
    wait_for(lambda: len(services(clocked)) == 2, "the services of the killed hub gone")
    first = ends_at(clocked, customer)

    wait_for(
        lambda: ends_at(clocked, customer) > first + timedelta(seconds=5), "put off by its kernel", seconds=60
    )
    assert is_up(clocked, customer)
    clocked.exec(customer, "touch /tmp/enough")
    gone(clocked, customer, seconds=40)


def ends_at(hub: HubProcess, user: str) -> datetime:
    """Return when the hub says the server stops."""
    return datetime.fromisoformat(ours(hub, "GET", f"servers/{user}/countdown").json()["stops_at"])


@pytest.mark.req("V12", "P7")
def test_its_owner_puts_the_end_off_up_to_the_ceiling(clocked: HubProcess, customer: str) -> None:
    """By its owner and nobody else; the record outlives the hub; the ceiling holds."""
    clocked.run(customer, image=STUB, idle_timeout=IDLE)
    path = f"servers/{customer}/"
    mine = token_of(clocked, customer)
    put_off = ours(clocked, "POST", f"{path}/extend", token=mine, json={"seconds": 12})
    assert put_off.status_code == 200, put_off.text
    end = datetime.fromisoformat(put_off.json()["stops_at"])
    own = clocked.exec(customer, "echo $JUPYTERHUB_API_TOKEN")
    bob = token_of(clocked, clocked.user("bob"))

    assert (
        ours(clocked, "GET", f"{path}/countdown", token=own).json()["stops_at"] == put_off.json()["stops_at"]
    )
    assert ours(clocked, "POST", f"{path}/extend", token=own).status_code in (403, 404), "code in the server"
    for method, what in (("POST", "extend"), ("GET", "countdown")):
        assert ours(clocked, method, path + "/" + what, token=bob).status_code in (403, 404)
        assert ours(clocked, method, path + "/" + what, token="0" * 32).status_code == 403
    for method, what in (("GET", "culling"), ("POST", f"culling/{customer}/")):
        assert ours(clocked, method, what, token=mine).status_code in (403, 404)
    refused = ours(clocked, "POST", f"{path}/extend", token=mine, json={"seconds": 31}).json()
    assert (refused["code"], refused["limit"], refused["actual"]) == ("extension_out_of_range", "30", "31")
    odd = ours(clocked, "POST", f"{path}/extend", token=mine, json={"seconds": "1h"})
    assert (odd.status_code, odd.json()["field"]) == (400, "seconds")

    wait_for(lambda: datetime.now(UTC) > end - timedelta(seconds=2), "nearly at its end", seconds=20)
    assert is_up(clocked, customer), "kept"
    gone(clocked, customer, seconds=SLACK)
    assert Kind.SERVER_EXTENDED in [one.kind for one in happened(clocked, customer)]
    assert ours(clocked, "GET", f"{path}/countdown", token=mine).status_code == 404


@pytest.mark.req("V12")
def test_the_greatest_age_ends_a_server_in_use(clocked: HubProcess, customer: str) -> None:
    """The policy of its owner's group stops it, however busy."""
    clocked.api("POST", "groups/aged")
    clocked.api("POST", "groups/aged/users", json={"users": [customer]})
    clocked.run(customer)

    def use() -> bool:
        if is_up(clocked, customer):
            report(clocked, customer)
        return bool(clocked.model(customer).get("stopped"))

    wait_for(use, "stopped for its age", seconds=SLACK + 5, step=0.3)
    events = wait_for(
        lambda: [e for e in happened(clocked, customer) if e.kind == Kind.SERVER_CULLED], "culled"
    )
    assert events[0].data == {"why": "age"}
    assert events[0].groups == ("aged",)


@pytest.mark.req("P7")
def test_a_pass_never_takes_more_than_half(clocked: HubProcess, customer: str) -> None:
    """Six that become due at once do not go at once, and the log says so."""
    names = [f"n{number}" for number in range(6)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda name: clocked.run(customer, name, image=STUB, idle_timeout=15), names))
    stamp = {"last_activity": datetime.now(UTC).isoformat()}
    assert clocked.api("POST", f"users/{customer}/activity", json={"servers": dict.fromkeys(names, stamp)}).ok

    wait_for(
        lambda: re.search(r"6 of \d+ running servers are due; 3 stop now", clocked.tail(500)),
        "the warning",
        seconds=60,
    )
    for name in names:
        gone(clocked, customer, name, seconds=40)
