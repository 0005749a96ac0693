"""What does not fit between Docker, our records and the hub, and what is to be done about it: a comparison of values.

- Data goes only by way of the trash, and only when a record of ours says trashed and expired.
- What is not known to be ours is reported, never touched; what is ours and young is left alone.
- Half of all volumes losing their owners at once is a fault of the comparison, not of the owners: it is reported and nothing is done.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from versatilehub.store.volumes import State, VolumeRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

#: Filling a new volume from an archive may take as long.
MAKING_MAX = timedelta(days=1)
#: So many may lose their owner in one pass, whatever share of all they are.
FEW = 5


class Act(StrEnum):
    """What is done about a finding; `REPORT` is nothing but to say so."""

    REPORT = "report"
    ADOPT = "adopt"
    TRASH = "trash"
    REVIVE = "revive"
    MOVE = "move"
    PURGE = "purge"
    FORGET = "forget"
    REMOVE_EMPTY = "remove_empty"
    REMOVE_CONTAINER = "remove_container"
    STOP_CONTAINER = "stop_container"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An object in Docker: a volume with its record by labels (None: not one of this hub's), or a container of a server."""

    name: str
    created: datetime
    owner: str = ""
    server: str = ""
    by_label: VolumeRecord | None = None
    running: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HubServer:
    """A server as the hub has it: *volumes* are those its state names, *active* is running or on its way.

    *container* is the id its state names, which stays when its owner is renamed. *stateless*: its state has nothing of ours (another spawner with our hooks, or never started), so it may have any of its name.
    """

    owner: str
    owner_key: str
    name: str
    volumes: tuple[str, ...] = ()
    active: bool = False
    stateless: bool = False
    container: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything there is at one moment, collected in this order: Docker, records, hub."""

    volumes: Sequence[Found] = ()
    containers: Sequence[Found] = ()
    records: Sequence[VolumeRecord] = ()
    servers: Sequence[HubServer] = ()
    accounts: dict[str, str] = field(default_factory=dict)
    """Owner key → name of every account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is due when.

    *grace*: what is younger is left alone. *trash_days* for a volume whose owner or server is gone. *patterns*: names of
    volumes made by hand that are to be claimed. *force*: an operator has looked, and many may go at once.
    """

    grace: timedelta = timedelta(minutes=10)
    trash_days: int = 1
    patterns: tuple[str, ...] = ()
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that does not fit. *code* is stable, *due* says that *act* is to be done now; before, it is only reported."""

    code: str
    act: Act
    name: str
    message: str
    owner: str = ""
    server: str = ""
    due: bool = True


def compare(scene: Scene, rules: Rules, now: datetime) -> tuple[Finding, ...]:
    """Return all that does not fit, and what is to be done about each."""
    known = {record.name: record for record in scene.records}
    named = {name: server for server in scene.servers for name in server.volumes}
    findings = [
        *_unrecorded(scene, rules, now, known, named),
        *(one for record in scene.records for one in _recorded(record, scene, rules, now, named)),
        *_containers(scene, rules, now),
    ]
    return tuple(_held(findings, scene, rules))


def _unrecorded(
    scene: Scene, rules: Rules, now: datetime, known: dict[str, VolumeRecord], named: dict[str, HubServer]
) -> Iterator[Finding]:
    names = set(scene.accounts.values())
    for volume in scene.volumes:
        if volume.name in known:
            continue
        label = volume.by_label
        if label is None:
            if any(fnmatchcase(volume.name, pattern) for pattern in rules.patterns):
                message = (
                    "The volume fits the names of this hub's, and has neither an owner nor a description."
                )
                yield Finding(code="unclaimed_volume", act=Act.REPORT, name=volume.name, message=message)
        elif (
            volume.name in named
            or label.owner_key == "admin"
            or (label.lifetime == "user" and label.owner in names)
        ):
            message = "The record of the volume was lost; it is made again from its labels."
            yield Finding(
                code="record_lost", act=Act.ADOPT, name=volume.name, message=message, owner=label.owner
            )
        else:
            yield Finding(
                code="unknown_volume",
                act=Act.REMOVE_EMPTY,
                name=volume.name,
                message="The volume is this hub's by its labels, and nothing else knows of it; it goes only if it is empty.",
                owner=label.owner,
                server=label.server or "",
                due=now - volume.created > rules.grace,
            )


