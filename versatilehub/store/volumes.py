"""The record of each volume: whose it is, live or trashed, and who else may mount it.

Docker's labels say the same of a volume as long as nothing changes; what changes stands here. A row that is lost is made again
from the labels as live, so that losing this table never ends in the loss of a volume.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003  # SQLAlchemy reads the annotations
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, ForeignKey, String, Text, delete, select, update
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, Moment

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy.orm import Session


class State(StrEnum):
    """What becomes of a volume; only *trashed* leads to *removing*, and nothing leads back from there."""

    MAKING = "making"
    LIVE = "live"
    TRASHED = "trashed"
    REMOVING = "removing"


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeRecord:
    """One volume. *name* is Docker's, *title* the person's; *owner_key* tells two accounts of one name apart, "" unknown.

    *server* is the server it belongs to now ("" the default one), None for volumes of no server. *cap* in bytes. *changed* is
    when the state last changed, *expires* when a trashed one may go; until *kept* no reconciler trashes it. *problem* is
    what the last try to remove it said.
    """

    name: str
    owner: str
    owner_key: str
    lifetime: str
    kind: str
    state: State
    created: datetime
    changed: datetime
    title: str = ""
    server: str | None = None
    workspace: str = ""
    cap: int | None = None
    expires: datetime | None = None
    kept: datetime | None = None
    problem: str = ""
    description: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as API and command line show it."""
        moments = {"created": self.created, "changed": self.changed, "expires": self.expires}
        return {
            "id": self.name,
            "name": self.title,
            "owner": self.owner,
            "kind": self.kind,
            "lifetime": self.lifetime,
            "server": self.server,
            "state": self.state.value,
            "size": self.cap,
            "description": self.description,
            "problem": self.problem,
            **{key: value.isoformat(timespec="seconds") if value else None for key, value in moments.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody the owner of a volume let in: a user, or every member of a group. *mode* is ro or rw."""

    who: str
    mode: str
    group: bool = False


class VolumeRow(Base):
    """Table of volumes."""

    __tablename__ = "vh_volumes"

    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    owner: Mapped[str] = mapped_column(String(255), index=True)
    owner_key: Mapped[str] = mapped_column(String(80), index=True)
    lifetime: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    created: Mapped[datetime] = mapped_column(Moment)
    changed: Mapped[datetime] = mapped_column(Moment)
    title: Mapped[str] = mapped_column(String(63))
    server: Mapped[str | None] = mapped_column(String(255))
    workspace: Mapped[str] = mapped_column(String(63))
    cap: Mapped[int | None] = mapped_column(BigInteger)
    expires: Mapped[datetime | None] = mapped_column(Moment)
    kept: Mapped[datetime | None] = mapped_column(Moment)
    problem: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)


class MemberRow(Base):
    """Table of who was let in by a volume's owner."""

    __tablename__ = "vh_volume_members"

    volume: Mapped[str] = mapped_column(ForeignKey("vh_volumes.name", ondelete="CASCADE"), primary_key=True)
    who: Mapped[str] = mapped_column(String(255), primary_key=True)
    is_group: Mapped[bool] = mapped_column(primary_key=True)
    mode: Mapped[str] = mapped_column(String(2))


_FIELDS = tuple(VolumeRecord.__dataclass_fields__)


def add(session: Session, record: VolumeRecord) -> None:
    """Put a new volume on record."""
    session.add(VolumeRow(**{name: getattr(record, name) for name in _FIELDS}))


def get(session: Session, name: str) -> VolumeRecord | None:
    """Return the record of a volume by Docker's name."""
    row = session.get(VolumeRow, name)
    return _record(row) if row is not None else None


def find(session: Session, **fields: object) -> list[VolumeRecord]:
    """Return the records whose columns have these values, oldest first."""
    query = select(VolumeRow).filter_by(**fields).order_by(VolumeRow.created, VolumeRow.name)
    return [_record(row) for row in session.scalars(query)]


def change(session: Session, name: str, *, among: Collection[State] = tuple(State), **fields: object) -> bool:
    """Set columns of a volume whose state is one of *among*; tell whether there was one: of two who try, one is told so."""
    states = [state.value for state in among]
    done = session.execute(
        update(VolumeRow).where(VolumeRow.name == name, VolumeRow.state.in_(states)).values(**fields)
    )
    return bool(done.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult


def forget(session: Session, name: str) -> None:
    """Take a volume that is gone off the record."""
    session.execute(delete(MemberRow).where(MemberRow.volume == name))
    session.execute(delete(VolumeRow).where(VolumeRow.name == name))


def members(session: Session, name: str) -> list[Member]:
    """Return who was let in."""
    query = select(MemberRow).where(MemberRow.volume == name).order_by(MemberRow.is_group, MemberRow.who)
    return [Member(who=row.who, mode=row.mode, group=row.is_group) for row in session.scalars(query)]


def set_members(session: Session, name: str, wanted: Sequence[Member]) -> None:
    """Let in exactly these."""
    session.execute(delete(MemberRow).where(MemberRow.volume == name))
    session.add_all(MemberRow(volume=name, who=one.who, is_group=one.group, mode=one.mode) for one in wanted)


def shared_with(session: Session, user: str, groups: Collection[str]) -> list[tuple[VolumeRecord, str]]:
    """Return the live volumes others let *user* in to, by name or by group, each with the widest mode."""
    named = (MemberRow.who == user) & MemberRow.is_group.is_(False)
    grouped = MemberRow.who.in_(list(groups)) & MemberRow.is_group.is_(True)
    query = (
        select(VolumeRow, MemberRow.mode)
        .join(MemberRow, MemberRow.volume == VolumeRow.name)
        .where(VolumeRow.state == State.LIVE.value, named | grouped)
        .order_by(VolumeRow.created)
    )
    found: dict[str, tuple[VolumeRecord, str]] = {}
    for row, mode in session.execute(query):
        if row.name not in found or mode == "rw":
            found[row.name] = (_record(row), mode)
    return list(found.values())


def _record(row: VolumeRow) -> VolumeRecord:
    values = {name: getattr(row, name) for name in _FIELDS}
    return VolumeRecord(**{**values, "state": State(row.state)})
