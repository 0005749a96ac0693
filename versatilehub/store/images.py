"""What Docker cannot hold about images: who launched them when, who pinned them, where they are published, what is warmed.

A removal and a launch exclude each other here: a launch takes an image only while nobody is removing it (`launched`), and a removal
only what was not launched since it was looked at (`doom`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import ForeignKey, Integer, String, delete, select, update
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, Moment

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_DOOM: Final = timedelta(minutes=5)
"""How long a removal may take: one that was killed frees its image after that."""


class ImageRow(Base):
    """One image by its id; a row exists once it was launched, published or about to be removed."""

    __tablename__ = "vh_images"

    image_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    owner: Mapped[str] = mapped_column(String(255), default="")
    launches: Mapped[int] = mapped_column(Integer, default=0)
    launched_at: Mapped[datetime | None] = mapped_column(Moment)
    doomed_at: Mapped[datetime | None] = mapped_column(Moment)


class LauncherRow(Base):
    """That a person has started a server from an image."""

    __tablename__ = "vh_image_launchers"

    image_id: Mapped[str] = mapped_column(
        ForeignKey("vh_images.image_id", ondelete="CASCADE"), primary_key=True
    )
    user: Mapped[str] = mapped_column(String(255), primary_key=True)
    launched_at: Mapped[datetime] = mapped_column(Moment)


class ServerImageRow(Base):
    """The image a server ran last: it needs that one to start again as it was."""

    __tablename__ = "vh_image_servers"

    owner: Mapped[str] = mapped_column(String(255), primary_key=True)
    server: Mapped[str] = mapped_column(String(255), primary_key=True)
    image_id: Mapped[str] = mapped_column(String(80), index=True)
    launched_at: Mapped[datetime] = mapped_column(Moment)


class PinRow(Base):
    """Somebody's word that an image stays."""

    __tablename__ = "vh_image_pins"

    image_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    owner: Mapped[str] = mapped_column(String(255), primary_key=True)
    reason: Mapped[str] = mapped_column(String(255), default="")
    pinned_at: Mapped[datetime] = mapped_column(Moment)