def _recorded(
    record: VolumeRecord, scene: Scene, rules: Rules, now: datetime, named: dict[str, HubServer]
) -> Iterator[Finding]:
    there = any(volume.name == record.name for volume in scene.volumes)
    old = now - record.changed > rules.grace
    holder = named.get(record.name)
    held = holder is not None and holder.owner_key == record.owner_key

    def found(code: str, act: Act, message: str, *, due: bool = True) -> Finding:
        whose = {"owner": record.owner, "server": record.server or ""}
        return Finding(code=code, act=act, name=record.name, message=message, due=due, **whose)

    match record.state:
        case State.REMOVING:
            yield found(
                "removal_pending", Act.PURGE, f"The volume is still to be removed. {record.problem}".strip()
            )
        case State.TRASHED if held:
            message = (
                "The volume is in the trash, and its server is there: the deletion did not come to its end."
            )
            yield found("half_deleted", Act.REVIVE, message, due=old)
        case State.TRASHED if not there:
            yield found(
                "gone", Act.FORGET, "The volume was in the trash and is no longer in Docker.", due=old
            )
        case State.TRASHED if record.expires is None or record.expires <= now:
            yield found(
                "expired", Act.PURGE, f"The volume's time in the trash is over. {record.problem}".strip()
            )
        case State.TRASHED:
            return
        case _ if (
            held and holder is not None and record.lifetime == "server" and record.server != holder.name
        ):
            yield found("renamed", Act.MOVE, f"Its server is called {holder.name or 'the default one'} now.")
        case _ if not held and (reason := _orphan(record, scene, now)):
            yield found("orphan", Act.TRASH if there else Act.FORGET, reason, due=old)
        case State.LIVE if not there:
            yield found("volume_lost", Act.REPORT, "The volume is no longer in Docker.", due=False)


def _orphan(record: VolumeRecord, scene: Scene, now: datetime) -> str:
    """Return why nobody will ever use a volume that no server names, "" when somebody may."""
    kept = record.kept is not None and record.kept > now
    if record.lifetime not in {"server", "user"} or kept or not record.owner_key:
        return ""  # without a key nobody knows whose account it is: a person has to look
    if record.owner_key not in scene.accounts:
        return f"The account of {record.owner} is gone."
    if record.lifetime == "server":
        if any(
            one.stateless and (one.owner_key, one.name) == (record.owner_key, record.server)
            for one in scene.servers
        ):
            return ""
        return f"The server {record.server or '(default)'} of {record.owner} has it no longer."
    if record.state == State.MAKING and now - record.changed > MAKING_MAX:
        return "It was never made whole."
    return ""


def _containers(scene: Scene, rules: Rules, now: datetime) -> Iterator[Finding]:
    """Containers of servers that are gone, or that run and the hub does not know it; one that rests may be resumed."""
    active = {(server.owner, server.name): server.active for server in scene.servers}
    named = {server.container for server in scene.servers if server.active and server.container}
    for one in scene.containers:
        if one.name in named:
            continue
        at_work = active.get((one.owner, one.server))
        if at_work or (at_work is False and not one.running):
            continue
        yield Finding(
            code="stray_container",
            act=Act.REMOVE_CONTAINER if at_work is None else Act.STOP_CONTAINER,
            name=one.name,
            message="The container's server is gone."
            if at_work is None
            else "The container runs, and by the hub its server does not.",
            owner=one.owner,
            server=one.server,
            due=now - one.created > rules.grace,
        )


def _held(findings: list[Finding], scene: Scene, rules: Rules) -> Iterator[Finding]:
    lost = sum(one.code == "orphan" for one in findings)
    live = sum(record.state in {State.MAKING, State.LIVE} for record in scene.records)
    many = lost > FEW and lost * 2 > live and not rules.force
    for one in findings:
        if many and one.code == "orphan":
            message = f"{one.message} {lost} of {live} at once: nothing is done until an operator says so."
            yield Finding(
                code="orphan",
                act=Act.REPORT,
                name=one.name,
                message=message,
                owner=one.owner,
                server=one.server,
                due=False,
            )
        else:
            yield one
