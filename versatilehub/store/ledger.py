"""The ledger's table: events are added and read, never changed."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  # SQLAlchemy reads the annotations
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, Index, String, func, select
from sqlalchemy.orm import Mapped, mapped_column

from versatilehub.events import BUILD_KINDS, RUN_KINDS, VOLUME_KINDS, Event, Kind
from versatilehub.store.base import Base, Moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import InstrumentedAttribute, Session

#: Longest text of a column; PostgreSQL refuses more where SQLite takes it.
NAME = 255
SOURCE = 2048


class LedgerRow(Base):
    """One `versatilehub.events.Event`."""

    __tablename__ = "vh_ledger"
    __table_args__ = (
        Index("ix_vh_ledger_run", "kind", "owner", "server", "id"),
        Index("ix_vh_ledger_subject", "kind", "subject", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(Moment, index=True)
    kind: Mapped[str] = mapped_column(String(32))
    owner: Mapped[str] = mapped_column(String(NAME))
    groups: Mapped[list[str]] = mapped_column(JSON)
    server: Mapped[str] = mapped_column(String(NAME))
    workspace: Mapped[str] = mapped_column(String(NAME))
    source: Mapped[str] = mapped_column(String(SOURCE))
    subject: Mapped[str] = mapped_column(String(NAME))
    data: Mapped[dict[str, Any]] = mapped_column(JSON)


def add(session: Session, events: Iterable[Event]) -> None:
    """Record *events* in their order."""
    session.add_all(
        LedgerRow(
            at=event.at,
            kind=str(event.kind),
            owner=event.owner[:NAME],
            groups=list(event.groups),
            server=event.server[:NAME],
            workspace=event.workspace[:NAME],
            source=event.source[:SOURCE],
            subject=event.subject[:NAME],
            data=dict(event.data),
        )
        for event in events
    )


def read(
    session: Session,
    *,
    kinds: Sequence[str] = (),
    owner: str | None = None,
    since: datetime | None = None,
    limit: int = 1000,
) -> list[Event]:
    """Return the newest *limit* events in the order of recording; () is every kind, None everybody."""
    asked = select(LedgerRow).order_by(LedgerRow.id.desc()).limit(limit)
    if kinds:
        asked = asked.where(LedgerRow.kind.in_(kinds))
    if owner is not None:
        asked = asked.where(LedgerRow.owner == owner)
    if since is not None:
        asked = asked.where(LedgerRow.at >= since)
    return [_event(row) for row in reversed(session.scalars(asked).all())]


def reaching_into(
    session: Session, begin: datetime, end: datetime, *, owner: str | None = None
) -> list[Event]:
    """Return the events `versatilehub.accounting` needs for the time from *begin* to *end*, of *owner* or of everybody.

    Beside what happened then: what began before and had not ended, and the starts of the hub since.
    """
    wanted = (*RUN_KINDS, *BUILD_KINDS, *VOLUME_KINDS, Kind.REFUSED)
    mine = [] if owner is None else [LedgerRow.owner == owner]
    within = select(LedgerRow).where(
        LedgerRow.kind.in_(wanted), LedgerRow.at >= begin, LedgerRow.at < end, *mine
    )
    rows = list(session.scalars(within))
    carried = [
        *_last(session, RUN_KINDS, [LedgerRow.owner, LedgerRow.server], begin, mine),
        *_last(session, BUILD_KINDS, [LedgerRow.subject], begin, mine),
        *_last(session, VOLUME_KINDS, [LedgerRow.subject], begin, mine),
    ]
    hub = select(LedgerRow).where(LedgerRow.kind == Kind.HUB_STARTED, LedgerRow.at < end)
    oldest = min((row.id for row in (*carried, *rows)), default=None)
    if oldest is not None:
        rows += [*carried, *session.scalars(hub.where(LedgerRow.id > oldest))]
    return [_event(row) for row in sorted(rows, key=lambda row: row.id)]


def _last(
    session: Session,
    kinds: Sequence[Kind],
    key: list[InstrumentedAttribute[str]],
    before: datetime,
    mine: list[ColumnElement[bool]],
) -> list[LedgerRow]:
    """Return the last event of each *key* before a time, where that is a beginning: the first of *kinds*."""
    newest = (
        select(func.max(LedgerRow.id))
        .where(LedgerRow.kind.in_(kinds), LedgerRow.at < before, *mine)
        .group_by(*key)
    )
    begun = select(LedgerRow).where(LedgerRow.id.in_(newest), LedgerRow.kind == kinds[0])
    return list(session.scalars(begun))


def _event(row: LedgerRow) -> Event:
    return Event(
        id=row.id,
        at=row.at,
        kind=row.kind,
        owner=row.owner,
        groups=tuple(row.groups),
        server=row.server,
        workspace=row.workspace,
        source=row.source,
        data=row.data,
    )
