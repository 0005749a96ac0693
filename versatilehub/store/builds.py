"""Builds in the database: who asked for what, where it stands, and what came of it.

A row is written before anything of a build exists, so a hub that is killed finds every build by its row. What happened in
between is in the build's log, which is ahead of its row: the next hub brings the row up to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import JSON, ForeignKey, Index, Integer, String, Text, func, select
from sqlalchemy.orm import Mapped, mapped_column

from versatilehub.builds.events import ACTIVE, BuildState
from versatilehub.errors import Refusal

from .base import Base, Moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRecord:
    """One build: one attempt to make one environment. *id* is its own, *identity* the environment's.

    *owner* asked first ("" for a prebuild), *askers* are all who did. *ref* is as typed, *number* counts the builds of this
    identity from 1, *plan* is what a hub that comes back needs to go on (`Attempt.to_json`). *seconds* is how long it was in
    each state, *log_bytes* the length of its log as text, *cancelled_by* who wished its end. *code*, *message*, *hint* and *file* say why it failed.
    """

    id: str
    identity: str
    owner: str
    source: str
    provider: str
    commit: str
    created: datetime
    ref: str = ""
    subdir: str = ""
    lane: str = "people"
    forced: bool = False
    number: int = 1
    state: BuildState = BuildState.QUEUED
    started: datetime | None = None
    ended: datetime | None = None
    pack: str = ""
    code: str = ""
    message: str = ""
    hint: str = ""
    file: str = ""
    image: str = ""
    image_id: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    log_bytes: int = 0
    cancelled_by: str = ""
    askers: tuple[str, ...] = ()
    plan: Mapping[str, Any] = field(default_factory=dict, repr=False)


class _Build(Base):
    __tablename__ = "vh_builds"
    __table_args__ = (Index("ix_vh_builds_owner_created", "owner", "created"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    identity: Mapped[str] = mapped_column(String(64), index=True)
    owner: Mapped[str] = mapped_column(String(255))
    source: Mapped[str] = mapped_column(Text)
    provider: Mapped[str] = mapped_column(String(32))
    commit: Mapped[str] = mapped_column(String(255))
    ref: Mapped[str] = mapped_column(Text)
    subdir: Mapped[str] = mapped_column(Text)
    lane: Mapped[str] = mapped_column(String(16))
    forced: Mapped[bool]
    number: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(16), index=True)
    created: Mapped[datetime] = mapped_column(Moment, index=True)
    started: Mapped[datetime | None] = mapped_column(Moment)
    ended: Mapped[datetime | None] = mapped_column(Moment)
    pack: Mapped[str] = mapped_column(String(64))
    code: Mapped[str] = mapped_column(String(64))
    message: Mapped[str] = mapped_column(Text)
    hint: Mapped[str] = mapped_column(Text)
    file: Mapped[str] = mapped_column(Text)
    image: Mapped[str] = mapped_column(String(255))
    image_id: Mapped[str] = mapped_column(String(80))
    seconds: Mapped[dict[str, float]] = mapped_column(JSON)
    log_bytes: Mapped[int] = mapped_column(Integer)
    cancelled_by: Mapped[str] = mapped_column(String(255))
    plan: Mapped[dict[str, Any]] = mapped_column(JSON)


class _Asker(Base):
    __tablename__ = "vh_build_askers"

    build: Mapped[str] = mapped_column(ForeignKey("vh_builds.id", ondelete="CASCADE"), primary_key=True)
    user: Mapped[str] = mapped_column(String(255), primary_key=True, index=True)
    asked: Mapped[datetime] = mapped_column(Moment)


_PLAIN: Final = tuple(
    name for name in BuildRecord.__dataclass_fields__ if name not in {"askers", "state", "seconds", "plan"}
)
_ACTIVE: Final = tuple(state.value for state in ACTIVE)


def add(session: Session, record: BuildRecord, *, per_day: int | None = None) -> BuildRecord:
    """Store a new build and return it with its *number*.

    Raises `Refusal` when its owner began *per_day* builds in the 24 hours before: counted where it is stored, so that any
    number of requests at once stay within it.
    """
    if per_day is not None:
        _check(of_a_day(session, record.owner, record.created), per_day)
    before = session.scalar(select(func.max(_Build.number)).where(_Build.identity == record.identity)) or 0
    plain = {name: getattr(record, name) for name in _PLAIN}
    row = _Build(
        **{**plain, "number": before + 1},
        state=record.state.value,
        seconds=dict(record.seconds),
        plan=dict(record.plan),
    )
    session.add(row)
    session.flush()
    for user in record.askers:
        session.add(_Asker(build=record.id, user=user, asked=record.created))
    return _record(row, record.askers)


def _check(begun: int, limit: int) -> None:
    if begun >= limit:
        raise Refusal(
            f"You may begin {limit} builds in 24 hours, and have begun {begun}.",
            hint="Start a server from what is built already, or try again tomorrow.",
            code="too_many_builds",
            limit=str(limit),
            actual=str(begun),
        )


def change(session: Session, id: str, changes: Mapping[str, Any]) -> None:  # noqa: A002  # the field's name
    """Set fields of a build, by the names of `BuildRecord`; one that is not there stays so."""
    row = session.get(_Build, id)
    if row is not None:
        for name, value in changes.items():
            setattr(row, name, value.value if isinstance(value, BuildState) else value)


def ask(session: Session, id: str, user: str, at: datetime) -> None:  # noqa: A002
    """Note that one more person asked for a build."""
    if session.get(_Build, id) is not None and session.get(_Asker, (id, user)) is None:
        session.add(_Asker(build=id, user=user, asked=at))


def to_cancel(session: Session) -> dict[str, str]:
    """Return the builds under way whose end somebody wishes: id → who."""
    query = select(_Build.id, _Build.cancelled_by).where(_Build.state.in_(_ACTIVE), _Build.cancelled_by != "")
    return {row.id: row.cancelled_by for row in session.execute(query)}


def get(session: Session, id: str) -> BuildRecord | None:  # noqa: A002
    """Return one build, None when there is none of that id."""
    row = session.get(_Build, id)
    return _records(session, [row])[0] if row is not None else None


def active(session: Session) -> list[BuildRecord]:
    """Return every build that has not ended, in the order they were asked for."""
    rows = session.scalars(select(_Build).where(_Build.state.in_(_ACTIVE)).order_by(_Build.created))
    return _records(session, rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which builds are looked for; "" means any. *asker* is somebody who asked, *owner* who asked first."""

    asker: str = ""
    owner: str = ""
    state: str = ""
    source: str = ""
    identity: str = ""


