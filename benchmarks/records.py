"""A hub with thousands of people and running servers on record, and no container: what a culler's pass and the home page take."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import jupyterhub
import requests
from jupyterhub import orm
from jupyterhub_idle_culler import cull_idle, default_cull_arbiter

from benchmarks.figures import Figure, figure
from benchmarks.hubs import timed
from tests.hubprocess import HubProcess, wait_for
from versatilehub.culler import Arbiter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

USERS, SERVERS = 2000, 5000
LINES = """
    from jupyterhub.proxy import Proxy
    from versatilehub.spawner import VersatileSpawner

    class Recorded(VersatileSpawner):
        async def poll(self):
            return None

        async def get_url(self):
            return self.server.url

        async def stop(self, now=False):
            pass

    class NoProxy(Proxy):
        routes = {}
        should_start = False

        async def add_route(self, routespec, target, data):
            self.routes[routespec] = {"routespec": routespec, "target": target, "data": data}

        async def delete_route(self, routespec):
            self.routes.pop(routespec, None)

        async def get_all_routes(self):
            return dict(self.routes)

    c.JupyterHub.spawner_class = Recorded
    c.JupyterHub.proxy_class = NoProxy
    c.JupyterHub.hub_bind_url = c.JupyterHub.bind_url
    c.JupyterHub.log_level = 30
    c.JupyterHub.active_server_limit = 0
    c.VersatileHub.cull_grace = 0
    c.VersatileHub.cull_every = 36000
    c.VersatileHub.policy_groups = {"staff": {"idle_timeout_max": "8h"}}
"""


class Answering(BaseHTTPRequestHandler):
    """What every server on record answers."""

    def do_GET(self) -> None:
        """Say yes."""
        self.send_response(200)
        self.send_header("X-JupyterHub-Version", jupyterhub.__version__)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's name
        """Say nothing."""


def fill(state: Path, *, users: int, servers: int, port: int) -> None:
    """Put people and their running servers on record, every third person in a group with limits of its own."""
    tables: Any = orm
    now = datetime.now(UTC).replace(tzinfo=None)
    session = tables.new_session_factory(f"sqlite:///{state / 'jupyterhub.sqlite'}")()
    group = orm.Group(name="staff")
    people = [orm.User(name=f"u{number}") for number in range(users)]
    session.add_all([group, *people])
    for number, person in enumerate(people):
        if number % 3 == 0:
            group.users.append(person)
    for number in range(servers):
        person, name = people[number % users], f"s{number // users}" if number >= users else ""
        path = f"/user/{person.name}/{name}/" if name else f"/user/{person.name}/"
        record = orm.Server(proto="http", ip="127.0.0.1", port=port, base_url=path)
        spawner = tables.Spawner(name=name, user=person, server=record)
        spawner.started = spawner.last_activity = now
        spawner.state = {"versatilehub": {"volume": "", "lifetime": {"idle_timeout": None}}}
        session.add(spawner)
    session.commit()
    session.close()


@contextlib.contextmanager
def recorded(folder: Path, *, users: int, servers: int) -> Iterator[HubProcess]:
    """Start a hub with so many people and servers."""
    answering = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=answering.serve_forever, daemon=True).start()
    hub = HubProcess(state=folder, lines=LINES, session="bench", users={"u1": "u1-password-1"})
    fill(folder, users=users, servers=servers, port=answering.server_address[1])
    try:
        hub.start(seconds=600)
        wait_for(lambda: not _pending(hub), "every server looked at", seconds=900, step=3)
        yield hub
    finally:
        hub.close()
        answering.shutdown()


def _pending(hub: HubProcess) -> bool:
    """Tell whether the hub still looks after its start whether a server is there."""
    offset: int | None = 0
    while offset is not None:
        page = requests.get(
            f"{hub.url}/hub/api/users",
            params={"state": "active", "limit": "200", "offset": str(offset)},
            headers={
                "Authorization": f"token {hub.token}",
                "Accept": "application/jupyterhub-pagination+json",
            },
            timeout=600,
        ).json()
        if any(server["pending"] for user in page["items"] for server in user["servers"].values()):
            return True
        following = page["_pagination"]["next"]
        offset = following["offset"] if following else None
    return False


def cull(hub: HubProcess, arbiter: Callable[..., object]) -> None:
    """Make one pass of idle-culler with *arbiter*; nothing is due."""
    asyncio.run(
        cull_idle(  # type: ignore[no-untyped-call]  # its package ships no types
            url=f"{hub.url}/hub/api",
            api_token=hub.token,
            inactive_limit=36000,
            logger=logging.getLogger("bench"),
            api_page_size=200,
            cull_arbiter=arbiter,
        )
    )


def sign_in(hub: HubProcess) -> requests.Session:
    """Return a session of a person with servers."""
    session = requests.Session()
    login = f"{hub.url}/hub/login"
    session.get(login, timeout=60)
    form = {
        "username": "u1",
        "password": "u1-password-1",
        "_xsrf": next(cookie.value or "" for cookie in session.cookies if cookie.name == "_xsrf"),
    }
    answer = session.post(login, data=form, allow_redirects=False, timeout=60)
    assert answer.status_code == 302, answer.text
    return session


def records(folder: Path, *, quick: bool) -> list[Figure]:
    """A pass and the home page, at a fifth of the records and at all of them: how each grows."""
    figures = []
    for part in (10,) if quick else (5, 1):
        users, servers = USERS // part, SERVERS // part
        with recorded(folder / str(part), users=users, servers=servers) as hub:
            figures += _measure(hub, servers, runs=3 if quick else 7)
    return figures


def _measure(hub: HubProcess, servers: int, *, runs: int) -> list[Figure]:
    def ours() -> None:
        cull(hub, Arbiter(f"{hub.url}/hub/api", hub.token))

    def theirs() -> None:
        cull(hub, default_cull_arbiter)

    session = sign_in(hub)

    def home() -> None:
        answer = session.get(f"{hub.url}/hub/home", timeout=60)
        assert answer.ok, answer.text

    def health() -> None:
        assert session.get(f"{hub.url}/hub/health", timeout=60).ok

    for warm in (ours, home):
        warm()
    passes = [(timed(ours), timed(theirs)) for _ in range(runs)]
    pages = [(timed(home), timed(health)) for _ in range(runs * 6)]
    note = f"{servers} running servers on record"
    mine, stock = zip(*passes, strict=True)
    shown, floor = zip(*pages, strict=True)
    return [
        figure(f"cull-pass-{servers}", mine, stock, peer="idle-culler's own arbiter", note=note),
        figure(f"home-page-{servers}", shown, floor, peer="the hub's health page", note=note),
    ]
