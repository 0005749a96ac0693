"""Logins of people for git hosts, as the database has them: sealed by the hub's crypt key, never in plain.

*owner* tells one account from another also when a name is given again or changed; the seal is made and opened elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations
from typing import TYPE_CHECKING

from sqlalchemy import LargeBinary, String, UniqueConstraint, delete, func, select, update
from sqlalchemy.orm import Mapped, mapped_column

from versatilehub.errors import Refusal
from versatilehub.store.base import Base, Moment

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

MOST = 50
"""Logins of one person: a bound on rows, not on use."""


class CredentialRow(Base):
    """One login of one person for one git host."""

    __tablename__ = "vh_credential"
    __table_args__ = (UniqueConstraint("owner", "origin"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(String(80))
    origin: Mapped[str] = mapped_column(String(300))
    username: Mapped[str] = mapped_column(String(255))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created: Mapped[datetime] = mapped_column(Moment)
    used: Mapped[datetime | None] = mapped_column(Moment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What may be shown of a stored login: all but its secret. *used* is when its host last took it, None for never."""

    id: int
    origin: str
    username: str
    created: datetime
    used: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCredential:
    """A login to store: *sealed* holds name and secret."""

    owner: str
    origin: str
    username: str
    sealed: bytes
    at: datetime


def put(session: Session, new: NewCredential) -> Credential:
    """Store a login in place of the one its owner had for that host; raises `Refusal` at `MOST`."""
    row = session.scalar(
        select(CredentialRow).where(CredentialRow.owner == new.owner, CredentialRow.origin == new.origin)
    )
    if row is None:
        count = session.scalar(
            select(func.count()).select_from(CredentialRow).where(CredentialRow.owner == new.owner)
        )
        if count and count >= MOST:
            raise Refusal(
                f"You have {count} logins for git hosts; the limit is {MOST}.",
                hint="Delete one that is not needed any more.",
                code="too_many_credentials",
                limit=str(MOST),
                actual=str(count),
            )
        row = CredentialRow(owner=new.owner, origin=new.origin)
        session.add(row)
    row.username, row.sealed, row.created, row.used = new.username, new.sealed, new.at, None
    session.flush()
    return _shown(row)


def listed(session: Session, owner: str) -> tuple[Credential, ...]:
    """Return all of one person's, by host."""
    rows = session.scalars(
        select(CredentialRow).where(CredentialRow.owner == owner).order_by(CredentialRow.origin)
    )
    return tuple(_shown(row) for row in rows)


def sealed(session: Session, owner: str, origin: str) -> bytes | None:
    """Return the sealed login of one person for one host; None when there is none."""
    where = CredentialRow.owner == owner, CredentialRow.origin == origin
    return session.scalar(select(CredentialRow.sealed).where(*where))


def note_use(session: Session, owner: str, origin: str, at: datetime) -> None:
    """Note that a host took a login."""
    where = CredentialRow.owner == owner, CredentialRow.origin == origin
    session.execute(update(CredentialRow).where(*where).values(used=at))


def remove(session: Session, owner: str, number: int) -> bool:
    """Delete one of this person's by id; False when they have no such."""
    where = CredentialRow.owner == owner, CredentialRow.id == number
    found = session.scalar(select(CredentialRow.id).where(*where))
    session.execute(delete(CredentialRow).where(*where))
    return found is not None


def _shown(row: CredentialRow) -> Credential:
    return Credential(id=row.id, origin=row.origin, username=row.username, created=row.created, used=row.used)