def find(session: Session, wanted: Wanted, *, offset: int, limit: int) -> tuple[list[BuildRecord], int]:
    """Return one page of builds, the newest first, and how many there are."""
    query = select(_Build)
    fields = ("owner", "state", "source", "identity")
    for name in fields:
        if getattr(wanted, name):
            query = query.where(getattr(_Build, name) == getattr(wanted, name))
    if wanted.asker:
        query = query.where(_Build.id.in_(select(_Asker.build).where(_Asker.user == wanted.asker)))
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    page = query.order_by(_Build.created.desc(), _Build.id).offset(offset).limit(limit)
    return _records(session, session.scalars(page)), total


def of_a_day(session: Session, owner: str, now: datetime) -> int:
    """Return how many builds a person began in the 24 hours before *now*."""
    since = now - timedelta(days=1)
    query = select(func.count()).select_from(_Build).where(_Build.owner == owner, _Build.created > since)
    return session.scalar(query) or 0


def went_well(session: Session, limit: int) -> list[BuildRecord]:
    """Return the last builds that went well, the oldest of them first."""
    query = select(_Build).where(_Build.state == BuildState.READY.value)
    rows = session.scalars(query.order_by(_Build.created.desc()).limit(limit)).all()
    return [_record(row, ()) for row in reversed(rows)]


def _records(session: Session, rows: Iterable[_Build]) -> list[BuildRecord]:
    found = list(rows)
    askers: dict[str, list[str]] = {}
    query = select(_Asker).where(_Asker.build.in_([row.id for row in found])).order_by(_Asker.asked)
    for one in session.scalars(query):
        askers.setdefault(one.build, []).append(one.user)
    return [_record(row, askers.get(row.id, ())) for row in found]


def _record(row: _Build, askers: Sequence[str]) -> BuildRecord:
    plain = {name: getattr(row, name) for name in _PLAIN}
    return BuildRecord(
        **plain, state=BuildState(row.state), seconds=row.seconds, plan=row.plan, askers=tuple(askers)
    )


def moment(at: float) -> datetime:
    """Return seconds since the epoch as a moment."""
    return datetime.fromtimestamp(at, UTC)
