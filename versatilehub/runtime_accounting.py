"""The part of `VersatileHub` that knows what was used: a month's figures, and the budget of one person."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from traitlets import HasTraits

from versatilehub.accounting import Figures, Month, account
from versatilehub.budgets import check_budget, has_budget
from versatilehub.store import ledger as rows

if TYPE_CHECKING:
    from versatilehub.accounting import By
    from versatilehub.ledger import Ledger
    from versatilehub.policy import Policy
    from versatilehub.store import Store

#: People whose figures are remembered between two looks.
REMEMBERED = 10_000


class AccountingPart(HasTraits):
    """Figures of a month and budgets."""

    if TYPE_CHECKING:  # of `VersatileHub` itself

        @property
        def store(self) -> Store:
            """The database."""

        @property
        def ledger(self) -> Ledger:
            """The events."""

    async def account(self, month: Month, by: By = "user", owner: str | None = None) -> dict[str, Figures]:
        """Return the figures of *month*, of *owner* or of everybody; the sums are made in the database's thread."""
        await self.ledger.flushed()
        now = datetime.now(UTC)

        def work(session: Any) -> dict[str, Figures]:
            events = rows.reaching_into(session, month.begin, month.end, owner=owner)
            return account(events, month, now=now, by=by)

        return await self.store.run(work)

    @cached_property
    def _used(self) -> dict[str, tuple[Month, Figures]]:
        return {}

    async def check_budget(self, owner: str, policy: Policy) -> None:
        """Raise `Refusal` when *owner* has used up a budget of this month; asks the ledger."""
        if not has_budget(policy):
            return
        month = Month.of(datetime.now(UTC))
        table = await self.account(month, owner=owner)
        if len(self._used) >= REMEMBERED:
            self._used.clear()
        self._used[owner] = month, table.get(owner, Figures())
        self.check_known_budget(owner, policy)

    def check_known_budget(self, owner: str, policy: Policy) -> None:
        """Raise the same by what was found when *owner* last started a server, without waiting: for a form, say.

        Figures only grow within a month, so this is never a wrong no.
        """
        month, used = self._used.get(owner, (None, Figures()))
        if month is not None and month == Month.of(datetime.now(UTC)):
            check_budget(used, policy, month)
