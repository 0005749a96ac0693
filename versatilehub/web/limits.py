"""The page *Your limits*: what the owner of a server may have, what of it is in use, and which rule says so.

It prints the object that enforces (`policy_explain`), so that page and enforcement cannot differ.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jupyterhub.handlers.base import BaseHandler
from tornado.web import HTTPError, authenticated

from versatilehub import accounting
from versatilehub.errors import EngineFailure
from versatilehub.events import Kind
from versatilehub.policy_explain import Limits, Use, explain
from versatilehub.runtime import VersatileHub
from versatilehub.spawner_policy import usage_of
from versatilehub.store import ledger as rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from versatilehub.policy import Entitlement


async def limits_of(hub: VersatileHub, owner: Any) -> Limits:
    """Return what *owner* may, and what of it is in use now."""
    found = entitlement_of(hub, owner)
    usage = usage_of(owner)
    now = datetime.now(UTC)
    counts = {
        "named_servers": Use(amount=len(usage.named_servers), names=usage.named_servers),
        "running_max": Use(
            amount=usage.running, names=tuple(name or "the default server" for name in usage.running_names)
        ),
    }
    name = owner.name
    recorded = await hub.store.run(lambda session: _recorded(session, name, now))
    return explain(name, found, {**counts, **recorded, **await _measured(hub, name)})


async def _measured(hub: VersatileHub, owner: str) -> Mapping[str, Use]:
    """Return what the largest server and the fullest volume use; nothing while Docker does not answer."""
    try:
        use = await hub.usage.use()
    except EngineFailure:
        return {}
    servers = [(one.memory, one.server) for one in use.servers if one.owner == owner]
    volumes = [(one.used, one.server) for one in use.volumes if one.owner == owner]
    return {
        key: Use(amount=size, names=(server or "the default server",), size=True)
        for key, found in (("memory_max", servers), ("server_volume_max", volumes))
        for size, server in sorted(found)[-1:]
    }


def entitlement_of(hub: VersatileHub, owner: Any) -> Entitlement:
    """Return what *owner* may, with what an administrator set on the spawner."""
    spawner = owner.spawner
    if hasattr(spawner, "entitlement"):
        found: Entitlement = spawner.entitlement()
        return found
    return hub.entitlement(group.name for group in owner.groups)


def _recorded(session: Session, owner: str, now: datetime) -> Mapping[str, Use]:
    month = accounting.Month.of(now)
    events = rows.reaching_into(session, month.begin, month.end, owner=owner)
    figures = accounting.account(events, month, now=now).get(owner, accounting.Figures())
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    begun = [event for event in events if event.kind == Kind.BUILD_STARTED]
    running = [span for span in accounting.builds(events, now) if span.end == now]
    return {
        "builds_at_once": Use(amount=len(running)),
        "builds_per_day": Use(amount=sum(event.at >= today for event in begun)),
        "budget_server_hours": Use(amount=figures.server_hours),
        "budget_cpu_hours": Use(amount=figures.cpu_hours),
        "budget_gb_hours": Use(amount=figures.gb_hours),
    }


class LimitsHandler(BaseHandler):
    """``GET`` shows the page of whoever is logged in."""

    @authenticated
    async def get(self) -> None:
        """Show the limits of the person who looks."""
        owner = self.find_user(self.current_user.name)
        if owner is None:
            raise HTTPError(404, "Only a person has limits.")
        hub = VersatileHub.of(self.settings, config=self.config, log=self.log)
        limits = await limits_of(hub, owner)
        # What was measured last: nobody waits for a measurement to see a page.
        files = [one for one in hub.usage.latest.volumes if one.owner == owner.name]
        self.finish(
            await self.render_template("limits.html", limits=limits, files=files, storage=hub.storage)
        )


HANDLERS = [(r"/versatilehub/limits", LimitsHandler)]
