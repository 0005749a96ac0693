"""Looks at Docker, the records and the hub, says what does not fit, and puts right what is due, at start and on a timer.

One at a time; what fails is said and tried again at the next look. The last report is kept in a file for the command line.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from versatilehub.errors import EngineFailure, EngineUnavailable, VersatileHubError
from versatilehub.store import volumes as records
from versatilehub.store.volumes import State

from .labels import KIND, from_labels
from .reconcile import Act, Finding, Found, HubServer, Rules, Scene, compare

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy.orm import Session

    from versatilehub.engine import Engine

    from .trash import Trash
    from .volumes import Volumes

log = logging.getLogger("versatilehub")

#: File in the state folder with the last report.
REPORT: Final = "reconcile.json"
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)

#: What the hub has: its servers, and owner key → name of every account.
HubView = tuple["Sequence[HubServer]", "Mapping[str, str]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one look found; *done* are names of findings that were put right, *failed* name → reason of the others."""

    at: datetime
    findings: tuple[Finding, ...] = ()
    done: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    problem: str = ""

    @property
    def open(self) -> tuple[Finding, ...]:
        """What still does not fit."""
        return tuple(one for one in self.findings if one.name not in self.done)

    def to_json(self) -> dict[str, Any]:
        """Return it as the API and the command line show it."""
        failed = dict(self.failed)
        return {
            "at": self.at.isoformat(timespec="seconds"),
            "problem": self.problem,
            "findings": [
                {**asdict(one), "done": one.name in self.done, "failed": failed.get(one.name, "")}
                for one in self.findings
            ],
        }


