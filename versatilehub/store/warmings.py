"""What is to be made ahead of need: when each entry of the warm list was asked for and how it ended; deliveries of webhooks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import String, delete
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, Moment

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_REMEMBERED: Final = timedelta(days=30)


class WarmingRow(Base):
    """One entry of the warm list, by a hash of what it names."""

    __tablename__ = "vh_image_warmings"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    requested_at: Mapped[datetime | None] = mapped_column(Moment)
    started_at: Mapped[datetime | None] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)
    outcome: Mapped[str] = mapped_column(String(32), default="")
    message: Mapped[str] = mapped_column(String(1000), default="")


class DeliveryRow(Base):
    """One message of a git host that was acted on: the same again is a replay."""

    __tablename__ = "vh_image_deliveries"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    received_at: Mapped[datetime] = mapped_column(Moment, index=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Warming:
    """How an entry stands: *outcome* "" until it ended once, then ok, cached or failed."""

    key: str
    requested_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    outcome: str = ""
    message: str = ""


def find(session: Session, key: str) -> Warming:
    """Return how an entry stands."""
    row = session.get(WarmingRow, key)
    if row is None:
        return Warming(key=key)
    return Warming(
        key=key,
        requested_at=row.requested_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        outcome=row.outcome,
        message=row.message,
    )


def request(session: Session, key: str, now: datetime) -> None:
    """Ask for an entry to be made as soon as the hub looks."""
    _row(session, key).requested_at = now


def start(session: Session, key: str, now: datetime) -> None:
    """Write down that an entry is being made; what was asked for until now is answered by it."""
    _row(session, key).started_at = now


def finish(session: Session, key: str, outcome: str, message: str, now: datetime) -> None:
    """Write down how it ended."""
    row = _row(session, key)
    row.finished_at, row.outcome, row.message = now, outcome, message[:1000]


def take_delivery(session: Session, digest: str, now: datetime) -> bool:
    """Write down a git host's message; False when it was taken before."""
    session.execute(delete(DeliveryRow).where(DeliveryRow.received_at < now - _REMEMBERED))
    if session.get(DeliveryRow, digest) is not None:
        return False
    session.add(DeliveryRow(digest=digest, received_at=now))
    session.flush()
    return True


def _row(session: Session, key: str) -> WarmingRow:
    row = session.get(WarmingRow, key, with_for_update=True)
    if row is None:
        row = WarmingRow(
            key=key, requested_at=None, started_at=None, finished_at=None, outcome="", message=""
        )
        session.add(row)
        session.flush()
    return row
