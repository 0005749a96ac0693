"""The builds under way in one hub: taken up, driven to their end, their rows and the observers kept up with them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from versatilehub.store import builds as rows
from versatilehub.store.builds import BuildRecord

from .archive import Archive
from .attempt import Attempt
from .audience import Audience
from .book import Book, as_written
from .container import BuildContainers
from .environments import Environments
from .events import BuildEvent, BuildState
from .forecast import REMEMBERED, Forecast, past_of
from .job import Job
from .line import Line, ticket_of
from .logs import BuildLog
from .publishing import Publishing
from .recovery import Recovery
from .run import Run
from .tidying import Tidying

if TYPE_CHECKING:
    from versatilehub.engine import Engine
    from versatilehub.images.registry import Registry
    from versatilehub.store import Store

    from .attempt import BuildSettings
    from .container import Logins

Observer = Callable[[BuildRecord, BuildEvent], None]

_log: Final = logging.getLogger(__name__)


class Works:
    """Used from one event loop. *jobs* are those that may be joined, by identity; *live* those whose row is not final, by id."""

    def __init__(
        self,
        engine: Engine,
        settings: BuildSettings,
        store: Store,
        registry: Registry | None = None,
        *,
        logins: Logins | None = None,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._containers = BuildContainers(engine, settings, logins)
        self._tidying = Tidying(engine, self._containers)
        self._forecast = Forecast()
        self._tasks: set[asyncio.Task[None]] = set()
        self._publishing = Publishing(engine, registry)
        self.environments = Environments(engine, settings, self._publishing)
        self.book = Book(store)
        self.line = Line(settings.concurrent, self._forecast)
        self.jobs: dict[str, Job] = {}
        self.live: dict[str, Job] = {}
        self.archive = Archive(store, settings.state_dir / "builds", self.live)
        self.observers: list[Observer] = []

    def take_up(self, record: BuildRecord, log: BuildLog | None = None) -> Job:
        """Drive a build, new or with the *log* of the hub before."""
        attempt = Attempt.from_json(record.plan)
        log = log or BuildLog.create(self.archive.log_path(record.id), cap=self._settings.log_limit)
        job = Job(
            record=record,
            run=Run(
                engine=self._engine,
                settings=self._settings,
                containers=self._containers,
                probes=self.environments.probes,
                forecast=self._forecast,
                publishing=self._publishing,
                attempt=attempt,
                log=log,
            ),
            log=log,
            line=self.line,
            place=self.line.join(ticket_of(record, attempt), began=log.entered(BuildState.FETCHING) or 0.0),
            audience=Audience(),
            grace=self._settings.grace,
            tidy=lambda: self._tidying.tidy(attempt),
        )
        self.jobs[record.identity] = self.live[record.id] = job
        job.on_end = lambda: self._forget(record.identity, job)
        log.heard = lambda event: self._heard(job, event)
        if log.state is BuildState.QUEUED:
            log.move(BuildState.QUEUED, f"Build of {record.source} at {record.commit}", time.time())
        task = job.start()
        self._tasks.add(task)  # whoever holds no task may lose it
        task.add_done_callback(self._tasks.discard)
        return job

    def _forget(self, identity: str, job: Job) -> None:
        if self.jobs.get(identity) is job:
            del self.jobs[identity]

    def _heard(self, job: Job, event: BuildEvent) -> None:
        """Have the row follow the log, and tell the observers."""
        record = job.record
        if not event.position:
            stored = self.book.save(record.id, as_written(job.log))
            if event.kind == "done":
                stored.add_done_callback(lambda _: self.live.pop(record.id, None))
        if event.outcome == "cancelled" and record.started is not None:
            self._tidying.forget_steps(Attempt.from_json(record.plan))
        if event.outcome == "ok":
            self._forecast.learn([past_of(record)])
        self._tell(record, event)

    def _tell(self, record: BuildRecord, event: BuildEvent) -> None:
        for observer in self.observers:
            try:
                observer(record, event)
            except Exception:  # noqa: BLE001  # somebody else's code: it must not end a build
                _log.exception("an observer of builds failed")

    async def recover(self) -> None:
        """Go on with what the hub before left, and remove what belongs to nothing; may be repeated."""
        recovery = Recovery(
            engine=self._engine, containers=self._containers, archive=self.archive, settings=self._settings
        )
        found, past = await self.book.store.run(
            lambda session: (rows.active(session), rows.went_well(session, REMEMBERED))
        )
        self._forecast.learn(map(past_of, past))
        await recovery.remove_strays(found)
        for record in found:
            if record.id in self.live:  # taken up before the engine went away in the middle of this
                continue
            log = await recovery.judge(record)
            if log is not None and log.done:
                log.close()
                self.book.save(record.id, as_written(log))
            else:
                _log.info("adopting build %s of %s at %s", record.id, record.source, record.commit)
                job = self.take_up(record, log)
                for user in record.askers:
                    job.audience.hold(user)
                if log is not None and log.last is not None:
                    self._tell(job.record, log.last)

    async def close(self) -> None:
        """Let go of everything without stopping a build."""
        for job in self.jobs.values():
            job.task.cancel()
        # Those that ended and are being tidied up are waited for, not cut short.
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tidying.close()
        await self._containers.close()
        await self.environments.probes.close()
        await self.book.close()
        self.jobs.clear()
        self.live.clear()
