"""``GET accounting?month=2026-11&by=user``: what was used in a month; one's own, or everybody's for administrators."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jupyterhub import orm
from jupyterhub.scopes import has_scope
from tornado.web import HTTPError

from versatilehub.accounting import BYS, Figures, Month, total
from versatilehub.errors import InvalidInput
from versatilehub.text import quoted
from versatilehub.web.api import ApiHandler

if TYPE_CHECKING:
    from versatilehub.accounting import By

#: Who may see everybody's figures: whoever may see the hub's admin page.
EVERYBODY = "admin-ui"


class AccountingHandler(ApiHandler):
    """The figures of one month."""

    async def get(self) -> None:
        """Return them; *by* other than ``user`` is for administrators, who may ask for one *user* as well."""
        asked = self.get_argument("month", "")
        month = Month.parse(asked) if asked else Month.of(datetime.now(UTC))
        by = self._by()
        owner = self._owner(by)
        table = await self.versatilehub.account(month, by, owner)
        if owner is not None and by == "user":
            table.setdefault(owner, Figures())
        self.reply(
            {
                "month": str(month),
                "by": by,
                "rows": {key: figures.rounded() for key, figures in table.items()},
                "total": total(table.values()).rounded(),
            }
        )

    def _by(self) -> By:
        asked = self.get_argument("by", "user")
        for by in BYS:
            if asked == by:
                return by
        raise InvalidInput(
            f"There is no view by {quoted(asked)}.", hint=f"Choose one of {', '.join(BYS)}.", field="by"
        )

    def _owner(self, by: By) -> str | None:
        """Return whose figures are shown, None for everybody's; 403 for who may see none."""
        asker: Any = self.current_user
        if asker is None:
            raise HTTPError(403, "Missing or invalid credentials.")
        wanted = self.get_argument("user", None)
        if has_scope(EVERYBODY, self.parsed_scopes):
            return wanted
        mine = asker.name if not isinstance(asker, orm.Service) else ""
        if not mine or not has_scope(f"read:users!user={mine}", self.parsed_scopes):
            raise HTTPError(403, "Not allowed to see what was used.")
        if by != "user" or wanted not in {None, mine}:
            raise HTTPError(403, "Only administrators see what others used.")
        return mine


HANDLERS: list[tuple[Any, ...]] = [(r"/versatilehub/api/accounting", AccountingHandler)]
