"""The Docker networks of one hub and the wall around them, made ready before the hub listens.

The hub's API listens on the gateway address of its servers' network and nowhere else; that address exists only when the
network does, so `prepare` runs while the configuration is read.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from versatilehub import firewall, naming
from versatilehub.engine import Engine
from versatilehub.errors import EngineUnavailable
from versatilehub.firewall import Opening, Wall

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

T = TypeVar("T")
log = logging.getLogger("versatilehub")

#: Docker's own name for it; a daemon may be given another, and then has no such interface.
DEFAULT_BRIDGE = "docker0"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPlan:
    """What to prepare: names of both networks, the hub's API port, extra source prefixes, and whether to set rules."""

    hub_id: str
    network: str
    build_network: str
    hub_port: int
    extra_sources: Sequence[str] = ()
    firewall: bool = True
    patience: int = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What came of it: the gateway the hub listens on, and why there is no firewall ("" when there is)."""

    gateway: str
    unprotected: str


def openings(extra_sources: Sequence[str]) -> list[Opening]:
    """Return the addresses of *extra_sources* as of now; a name that has none is left out and logged."""
    found = []
    for prefix in extra_sources:
        parts = urlsplit(prefix)
        try:
            port = parts.port or (80 if parts.scheme == "http" else 443)
            rows = socket.getaddrinfo(parts.hostname or "", port, socket.AF_INET, socket.SOCK_STREAM)
        except (OSError, ValueError) as error:  # ValueError: no port number, or no name DNS could have
            log.warning("Extra source %s has no address now (%s): builds cannot reach it.", prefix, error)
            continue
        found += [Opening(host=str(row[4][0]), port=port) for row in rows]
    return found


def walls(plan: NetworkPlan, gateway: str) -> list[Wall]:
    """Return the rules for both networks and, as build steps run on Docker's default bridge, what that one loses.

    That is cloud metadata and the hub's API. Other ports of this machine stay open to build steps: the containers of
    others, who may need them, share the bridge.
    """
    extra = openings(plan.extra_sources)
    servers = Wall(
        name=f"VH-{plan.hub_id}-S",
        bridge=naming.bridge_name(plan.hub_id, "s"),
        host=[Opening(host=gateway, port=plan.hub_port), *extra],
        beyond=extra,
    )
    builds = Wall(
        name=f"VH-{plan.hub_id}-B", bridge=naming.bridge_name(plan.hub_id, "b"), host=extra, beyond=extra
    )
    # BuildKit runs the steps of a build on Docker's default bridge, beside containers that are not ours.
    steps = Wall(
        name=f"VH-{plan.hub_id}-D",
        bridge=DEFAULT_BRIDGE,
        blocked=firewall.METADATA,
        ours=False,
        closed=(gateway,),
    )
    return [servers, builds, steps]


async def _ensure(plan: NetworkPlan) -> str:
    engine = Engine(hub=plan.hub_id)
    try:
        for _ in range(plan.patience):
            try:
                await engine.ping()
                break
            except EngineUnavailable:
                log.warning("Waiting for Docker to answer.")
                await asyncio.sleep(1)
        await engine.networks.ensure(
            plan.build_network,
            engine.labels("network"),
            {
                "com.docker.network.bridge.name": naming.bridge_name(plan.hub_id, "b"),
                "com.docker.network.bridge.enable_icc": "false",
            },
        )
        network = await ensure_servers(engine, plan.network, plan.hub_id)
        return await engine.networks.gateway(network)
    finally:
        await engine.close()


async def ensure_servers(engine: Engine, name: str, hub_id: str) -> str:
    """Return the id of the network of users' servers, made when missing. It brings no firewall rules: `prepare` does."""
    options = {
        "com.docker.network.bridge.name": naming.bridge_name(hub_id, "s"),
        "com.docker.network.bridge.enable_icc": "false",
    }
    return await engine.networks.ensure(name, engine.labels("network"), options)


def prepare(plan: NetworkPlan) -> Prepared:
    """Make both networks and set the rules. Blocks: for the time when configuration is read, before there is a hub.

    Raises `EngineFailure` when Docker does not answer for *patience* seconds or refuses.
    """
    gateway = in_own_loop(_ensure(plan))
    reason = "switched off in the configuration" if not plan.firewall else firewall.unavailable()
    if not reason:
        reason = firewall.raise_walls(walls(plan, gateway))
    if reason:
        log.warning(
            "No firewall rules for the servers' network: %s. Servers can reach this machine's ports.", reason
        )
    return Prepared(gateway=gateway, unprotected=reason)


def in_own_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run *work* to its end: JupyterHub reads its configuration inside a running event loop, so it gets a thread."""
    box: list[T | BaseException] = []

    def run() -> None:
        try:
            box.append(asyncio.run(work))
        except BaseException as error:  # noqa: BLE001  # handed to the caller's thread whole  # handed to the caller's thread whole
            box.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(box[0], BaseException):
        raise box[0]
    return box[0]
