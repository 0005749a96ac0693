"""One attempt from fetch to a tagged image, written so that a hub that comes back can go through it again.

Every step is skipped or repeated without harm: containers are started once, their logs are read from the first line
and only what the log lacks is added, tags are set again.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, suppress
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from versatilehub.errors import BuildFailed, EngineConflict, EngineNotFound, EngineUnavailable

from . import failures
from .events import BuilderLine, BuildState, LineReader
from .logs import BuildLog, Entry
from .specs import RENDER_ONLINE, ROLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from versatilehub.engine import Engine

    from .attempt import Attempt, BuildSettings
    from .container import BuildContainers
    from .estimates import Estimate
    from .forecast import Forecast
    from .probe import Environment, Probes
    from .publishing import Publishing

SHOWN: Final = 20
"""Last lines of the log that go with a failure."""
_SLACK: Final = 15.0
"""Seconds the builder has beyond its own time limit to say so itself."""
_RETRY: Final = 1.0
_AWAY: Final = 300.0
"""Seconds an engine may be away before a build that needs it fails."""
_ORDER: Final = list(BuildState)
_STILL_NEEDED: Final = {
    BuildState.FETCHING: ROLES,
    BuildState.RENDERING: ROLES[1:],
    BuildState.BUILDING: ROLES[2:],
}
"""The containers a build in a state cannot do without; a hub that was killed may not have made them all."""
INTERRUPTED: Final = "build_interrupted"

_SAID: Final = MappingProxyType(
    {"dockerfile": "Building the Dockerfile", "uv": "Installing what the repository asks for"}
)


class Run:
    """Takes one attempt through its states and writes its log. *engine* calls may fail; nothing is cleaned up here."""

    def __init__(  # its collaborators, each needed
        self,
        *,
        engine: Engine,
        settings: BuildSettings,
        containers: BuildContainers,
        probes: Probes,
        forecast: Forecast,
        publishing: Publishing,
        attempt: Attempt,
        log: BuildLog,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._containers = containers
        self._probes = probes
        self._forecast = forecast
        self._publishing = publishing
        self._attempt = attempt
        self._log = log
        self._pack = ""
        self._away = False  # the engine was, since the last container that answered well

    async def run(self) -> Environment:
        """Return the environment, its image tagged; the log is at `probing` or `pushed` then. Raises `BuildFailed`.

        An engine that is away is waited for: what was under way is gone through again then, from the log and the labels.
        """
        given_up = time.monotonic() + _AWAY
        while True:
            try:
                return await self._through()
            except EngineUnavailable:
                self._away = True
                if time.monotonic() > given_up:
                    raise
                await asyncio.sleep(_RETRY)

    async def _through(self) -> Environment:
        if self._log.state in {BuildState.PROBING, BuildState.PUSHED}:
            made = await self.made()
            if made:
                return await self._publish(made)
        settings = self._settings
        if self._enter(BuildState.FETCHING, "Fetching the repository"):
            self._say(f"Fetching {self._attempt.source.url}, {self._attempt.source.version}")
        # All at once: render and build start up while fetch works, and wait for its files.
        await self._containers.begin(self._attempt, *_STILL_NEEDED.get(self._log.state, ()))
        await self._read("fetch", BuildState.FETCHING, settings.fetch_timeout)
        self._enter(BuildState.RENDERING, "Reading the repository")
        pack = self._pack = await self._render()
        self._enter(BuildState.BUILDING, _SAID.get(pack, f"Building with {pack}" if pack else "Building"))
        built = await self._read("build", BuildState.BUILDING, settings.timeout)
        self._enter(BuildState.PROBING, "Looking whether a server can run in the image")
        return await self._publish(str(built.get("image_id", "")))

    async def made(self) -> str:
        """Return the id of the image this attempt has made, "" when there is none."""
        images = await self._engine.images.list(made_by(self._engine, self._attempt))
        return images[0].id if images else ""

    async def discard(self) -> None:
        """Remove the image of an attempt that came to nothing, with the names it may have, unless something uses it."""
        for image in await self._engine.images.list(made_by(self._engine, self._attempt)):
            with suppress(EngineConflict):
                for name in (*image.tags, image.id):  # by its id alone, one of several names would stay
                    await self._engine.images.remove(name)

    async def _render(self) -> str:
        limit = self._settings.render_timeout
        result = await self._read("render", BuildState.RENDERING, limit)
        if result.get("needs_network"):
            if self._log.state is BuildState.RENDERING:
                await self._containers.begin(self._attempt, RENDER_ONLINE)
            result = await self._read(RENDER_ONLINE, BuildState.RENDERING, limit)
        return str(result.get("pack", ""))

    async def _publish(self, image_id: str) -> Environment:
        environment = await self._probes.look(image_id)
        for warning in environment.warnings:
            self._say(f"Warning: {warning}")
        names = await self._publishing.name(self._attempt, image_id)
        if self._publishing.prefix:
            self._enter(BuildState.PUSHED, f"Pushing the image to {self._publishing.prefix}")
            await self._publishing.push(self._attempt, image_id, names, self._say)
        return replace(environment, image=str(names[0]))

    def _enter(self, state: BuildState, message: str) -> bool:
        """Go on to *state* and return True, unless the log is there or beyond."""
        new = _ORDER.index(self._log.state) < _ORDER.index(state)
        if new:
            self._log.move(state, message, time.time(), estimate=self._usual(state))
        return new

    def _usual(self, state: BuildState) -> Estimate | None:
        return self._forecast.phase(state.value, repository=self._attempt.source.url, pack=self._pack)

    def _say(self, message: str) -> None:
        self._log.append([Entry(kind="log", message=message)], time.time())

    async def _read(self, role: str, state: BuildState, limit: float) -> Mapping[str, Any]:
        """Take one container's lines into the log and return its result; its failure is raised."""
        entered = self._log.entered(state)
        passed = self._log.state is not state or entered is None
        left = limit + _SLACK - (0.0 if passed else time.time() - (entered or 0.0))
        try:
            async with asyncio.timeout(max(left, _SLACK)):
                await self._containers.started(self._attempt, role)
                line = await self._answer(role)
        except TimeoutError as error:
            cause = failures.known("build_too_long")
            message = f"This part of the build took longer than {limit:g} s."
            raise self._failure(replace(cause, message=message)) from error
        if line.kind == "result":
            self._away = False
            return line.result
        if self._away:  # what it says of itself is how the engine's end looked to it
            raise interrupted()
        cause = failures.explain(line, tuple(self._log.tail))
        raise self._failure(cause, line.lines)

    async def _answer(self, role: str) -> BuilderLine:
        while True:
            try:
                if role == "fetch":
                    await self._containers.hand_login_over(self._attempt)
                return await self._follow(role)
            except EngineUnavailable:
                self._away = True
                await asyncio.sleep(_RETRY)  # an engine that restarts: its containers may still be there
            except EngineNotFound as error:
                return await self._lost(role, error)

    async def _follow(self, role: str) -> BuilderLine:
        name = self._attempt.container(role)
        reader, count, known = LineReader(), 0, self._log.cursor(role)
        async with aclosing(self._engine.containers.logs(name)) as batches:
            async for batch in batches:
                entries: list[Entry] = []
                answer: BuilderLine | None = None
                for line in batch:
                    if answer is None:
                        count += 1
                        answer = _take(reader, line, entries if count > known else [])
                if entries:
                    self._log.append(entries, time.time(), container=role, cursor=count)
                if answer is not None:
                    return answer
        return await self._ended(name)

    async def _ended(self, name: str) -> BuilderLine:
        container = await self._engine.containers.inspect(name)
        if container.state == "running":
            raise EngineUnavailable("Docker ended the log of a container that runs.")
        if container.oom_killed:
            return BuilderLine(kind="error", code="out_of_memory")
        if container.exit_code in {137, 143, 255}:
            return await self._lost(name.rpartition("-")[2])
        return BuilderLine(kind="error", code="builder_ended")

    async def _lost(self, role: str, error: EngineNotFound | None = None) -> BuilderLine:
        """Return the result of a container that was ended before it could say it; `BuildFailed` when there is none."""
        made = await self.made() if role == "build" else ""
        if not made:
            raise interrupted() from error
        return BuilderLine(kind="result", result={"image_id": made})

    def _limits(self) -> dict[str, str]:
        """Return the figure of each limit a build can break, by the code of that failure."""
        settings = self._settings
        return {
            "out_of_memory": f"{settings.memory >> 20} MiB",
            "too_many_processes": f"{settings.pids}",
        }

    def _failure(self, cause: failures.Cause, said: tuple[str, ...] = ()) -> BuildFailed:
        """Return the failure with the last words of the step at fault, or of the log where none is known."""
        limit = self._limits().get(cause.code)
        message = cause.message
        if limit and limit not in message:
            message = f"{message.removesuffix('.')}: {limit}."
        lines = (said or tuple(self._log.tail))[-SHOWN:]
        return BuildFailed(message, hint=cause.hint, code=cause.code, cause_file=cause.file, lines=lines)


def made_by(engine: Engine, attempt: Attempt) -> dict[str, str]:
    """Return the labels of the image of one attempt."""
    return {"versatilehub.hub": engine.hub, "versatilehub.kind": "image", "versatilehub.attempt": attempt.id}


def interrupted() -> BuildFailed:
    """Return the failure of a build whose containers are gone."""
    return BuildFailed(
        "The build was interrupted: its containers are gone.", hint="Start it again.", code=INTERRUPTED
    )


def _take(reader: LineReader, line: str, entries: list[Entry]) -> BuilderLine | None:
    """Put what one line says into *entries*; return it instead when it is the container's answer."""
    for read in reader.read(line):
        if read.kind == "result":
            return read
        if read.kind == "error":
            if read.message:
                entries.append(Entry(kind="log", message=read.message))
            return read
        entries.append(Entry(kind=read.kind, message=read.message, step=read.step, steps=read.steps))
    return None
