"""What is measured: each suite starts the hubs it needs, measures in turns, and removes everything."""

from __future__ import annotations

import concurrent.futures
import contextlib
import io
import secrets
import subprocess
import textwrap
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import docker

from benchmarks.build_latency import own_steps
from benchmarks.figures import Figure, figure
from benchmarks.hubs import (
    OUR_IMAGE,
    PLAIN_DOCKERFILE,
    PLAIN_IMAGE,
    Floor,
    our_hub,
    start,
    stock_hub,
    stop,
    timed,
    together,
)
from benchmarks.image_builds import images
from benchmarks.policy_check import policy_check
from benchmarks.records import records
from benchmarks.volume_create import volume_create
from tests import queueload
from tests.gitserver import GitServer
from tests.hubprocess import bridge_address, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.hubprocess import HubProcess

SLEEP = 2.0
_IDLE = 5.0


@contextlib.contextmanager
def both(folder: Path, *, ours: str, theirs: str) -> Iterator[tuple[HubProcess, HubProcess]]:
    """Start our hub and the stock one, each with its image; remove them in the end."""
    _plain_image()
    mine, stock = our_hub(folder / "ours", ours), stock_hub(folder / "stock", theirs)
    try:
        yield mine.start(), stock.start()
    finally:
        mine.close()
        stock.close()
        for volume in docker.from_env().volumes.list():
            if volume.name.startswith(("stockbench-", "floor-")):
                volume.remove(force=True)


def _plain_image() -> None:
    client = docker.from_env()
    if not client.images.list(PLAIN_IMAGE):
        client.images.build(
            fileobj=io.BytesIO(PLAIN_DOCKERFILE.encode()), tag=PLAIN_IMAGE, rm=True, forcerm=True
        )


def _one(hub: HubProcess, run: int) -> tuple[float, float]:
    user = hub.user(f"one{run}")
    return start(hub, user), stop(hub, user)


def spawn(folder: Path, *, quick: bool) -> list[Figure]:
    """One at a time on the same plain JupyterLab image: ours, stock, floor in turns."""
    runs = 3 if quick else 20
    with both(folder, ours=PLAIN_IMAGE, theirs=PLAIN_IMAGE) as (mine, stock):
        start(mine, mine.user("pattern"))
        floor = Floor(mine, "pattern")
        stop(mine, "pattern")
        _one(stock, 999)
        rows = [(_one(mine, n), _one(stock, n), floor.once()) for n in range(runs)]
    ours, theirs, floors = zip(*rows, strict=True)
    return [
        figure("spawn", [one[0] for one in ours], [one[0] for one in theirs]),
        figure("floor", [one[0] for one in ours], floors, peer="the container alone"),
        figure("stop", [one[1] for one in ours], [one[1] for one in theirs]),
    ]


def spawn_10(folder: Path, *, quick: bool) -> list[Figure]:
    """Ten at once, in turns; the floor is ten containers at once."""
    runs = 1 if quick else 5
    rows: dict[str, list[float]] = {"ours": [], "stock": [], "floor": []}
    with both(folder, ours=PLAIN_IMAGE, theirs=PLAIN_IMAGE) as (mine, stock):
        users = [f"ten{n}" for n in range(10)]
        for hub in (mine, stock):
            for name in users:
                hub.user(name)
        start(mine, "ten0")
        floor = Floor(mine, "ten0")
        stop(mine, "ten0")
        for _ in range(runs):
            for title, hub in (("ours", mine), ("stock", stock)):
                rows[title].append(together([lambda h=hub, u=user: start(h, u) for user in users]))  # type: ignore[misc]  # bound now
                together([lambda h=hub, u=user: stop(h, u) for user in users])  # type: ignore[misc]  # bound now
            rows["floor"].append(_floor_of_ten(floor))
    return [
        figure("spawn-10", rows["ours"], rows["stock"]),
        figure("floor-10", rows["ours"], rows["floor"], peer="ten containers alone"),
    ]


def _floor_of_ten(floor: Floor) -> float:
    seconds: list[float] = []
    together([lambda: seconds.append(floor.once()) for _ in range(10)])
    return max(seconds)


def own_image(folder: Path, *, quick: bool) -> list[Figure]:
    """Our spawner with our image against stock with a plain JupyterLab image."""
    runs = 3 if quick else 20
    with both(folder, ours=OUR_IMAGE, theirs=PLAIN_IMAGE) as (mine, stock):
        _one(mine, 999)
        _one(stock, 999)
        rows = [(_one(mine, n), _one(stock, n)) for n in range(runs)]
    return [figure("spawn-own-image", [m[0] for m, _ in rows], [s[0] for _, s in rows])]