class Reconciler:
    """Keeps Docker, records and hub together; *view* says what the hub has, *folder* is the state folder."""

    def __init__(
        self,
        engine: Engine,
        volumes: Volumes,
        trash: Trash,
        *,
        rules: Rules,
        view: Callable[[], HubView],
        folder: Path,
    ) -> None:
        self._engine = engine
        self._volumes = volumes
        self._trash = trash
        self._rules = rules
        self._view = view
        self._folder = folder
        self._turn = asyncio.Lock()
        self._wake = asyncio.Event()
        self.report = Report(at=_NEVER)

    def nudge(self) -> None:
        """Have it look soon: something was deleted."""
        self._wake.set()

    async def keep_up(self, *, every: float, soon: float) -> None:
        """Look now, every *every* seconds, and *soon* seconds after a `nudge`; ends when it is cancelled."""
        while True:
            try:
                await self.settle()
            except Exception:  # the next look must come whatever this one met
                log.exception("Volumes could not be compared with the hub's records.")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), every)
                await asyncio.sleep(soon)
            self._wake.clear()

    async def look(self, *, force: bool = False) -> Report:
        """Compare, and report; nothing is changed. An engine that does not answer is a report of its own."""
        now = datetime.now(UTC)
        try:
            scene = await self._scene()
        except EngineUnavailable as error:
            return Report(at=now, problem=error.message, findings=await self._pending())
        return Report(at=now, findings=compare(scene, replace(self._rules, force=force), now))

    async def settle(self, *, force: bool = False) -> Report:
        """Compare, and do what is due; return and keep the report. *force*: also when many volumes are to go at once."""
        async with self._turn:
            report = await self.look(force=force)
            done: list[str] = []
            failed: list[tuple[str, str]] = []
            for one in report.findings if not report.problem else ():
                if not one.due or one.act == Act.REPORT:
                    continue
                try:
                    if await self._carry_out(one):
                        done.append(one.name)
                except VersatileHubError as error:
                    failed.append((one.name, error.message))
            report = replace(report, done=tuple(done), failed=tuple(failed))
            self._say(report)
            self.report = report
            await asyncio.to_thread(_keep, self._folder / REPORT, report)
            return report

    async def _scene(self) -> Scene:
        hub = self._engine.hub
        patterns = self._rules.patterns
        # Docker first, the hub last: what is made meanwhile has its record and its server by then.
        raw = await self._engine.volumes.list({} if patterns else {"versatilehub.hub": hub})
        running = await self._engine.containers.list({"versatilehub.hub": hub, "versatilehub.kind": "server"})
        volumes = []
        for volume in raw:
            if volume.labels.get("versatilehub.hub") in {hub, None} and volume.labels.get(
                "versatilehub.kind"
            ) in {KIND, None}:
                created = _moment(volume.labels.get("versatilehub.created", ""))
                volumes.append(Found(name=volume.name, created=created, by_label=from_labels(volume, hub)))
        containers = [
            Found(
                name=one.id,
                created=_moment(one.labels.get("versatilehub.created", "")),
                owner=one.labels.get("versatilehub.owner", ""),
                server=one.labels.get("versatilehub.server", ""),
                running=one.state in {"running", "paused", "restarting"},
            )
            for one in running
        ]
        known = await self._volumes.store.run(records.find)
        servers, accounts = self._view()
        return Scene(
            volumes=volumes, containers=containers, records=known, servers=servers, accounts=dict(accounts)
        )

    async def _pending(self) -> tuple[Finding, ...]:
        """Return what waits for the engine."""
        found = await self._volumes.store.run(
            lambda session: records.find(session, state=State.REMOVING.value)
        )
        return tuple(
            Finding(
                code="removal_pending",
                act=Act.PURGE,
                name=one.name,
                message="The volume is still to be removed.",
                owner=one.owner,
                server=one.server or "",
            )
            for one in found
        )

    async def _carry_out(self, one: Finding) -> bool:
        """Do what is due; False when it turned out not to be."""
        match one.act:
            case Act.PURGE:
                removed = await self._trash.purge(one.name)
                if removed.problem:
                    raise EngineFailure(removed.problem)
            case Act.TRASH:
                return await self._trash.trash(one.name, days=self._rules.trash_days) is not None
            case Act.ADOPT:
                return await self._adopt(one)
            case Act.REMOVE_EMPTY:
                return await self._remove_empty(one)
            case Act.REMOVE_CONTAINER:
                await self._engine.containers.remove(one.name)
            case Act.STOP_CONTAINER:
                await self._engine.containers.kill(one.name)
            case _:
                return await self._note(one)
        return True

    async def _note(self, one: Finding) -> bool:
        """Change the record and nothing in Docker."""
        now, store = datetime.now(UTC), self._volumes.store
        if one.act == Act.FORGET:
            await store.run(lambda session: records.forget(session, one.name))
            return True
        if one.act == Act.REVIVE:
            fields = {"state": State.LIVE.value, "expires": None, "changed": now}
            return await store.run(
                lambda session: records.change(session, one.name, among=(State.TRASHED,), **fields)
            )
        holder = next((server for server in self._view()[0] if one.name in server.volumes), None)
        if holder is None:
            return False
        return await store.run(lambda session: records.change(session, one.name, server=holder.name))

    async def _adopt(self, one: Finding) -> bool:
        volume = await self._engine.volumes.find(one.name)
        found = from_labels(volume, self._engine.hub) if volume is not None else None
        if found is None:
            return False
        servers, accounts = self._view()
        holder = next((server for server in servers if one.name in server.volumes), None)
        key = found.owner_key or (holder.owner_key if holder else "")
        if not key:  # the account of that name, unless it is younger than the volume
            key = next(
                (
                    key
                    for key, name in accounts.items()
                    if name == found.owner and _since(key) <= found.created
                ),
                "",
            )

        def put(session: Session) -> None:
            if records.get(session, one.name) is None:
                records.add(session, replace(found, owner_key=key))

        await self._volumes.store.run(put)
        return True

    async def _remove_empty(self, one: Finding) -> bool:
        if not await self._volumes.files.is_empty(one.name):
            return False
        await self._volumes.backend.remove(one.name)
        return True

    def _say(self, report: Report) -> None:
        """Log what is new: a look that finds the same as the last one is silent."""
        before = {(one.code, one.name) for one in self.report.findings}
        if report.problem and report.problem != self.report.problem:
            log.warning("Volumes are not compared with the hub's records yet: %s", report.problem)
        failed = dict(report.failed)
        for one in report.findings:
            if (one.code, one.name) in before and one.name not in report.done:
                continue
            outcome = "done" if one.name in report.done else failed.get(one.name) or "reported"
            log.warning("%s: %s: %s (%s: %s)", one.name, one.code, one.message, one.act.value, outcome)


def _keep(path: Path, report: Report) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(json.dumps(report.to_json(), indent=1))
    fresh.replace(path)


def _moment(text: str) -> datetime:
    """Return when a label says something was made; what says nothing is young, and left alone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return datetime.now(UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _since(key: str) -> datetime:
    """Return when an account was made, by its key."""
    return _moment(key.partition("@")[2])