class PublicationRow(Base):
    """Where an environment is in the registry, by digest: what is pulled again is what was pushed."""

    __tablename__ = "vh_image_publications"

    identity: Mapped[str] = mapped_column(String(64), primary_key=True)
    repository: Mapped[str] = mapped_column(String(400))
    digest: Mapped[str] = mapped_column(String(80))
    image_id: Mapped[str] = mapped_column(String(80), index=True)
    published_at: Mapped[datetime] = mapped_column(Moment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launches:
    """What the database knows of one image; *launched* in seconds since the epoch, 0 for never."""

    owner: str
    launched: float
    launches: int
    launchers: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """That an image must stay: a pin (*what* "pin") or a server that ran it last (*what* "server")."""

    image_id: str
    what: str
    owner: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """An environment in a registry: *repository* with the registry's address, *digest* "sha256:…"."""

    identity: str
    repository: str
    digest: str
    image_id: str


def launched(  # a launch and when it was
    session: Session, image_id: str, owner: str, server: str, now: datetime, *, sure: bool = False
) -> bool:
    """Write down that *owner* starts *server* from an image; False while somebody removes that image, unless *sure*."""
    row = _row(session, image_id)
    if not sure and row.doomed_at is not None and now - row.doomed_at < _DOOM:
        return False
    row.owner = row.owner or owner
    row.launches += 1
    row.launched_at, row.doomed_at = now, None
    session.flush()
    session.merge(LauncherRow(image_id=image_id, user=owner, launched_at=now))
    session.merge(ServerImageRow(owner=owner, server=server, image_id=image_id, launched_at=now))
    return True


def doom(session: Session, image_id: str, launched_before: float, now: datetime) -> bool:
    """Say that an image is being removed; False when it was launched after *launched_before* (seconds since the epoch)."""
    row = _row(session, image_id)
    if row.launched_at is not None and row.launched_at.timestamp() > launched_before:
        return False
    row.doomed_at = now
    return True


def spare(session: Session, image_id: str) -> None:
    """Take back `doom`."""
    session.execute(update(ImageRow).where(ImageRow.image_id == image_id).values(doomed_at=None))


def forget(session: Session, image_id: str) -> None:
    """Forget the launches and pins of an image that is gone; its publication stays, for it can be pulled again."""
    for table in (LauncherRow, PinRow, ImageRow):
        session.execute(delete(table).where(table.image_id == image_id))


def server_gone(session: Session, owner: str, server: str) -> None:
    """Forget which image a server ran last: its record is deleted."""
    session.execute(
        delete(ServerImageRow).where(ServerImageRow.owner == owner, ServerImageRow.server == server)
    )


def servers(session: Session) -> list[tuple[str, str, float]]:
    """Return owner, name and last launch of every server that needs an image."""
    rows = session.scalars(select(ServerImageRow))
    return [(row.owner, row.server, row.launched_at.timestamp()) for row in rows]


def pin(session: Session, image_id: str, owner: str, reason: str, now: datetime) -> None:
    """Write down that an image stays; *owner* may be a person or "workspace:<name>"."""
    session.merge(PinRow(image_id=image_id, owner=owner, reason=reason[:255], pinned_at=now))


def move_pin(session: Session, image_id: str, owner: str, reason: str, now: datetime) -> None:
    """Pin an image for *owner* in the place of any other it had pinned."""
    session.execute(delete(PinRow).where(PinRow.owner == owner, PinRow.image_id != image_id))
    pin(session, image_id, owner, reason, now)


def keep_pins(session: Session, prefix: str, owners: frozenset[str]) -> None:
    """Take back the pins of those whose name begins with *prefix*, but for *owners*."""
    found = session.scalars(select(PinRow.owner).where(PinRow.owner.startswith(prefix, autoescape=True)))
    gone = set(found) - owners
    session.execute(delete(PinRow).where(PinRow.owner.in_(gone)))


def unpin(session: Session, image_id: str, owner: str = "") -> int:
    """Take back the pins of *owner*, "" for everybody's; return how many there were."""
    query = delete(PinRow).where(PinRow.image_id == image_id)
    if owner:
        query = query.where(PinRow.owner == owner)
    return len(session.execute(query.returning(PinRow.owner)).all())


def all_launches(session: Session) -> dict[str, Launches]:
    """Return what is known of every image, by its id."""
    users: dict[str, set[str]] = {}
    for row in session.scalars(select(LauncherRow)):
        users.setdefault(row.image_id, set()).add(row.user)
    return {
        row.image_id: Launches(
            owner=row.owner,
            launched=row.launched_at.timestamp() if row.launched_at else 0.0,
            launches=row.launches,
            launchers=frozenset(users.get(row.image_id, ())),
        )
        for row in session.scalars(select(ImageRow))
    }


def needs(session: Session) -> list[Need]:
    """Return every pin, and every server's last image."""
    pins = [
        Need(image_id=row.image_id, what="pin", owner=row.owner, name=row.reason)
        for row in session.scalars(select(PinRow))
    ]
    last = [
        Need(image_id=row.image_id, what="server", owner=row.owner, name=row.server)
        for row in session.scalars(select(ServerImageRow))
    ]
    return pins + last


def publish(session: Session, publication: Publication, now: datetime) -> None:
    """Write down where an environment is in the registry."""
    session.merge(
        PublicationRow(
            identity=publication.identity,
            repository=publication.repository,
            digest=publication.digest,
            image_id=publication.image_id,
            published_at=now,
        )
    )


def publication(session: Session, identity: str) -> Publication | None:
    """Return where an environment is in the registry, None when it was never pushed from here."""
    row = session.get(PublicationRow, identity)
    return _publication(row) if row is not None else None


def publications(session: Session) -> list[Publication]:
    """Return all of them."""
    return [_publication(row) for row in session.scalars(select(PublicationRow))]


def _publication(row: PublicationRow) -> Publication:
    return Publication(
        identity=row.identity, repository=row.repository, digest=row.digest, image_id=row.image_id
    )


def _row(session: Session, image_id: str) -> ImageRow:
    """Return the row of an image, made if need be, held against others until the transaction ends."""
    row = session.get(ImageRow, image_id, with_for_update=True)
    if row is None:
        row = ImageRow(image_id=image_id, owner="", launches=0, launched_at=None, doomed_at=None)
        session.add(row)
        session.flush()
    return row


def utc(seconds: float) -> datetime:
    """Return a moment of seconds since the epoch."""
    return datetime.fromtimestamp(seconds, UTC)