def builds(folder: Path, *, quick: bool) -> list[Figure]:
    """New Dockerfile repository, first log line, wrong ref, relaunch of a built one."""
    runs = 3 if quick else 5
    rows: dict[str, list[float]] = {
        key: [] for key in ("build", "steps", "first", "wrong", "git", "again", "plain")
    }
    with GitServer("0.0.0.0", name=bridge_address()) as forge:  # noqa: S104  # containers must reach it
        hub = our_hub(folder / "ours", "versatilehub/test-server:latest", extra_sources=(forge.base,))
        try:
            hub.start()
            for n in range(runs):
                _one_build(hub, forge, n, rows)
        finally:
            hub.close()
    return [
        figure(
            "build-dockerfile",
            rows["build"],
            rows["steps"],
            peer="its own steps (sleep 2, by BuildKit's clock)",
        ),
        figure("first-log-line", rows["first"], [0.5] * runs, peer="target of 0.5 s"),
        figure("wrong-ref", rows["wrong"], rows["git"], peer="git ls-remote alone"),
        figure("relaunch-cached", rows["again"], rows["plain"], peer="a plain spawn"),
    ]


def _one_build(hub: HubProcess, forge: GitServer, n: int, rows: Mapping[str, list[float]]) -> None:
    name, user = f"bench{n}.git", hub.user(f"builder{n}")
    files = {
        "Dockerfile": f"FROM versatilehub/test-server\nCOPY . /srv/repo/\nRUN sleep {SLEEP:g}\n",
        "unique": secrets.token_hex(16),
    }
    forge.repo(name, files)
    launched, events = _launch_watched(hub, user, forge.url(name))
    rows["first"].append(next(e["at"] for e in events if e["kind"] == "log") - launched)
    rows["build"].append(next(e["at"] for e in events if e["kind"] == "done") - launched)
    rows["steps"].append(own_steps([e["message"] for e in events]))
    stop(hub, user)
    rows["again"].append(start(hub, user, source=forge.url(name)))
    stop(hub, user)
    rows["plain"].append(start(hub, user, image="versatilehub/test-server:latest"))
    stop(hub, user)
    rows["wrong"].append(timed(lambda: hub.launch(user, source=forge.url(name), ref="nosuch")))
    rows["git"].append(timed(lambda: _ls_remote(forge.url(name))))


def _launch_watched(hub: HubProcess, user: str, source: str) -> tuple[float, list[dict[str, Any]]]:
    """Launch, and return when it was asked for and every event of the launch, each with its own time."""
    launched = time.time()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(hub.launch, user, source=source)
        wait_for(lambda: hub.model(user).get("pending") == "spawn", "pending", step=0.02)
        events = [{**event["vh"], "message": event["message"]} for event in hub.stream(user) if "vh" in event]
        asked.result()
    hub.wait_ready(user)
    return launched, events


def _ls_remote(url: str) -> None:
    subprocess.run(["git", "ls-remote", "--", url], capture_output=True, check=True)


def queue(folder: Path, *, quick: bool) -> list[Figure]:
    """Twenty builds by five people, two at a time, half of them bad: pages and event loop meanwhile, beside an idle hub's."""
    del quick  # twenty builds are twenty builds
    with GitServer("0.0.0.0", name=bridge_address()) as forge:  # noqa: S104  # containers must reach it
        hub = our_hub(folder / "queue", OUR_IMAGE, extra_sources=(forge.base,))
        hub = replace(hub, lines=textwrap.dedent(hub.lines) + textwrap.dedent(queueload.LAG_LINES))
        try:
            hub.start()
            idle, since = queueload.Pages(hub=hub), time.time()
            with idle.asked():
                time.sleep(_IDLE)
            quiet = queueload.lags(hub, since)
            load = queueload.run(hub, forge)
        finally:
            hub.close()
    note = f"20 builds in {load.seconds:.1f} s"
    return [
        figure("queue-20", load.pages, idle.seconds, peer="pages of the idle hub", note=note),
        figure("hub-lag", load.lags, quiet, peer="the idle hub's loop", note=note),
    ]


SUITES: Mapping[str, Callable[..., list[Figure]]] = {
    "spawn": spawn,
    "spawn-10": spawn_10,
    "own-image": own_image,
    "builds": builds,
    "images": images,
    "queue": queue,
    "records": records,
    "policy-check": policy_check,
    "volume-create": volume_create,
}
