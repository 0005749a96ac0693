"""How long one policy check takes in a hub with 2 000 people and 5 000 servers on record, and how that grows.

Everything but the containers is real: JupyterHub's tables and users, our spawner, groups with policies of their own. Beside it what
stock JupyterHub does for the same question: it counts the names of that person's servers.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from jupyterhub import orm
from jupyterhub.objects import Hub
from jupyterhub.user import UserDict
from traitlets.config import Config

from benchmarks.figures import Figure, figure
from benchmarks.hubs import timed
from versatilehub.runtime import SETTINGS_KEY, VersatileHub
from versatilehub.spawner import VersatileSpawner
from versatilehub.web.server_limit import Wish, check_wish

if TYPE_CHECKING:
    from pathlib import Path

PEER = "JupyterHub's count of names"
GROUPS = 20
#: People and servers on record: as in the issue, and ten times less.
SIZES = ((2000, 5000), (200, 500))
SPEC = {"image": "versatilehub/singleuser:latest", "memory": "1G", "profile": "small"}


def policy_check(folder: Path, *, quick: bool) -> list[Figure]:
    """Check one more server with options for many people; once loaded, and as the first thing a person does."""
    found = []
    draw = random.Random(1)  # noqa: S311  # the same people in every run
    for people, servers in SIZES:
        users = _hub(folder / str(people), people, servers)
        names = draw.sample(range(people), 30 if quick else 200)
        owners = [users[f"u{number}"] for number in names]
        first = [_ms(lambda owner=owner: _ask(owner)) for owner in owners]
        again = [_ms(lambda owner=owner: _ask(owner)) for owner in owners]
        stock = [_ms(lambda owner=owner: len(set(owner.orm_spawners) - {""})) for owner in owners]
        size = "" if (people, servers) == SIZES[0] else f"-{people}"
        note = f"{people} people, {servers} servers on record, {GROUPS} groups"
        found += [
            _figure(f"policy-check{size}", again, stock, note),
            _figure(
                f"policy-check-first{size}", first, stock, f"{note}; loads the person, makes their spawner"
            ),
        ]
    return found


def _ms(action: Any) -> float:
    return 1000 * timed(action)


def _figure(name: str, ours: list[float], theirs: list[float], note: str) -> Figure:
    return figure(name, ours, theirs, peer=PEER, note=note, unit="ms")


def _ask(owner: Any) -> None:
    check_wish(Wish(owner=owner, name="one-more", starts=True, options=SPEC), actor=owner)


def _hub(folder: Path, people: int, servers: int) -> UserDict:
    folder.mkdir(parents=True)
    url = f"sqlite:///{folder / 'hub.sqlite'}"
    factory: Any = orm.new_session_factory(url)  # type: ignore[no-untyped-call]  # JupyterHub's own
    session = factory()
    groups = [orm.Group(name=f"g{number}") for number in range(GROUPS)]
    rows = [
        orm.User(name=f"u{number}", groups=[groups[(number + step) % GROUPS] for step in (0, 3, 7)])
        for number in range(people)
    ]
    session.add_all(rows)
    for number in range(servers):
        session.add(orm.Spawner(user=rows[number % people], name=f"lab-{number // people}"))
    session.commit()
    runtime = VersatileHub(
        preset="versatile",
        state_dir=str(folder),
        hub_id="bench",
        policy_groups={
            f"g{number}": {"named_servers": 10 + number, "memory_max": "9G"} for number in range(GROUPS)
        },
    )
    session.close()
    session = factory()
    hub = Hub(ip="127.0.0.1", port=8081, base_url="/hub/")
    settings = {
        SETTINGS_KEY: runtime,
        "db": session,
        "hub": hub,
        "config": Config(),
        "spawner_class": VersatileSpawner,
        "base_url": "/",
    }
    users: UserDict = UserDict(lambda: session, settings)  # type: ignore[no-untyped-call]  # JupyterHub's own
    return users
