"""Whose a volume is: an account, whatever it is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A person: *key* stays with the account when it is renamed, and is new when the name is given out again.

    *since* is when the account was made: what is older belonged to somebody else of that name.
    """

    name: str
    key: str = ""
    since: datetime | None = None


#: Owner of what an administrator registers.
ADMIN: Final = Owner(name="", key="admin")
