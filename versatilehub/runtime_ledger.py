"""The part of `VersatileHub` that remembers what happened: the ledger, and what it needs to know of the hub."""

from __future__ import annotations

import atexit
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jupyterhub import orm
from traitlets import HasTraits

from versatilehub.events import Kind
from versatilehub.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from versatilehub.runtime_observers import Observer
    from versatilehub.store import Store


class LedgerPart(HasTraits):
    """The ledger of a deployment."""

    #: The hub's own tornado settings; empty for a command.
    hub_settings: MutableMapping[str, Any] = {}  # noqa: RUF012  # replaced, never filled
    if TYPE_CHECKING:  # of `VersatileHub` itself

        @property
        def store(self) -> Store:
            """The database."""

        @property
        def observers(self) -> tuple[Observer, ...]:
            """Who is told of events."""

    @cached_property
    def ledger(self) -> Ledger:
        """The record of what happened; a hub that ends writes what waits."""
        ledger = Ledger(self.store, groups_of=self.groups_of)
        ledger.observers.extend(one.of_event for one in self.observers)
        atexit.register(ledger.close)
        return ledger

    def groups_of(self, owner: str) -> tuple[str, ...]:
        """Return the names of JupyterHub's groups *owner* is in, () for nobody it knows."""
        database = self.hub_settings.get("db")
        if database is None:
            return ()
        rows = database.query(orm.Group.name).join(orm.Group.users).filter(orm.User.name == owner)
        return tuple(sorted(name for (name,) in rows))

    def record_start(self) -> None:
        """Tell the ledger that the hub is there and what it found running: the end of whatever it did not."""
        database: Any = self.hub_settings["db"]
        spawner: Any = orm.Spawner
        rows = (
            database.query(orm.User.name, spawner.name)
            .join(spawner, spawner.user_id == orm.User.id)
            .filter(spawner.server_id.isnot(None))
        )
        self.ledger.append(Kind.HUB_STARTED, owner="", running=[[owner, server] for owner, server in rows])
