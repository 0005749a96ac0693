"""The part of `VersatileHub` that knows when servers stop: the traits, the clock, and the facts the rule needs.

Every answer about an end (culler, pages, API, notice) is `culling.countdown` over what is gathered here.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jupyterhub import orm
from traitlets import Bool, Float, HasTraits, Integer

from versatilehub import culling
from versatilehub.culling import Clock, ClockWatch, Limits, Running

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from versatilehub.policy import Entitlement

#: Our part of a spawner's state, and the lifetime in it.
STATE_KEY, LIFETIME = "versatilehub", "lifetime"
#: Rows of the hub's database read without letting others have their turn.
ROWS = 500


class CullingTraits(HasTraits):
    """What an administrator sets about servers that stop by themselves; the times themselves are policy."""

    culling = Bool(
        True,
        config=True,
        help="""Stop servers that nobody uses, and those too old, by the policy's idle_timeout and max_age. Default: True.

        Example: ``c.VersatileHub.culling = False`` where nothing ever stops by itself.
        """,
    )
    cull_every = Integer(
        60,
        min=1,
        config=True,
        help="Seconds between two passes of the culler. Default: 60. Example: ``300``",
    )
    cull_grace = Integer(
        600,
        min=0,
        config=True,
        help="""Seconds after a start of the hub, or a jump of its clock, in which nothing is stopped.

        Servers report what they do every 5 minutes. Default: 600. Example: ``c.VersatileHub.cull_grace = 1800``
        """,
    )
    cull_share = Float(
        0.5,
        min=0.0,
        max=1.0,
        config=True,
        help="""Share of all running servers that one pass may stop; two may always. Default: 0.5. Example: ``1.0``""",
    )
    cull_notice = Integer(
        600,
        min=0,
        config=True,
        help="Seconds before its end from which JupyterLab shows a notice. Default: 600. Example: ``900``",
    )
    busy_kernels_count = Bool(
        True,
        config=True,
        help="""A kernel that computes is use, also one that prints nothing. Default: True.

        Example: ``c.VersatileHub.busy_kernels_count = False``
        """,
    )
    open_tabs_count = Bool(
        True,
        config=True,
        help="""Any traffic through the proxy is use, so an open JupyterLab keeps its server. Default: True.

        Set to False, a server is used only by what it reports itself. Needs `configure`. Example: ``False``
        """,
    )

    if TYPE_CHECKING:  # of `VersatileHub` itself

        def entitlement(self, groups: Iterable[str]) -> Entitlement:
            """Return what a member of *groups* may."""

    @cached_property
    def clock_watch(self) -> ClockWatch:
        """Notices a wall clock that jumps."""
        return ClockWatch(grace=self.cull_grace)

    def clock(self) -> Clock:
        """Return what is known about time now."""
        return self.clock_watch.look(datetime.now(UTC), time.monotonic())

    def limits(self, groups: Iterable[str], wish: int | None) -> Limits:
        """Return the limits of a server whose owner is in *groups* and asked for *wish* seconds."""
        if not self.culling:
            return Limits()
        policy = self.entitlement(groups).policy
        return culling.limits_of(
            wish,
            idle=policy.idle_timeout,
            idle_max=policy.idle_timeout_max,
            age=policy.max_age,
            extension=policy.extension_max,
        )

    def running(self, spawner: Any) -> Running:
        """Return the facts about the running server of *spawner*."""
        record = spawner.orm_spawner
        wish, keep_until = wishes(spawner.get_state())
        return Running(
            owner=spawner.user.name,
            server=spawner.name,
            started=_utc(record.started) or self.clock().now,
            last_activity=_utc(record.last_activity),
            keep_until=keep_until,
            limits=self.limits((group.name for group in spawner.user.groups), wish),
        )

    async def all_running(self, db: Any) -> list[Running]:
        """Return the facts about every running server, from the hub's database *db*."""
        groups: dict[int, list[str]] = {}
        pairs = db.query(orm.User.id, orm.Group.name).join(orm.User.groups)
        for user_id, group in pairs:
            groups.setdefault(user_id, []).append(group)
        found: list[Running] = []
        last = 0
        while rows := _rows_after(db, last):
            for row in rows:
                wish, keep_until = wishes(row.state or {})
                found.append(
                    Running(
                        owner=row.owner,
                        server=row.server,
                        started=_utc(row.started) or datetime.now(UTC),
                        last_activity=_utc(row.last_activity),
                        keep_until=keep_until,
                        limits=self.limits(groups.get(row.user_id, ()), wish),
                    )
                )
            last = rows[-1].id
            await asyncio.sleep(0)  # others' requests; nothing of the database is held meanwhile
        return found


def wishes(state: Mapping[str, Any]) -> tuple[int | None, datetime | None]:
    """Return the idle time and the moment kept until that a server's state records."""
    lifetime = (state.get(STATE_KEY) or {}).get(LIFETIME) or {}
    wish, keep = lifetime.get("idle_timeout"), lifetime.get("keep_until")
    return wish, datetime.fromtimestamp(keep, UTC) if keep else None


def _rows_after(db: Any, last: int) -> list[Any]:
    spawner: Any = orm.Spawner
    user: Any = orm.User
    asked = (
        db.query(
            spawner.id,
            spawner.name.label("server"),
            spawner.started,
            spawner.last_activity,
            spawner.state,
            spawner.user_id,
            user.name.label("owner"),
        )
        .join(user, user.id == spawner.user_id)
        .filter(spawner.server_id.isnot(None), spawner.id > last)
        .order_by(spawner.id)
        .limit(ROWS)
    )
    return list(asked)


def _utc(naive: datetime | None) -> datetime | None:
    """JupyterHub keeps UTC without saying so."""
    return None if naive is None else naive.replace(tzinfo=UTC)
