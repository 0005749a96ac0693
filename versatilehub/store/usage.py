"""What each volume held when it was last measured, and which warning its owner had: a restarted hub repeats none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003  # SQLAlchemy reads the annotations
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, String, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, Moment

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy.orm import Session


class SizeRow(Base):
    """One volume, by Docker's name."""

    __tablename__ = "vh_volume_sizes"

    volume: Mapped[str] = mapped_column(String(128), primary_key=True)
    used: Mapped[int] = mapped_column(BigInteger)
    cap: Mapped[int] = mapped_column(BigInteger)
    level: Mapped[int]
    told: Mapped[int] = mapped_column(BigInteger)
    told_at: Mapped[datetime] = mapped_column(Moment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Bytes in use of *cap* (0: no cap), the warning given last (0, 80 or 95), and what the ledger was *told*, and when."""

    volume: str
    used: int
    cap: int
    level: int
    told: int
    told_at: datetime


def sizes(session: Session) -> dict[str, Size]:
    """Return every volume's."""
    return {
        row.volume: Size(
            volume=row.volume, used=row.used, cap=row.cap, level=row.level, told=row.told, told_at=row.told_at
        )
        for row in session.scalars(select(SizeRow))
    }


def keep(session: Session, found: Iterable[Size], *, gone: Collection[str] = ()) -> None:
    """Write down what was measured, and forget volumes that are gone."""
    for size in found:
        session.merge(
            SizeRow(
                volume=size.volume,
                used=size.used,
                cap=size.cap,
                level=size.level,
                told=size.told,
                told_at=size.told_at,
            )
        )
    if gone:
        session.execute(delete(SizeRow).where(SizeRow.volume.in_(gone)))
