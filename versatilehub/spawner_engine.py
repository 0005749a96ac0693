"""The spawner's one door to Docker: which threads a call runs in, how long it is waited for, what its errors mean.

DockerSpawner serves every call of a hub in one thread, so that one slow stop holds up everybody's start.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import docker.errors
import requests.exceptions
from dockerspawner import DockerSpawner
from traitlets import default

from versatilehub.errors import EngineFailure, EngineUnavailable, VersatileHubError
from versatilehub.hardening import ContainerShape, dangers, harden

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping
    from concurrent.futures import Future, ThreadPoolExecutor

    from versatilehub.runtime import VersatileHub

#: Calls that last seconds. They have a pool of their own, so that a slow stop never holds up another user's start.
SLOW_CALLS = frozenset({"stop", "pull", "wait", "remove_container", "kill", "exec_start", "put_archive"})

#: Calls that change nothing: whoever asks goes on after `QUESTION_LIMIT` seconds, whatever the thread still waits for.
QUESTIONS = frozenset({"inspect_container", "inspect_image", "containers", "top", "logs", "port"})
QUESTION_LIMIT = 10.0

#: What a call raises that got no answer, or one that says nothing about the container. docker-py asks for the engine's
#: version at its first call, and an engine that is away then is a plain `DockerException`.
UNKNOWN = (requests.exceptions.RequestException, docker.errors.DockerException, EngineFailure)


def as_ours(error: Exception) -> VersatileHubError:
    """Return an error of docker-py as one of ours, with Docker's own words where it had some; ours as they are."""
    if isinstance(error, VersatileHubError):
        return error
    if isinstance(error, docker.errors.APIError):
        words = str(error.explanation or error).rstrip(".")
        return EngineFailure(f"Docker: {words}.", hint="Try again; if it stays, tell an administrator.")
    if isinstance(error, docker.errors.DockerException) and error.__cause__ is None:
        return EngineFailure(f"Docker: {error}.", hint="Tell an administrator.")
    return EngineUnavailable("Docker does not answer.", hint="Try again in a minute.")


async def _soon(answer: Awaitable[Any], method: str) -> Any:
    try:
        return await asyncio.wait_for(answer, QUESTION_LIMIT)
    except TimeoutError as error:
        raise EngineUnavailable(
            f"Docker did not answer within {QUESTION_LIMIT:g} s ({method}).", hint="Try again in a minute."
        ) from error


class EngineMixin(DockerSpawner):
    """Calls to Docker; needs ``self.runtime`` and ``self._shape`` from the spawner."""

    runtime: VersatileHub
    _shape: ContainerShape

    @default("client_kwargs")
    def _client_kwargs_default(self) -> dict[str, Any]:
        return {"timeout": 60, "max_pool_size": 32}

    @property
    def executor(self) -> ThreadPoolExecutor:
        """The pool for calls that answer at once."""
        return self.runtime.quick_pool

    def docker(self, method: str, *args: Any, **kwargs: Any) -> Awaitable[Any]:
        """Run one docker-py call in the pool for its kind; `create_container` is hardened on its way out."""
        if method == "create_container":
            kwargs = self._hardened(kwargs)
        pool = self.runtime.slow_pool if method in SLOW_CALLS else self.runtime.quick_pool
        future: Future[Any] = pool.submit(self._docker, method, *args, **kwargs)
        answer = asyncio.wrap_future(future)
        # a future, as upstream's: subclasses and hooks wrap it
        return asyncio.ensure_future(_soon(answer, method)) if method in QUESTIONS else answer

    def _hardened(self, create: Mapping[str, Any]) -> dict[str, Any]:
        made = harden(create, self.runtime.isolation, self._shape)
        for sentence in dangers(made):
            self.log.warning("%s: %s", self._log_name, sentence)
        return made
