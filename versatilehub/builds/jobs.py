"""`Builds`: one build per identity however many ask, a queue, watchers who come and go, and a life beyond the hub's.

A watcher that leaves stops nothing others wait for. When the last one leaves by cancellation the build is cancelled
after a grace period; a hub that stops leaves its builds running, and the next one finds them by their record and labels.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from versatilehub import naming
from versatilehub.errors import EngineNotFound, ImageUnusable

from .attempt import Attempt, BuildSettings
from .container import BuildContainers
from .events import BuildEvent, BuildState
from .job import Job, Line
from .logs import BuildLog
from .probe import Environment, Probes
from .run import Run, interrupted

if TYPE_CHECKING:
    from pathlib import Path

    from versatilehub.engine import Engine
    from versatilehub.sources import ResolvedSource

__all__ = ["BuildSettings", "Builds", "Watcher"]

Watcher = Callable[[BuildEvent], None]

_log: Final = logging.getLogger(__name__)
_RECORD: Final = "job.json"
_LOG: Final = "log.jsonl"


class Builds:
    """All builds of one hub. Used from one event loop; a new object takes over what an earlier one left running."""

    def __init__(self, engine: Engine, settings: BuildSettings) -> None:
        self._engine = engine
        self._settings = settings
        self._folder = settings.state_dir / "builds"
        self._containers = BuildContainers(engine, settings)
        self._probes = Probes(
            engine, settings.state_dir / "probes", hub_version=settings.hub_version or _hub_version()
        )
        self._line = Line(settings.concurrent)
        self._jobs: dict[str, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._recovery: asyncio.Task[None] | None = None

    async def ensure(
        self, resolved: ResolvedSource, watcher: Watcher, *, lane: str = "", lane_limit: int | None = None
    ) -> Environment:
        """Return the environment of *resolved*, building it unless its image exists.

        *watcher* is called with every event of the build from the first on, in order, whoever started it. At most
        *lane_limit* builds of one *lane* (a user, say) run at once, whatever room there is. Raises `BuildFailed`
        (also `ImageUnusable`, `BuildCancelled`) or `EngineFailure`; cancelling the call leaves the build to others.
        """
        await self.recover()
        attempt = await self._attempt(resolved)
        job = self._jobs.get(attempt.identity)
        if job is None:
            found = await self._existing(attempt)
            if found is not None:
                watcher(_cached(found))
                return found
            job = self._jobs.get(attempt.identity) or self._begin(attempt, lane=lane, lane_limit=lane_limit)
        return await job.watch(watcher)

    async def examine(self, image: str) -> Environment:
        """Return what an image that exists offers (one named directly, not built here); `ImageUnusable` if too little."""
        try:
            return await self._probes.look(image)
        except EngineNotFound as error:
            raise ImageUnusable(
                f"There is no image {image} on this machine.",
                hint="Check its name, or ask an administrator to add it.",
                code="image_missing",
            ) from error

    async def recover(self) -> None:
        """Adopt what a hub before this one left running and remove its leavings; done once, waited for by all."""
        if self._recovery is None:
            self._recovery = asyncio.create_task(self._recover())
        try:
            await asyncio.shield(self._recovery)
        except Exception:
            self._recovery = None  # an engine that was away: the next call tries again
            raise

    def cancel(self, identity: str) -> bool:
        """Cancel the build of *identity*, whoever waits for it; False when none runs."""
        job = self._jobs.pop(identity, None)
        if job is None:
            return False
        job.cancel()
        return True

    def running(self) -> dict[str, BuildState]:
        """Return the identities being built now and where they are."""
        return {identity: job.log.state for identity, job in self._jobs.items()}

    def log(self, identity: str) -> BuildLog | None:
        """Return the log of the build that runs, or of the last that did; None when there was none."""
        job = self._jobs.get(identity)
        path = self._folder / identity / _LOG
        if job is not None:
            return job.log
        return BuildLog.load(path, cap=self._settings.log_limit) if path.exists() else None

    async def close(self) -> None:
        """Let go of everything without stopping a build: its containers go on, a new `Builds` finds them."""
        for job in self._jobs.values():
            job.task.cancel()
        # Those that ended and are being tidied up are waited for, not cut short.
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._containers.close()
        await self._probes.close()
        self._jobs.clear()

    async def _attempt(self, resolved: ResolvedSource) -> Attempt:
        builder, base = await asyncio.gather(
            self._engine.images.inspect(self._settings.builder_image),
            self._engine.images.inspect(self._settings.base_image),
        )
        identity = naming.identity(resolved, builder=builder.id, base=base.id)
        return Attempt(
            id=uuid.uuid4().hex[:12],
            identity=identity,
            source=resolved,
            builder=builder.id,
            base=base.id,
            created=time.time(),
            python=await self._python(base.id),
        )

    async def _python(self, base: str) -> str:
        """Return the Python of the base image; of one no server can run in, nothing: each build says so by itself."""
        try:
            return (await self._probes.look(base)).python
        except ImageUnusable:
            return ""

    async def _existing(self, attempt: Attempt) -> Environment | None:
        name = str(naming.image_name(attempt.source, attempt.identity))
        image = await self._engine.images.find(name)
        expected = {"versatilehub.kind": "image", "versatilehub.digest": attempt.identity}
        if image is None or any(image.labels.get(key) != value for key, value in expected.items()):
            return None
        return await self._probes.look(name)

    def _begin(self, attempt: Attempt, *, lane: str, lane_limit: int | None) -> Job:
        folder = self._folder / attempt.identity
        log = BuildLog.create(folder / _LOG, cap=self._settings.log_limit)
        _write(folder / _RECORD, json.dumps(attempt.to_json()))
        log.move(BuildState.QUEUED, f"Build of {attempt.source.url} at {attempt.source.commit}", time.time())
        return self._take_up(attempt, log, lane=lane, lane_limit=lane_limit)

    def _take_up(
        self, attempt: Attempt, log: BuildLog, *, lane: str = "", lane_limit: int | None = None
    ) -> Job:
        run = Run(
            engine=self._engine,
            settings=self._settings,
            containers=self._containers,
            probes=self._probes,
            attempt=attempt,
            log=log,
        )
        place = self._line.join(lane, lane_limit, running=log.state is not BuildState.QUEUED)
        job = Job(
            run=run,
            log=log,
            line=self._line,
            place=place,
            grace=self._settings.grace,
            tidy=lambda: self._tidy(attempt),
        )
        self._jobs[attempt.identity] = job
        job.on_end = lambda: self._forget(attempt.identity, job)
        task = job.start()
        self._tasks.add(task)  # whoever holds no task may lose it
        task.add_done_callback(self._tasks.discard)
        return job

    def _forget(self, identity: str, job: Job) -> None:
        if self._jobs.get(identity) is job:
            del self._jobs[identity]

    async def _tidy(self, attempt: Attempt) -> None:
        await self._containers.remove(attempt)
        record = self._folder / attempt.identity / _RECORD
        if _read_attempt(record) == attempt:  # a later attempt has its own
            record.unlink(missing_ok=True)

    async def _recover(self) -> None:
        found = await asyncio.to_thread(
            lambda: [_read_attempt(path) for path in self._folder.glob(f"*/{_RECORD}")]
        )
        attempts = [attempt for attempt in found if attempt is not None]
        await self._containers.remove_strays(frozenset(attempt.id for attempt in attempts))
        for attempt in attempts:
            await self._adopt(attempt)

    async def _adopt(self, attempt: Attempt) -> None:
        path = self._folder / attempt.identity / _LOG
        if not path.exists():
            await self._tidy(attempt)
            return
        log = BuildLog.load(path, cap=self._settings.log_limit)
        if log.done:
            log.close()
            await self._tidy(attempt)
        elif log.state not in {BuildState.QUEUED, BuildState.FETCHING} and not await self._containers.find(
            attempt
        ):
            failure = interrupted()
            log.finish(BuildState.INTERRUPTED, failure.message, time.time(), dict(failure.to_json()))
            await self._tidy(attempt)
        else:
            _log.info("adopting the build of %s at %s", attempt.source.url, attempt.source.commit)
            self._take_up(attempt, log)


def _cached(environment: Environment) -> BuildEvent:
    message = f"The image of commit {environment.commit[:12]} exists."
    return BuildEvent(
        seq=0, at=time.time(), state=BuildState.READY, kind="done", message=message, outcome="cached"
    )


def _hub_version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  # at the first build only

    try:
        return version("jupyterhub")
    except PackageNotFoundError:
        return ""


def _write(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def _read_attempt(path: Path) -> Attempt | None:
    try:
        return Attempt.from_json(json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        _log.warning("%s cannot be read; its build is taken for lost", path)
        shutil.move(path, path.with_suffix(".unreadable"))
        return None
