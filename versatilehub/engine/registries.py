"""What Docker does with registries for us: ask for a digest, pull, push; and the leavings of builds it keeps.

Docker speaks to the registry; the hub never does. An answer is a stream of JSON lines, and an error may be in any of them.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

from versatilehub.errors import (
    EngineFailure,
    EngineUnavailable,
    NotInRegistry,
    RegistryRefused,
    RegistryUnavailable,
)

from .transport import LONG, NORMAL, Transport, translated

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

_REFUSED: Final = re.compile(
    r"unauthorized|no basic auth credentials|authentication required|access denied|denied:|forbidden|\b40[13]\b",
    re.IGNORECASE,
)
_ABSENT: Final = re.compile(
    r"manifest unknown|not found|repository does not exist|name unknown", re.IGNORECASE
)
_AWAY: Final = re.compile(
    r"connection refused|no such host|timeout|timed out|deadline exceeded|unreachable|\bEOF\b|connection reset|"
    r"server gave HTTP response|certificate|tls:|\b50[0234]\b|too many requests|\b429\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who asks a registry; the password is in no repr, and so in no log."""

    username: str
    password: str
    server: str = ""

    def __repr__(self) -> str:
        return f"Login(username={self.username!r}, server={self.server!r})"

    def header(self) -> str:
        """Return it as Docker's API takes it."""
        raw = {"username": self.username, "password": self.password, "serveraddress": self.server}
        return base64.urlsafe_b64encode(json.dumps(raw).encode()).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """How far a pull or push is: *done* of *layers* are through."""

    message: str
    done: int
    layers: int


class Registries:
    """Registries, as this engine reaches them. Errors are `RegistryRefused`, `RegistryUnavailable`, `NotInRegistry`."""

    def __init__(self, docker: Transport) -> None:
        self._docker = docker

    async def digest(self, name: str, login: Login | None, *, seconds: float = LONG) -> str:
        """Return the digest ("sha256:…") that *name*, with a tag, has in its registry."""
        path = f"distribution/{name}/json"
        try:
            answer = await self._docker.json("GET", path, limit=seconds, headers=_headers(login))
        except EngineUnavailable as error:
            _raise_late(error, name)
        except EngineFailure as error:
            _raise(error.message, name)
        return str(answer["Descriptor"]["digest"])

    async def pull(
        self,
        repository: str,
        version: str,
        login: Login | None,
        watch: Callable[[Transfer], None],
        *,
        seconds: float,
        idle: float,
    ) -> None:
        """Pull *repository* at *version* (a tag, or a digest "sha256:…"), *seconds* in all, *idle* without a word."""
        params = {"fromImage": repository, "tag": version}
        name = f"{repository}@{version}" if ":" in version else f"{repository}:{version}"
        lines = self._lines("images/create", params, login)
        await _follow(lines, name, watch, seconds=seconds, idle=idle)

    async def push(
        self,
        repository: str,
        tag: str,
        login: Login | None,
        watch: Callable[[Transfer], None],
        *,
        seconds: float,
        idle: float,
    ) -> str:
        """Push the local image repository:tag and return its digest there; limits as for `pull`."""
        lines = self._lines(f"images/{repository}/push", {"tag": tag}, login)
        return await _follow(lines, f"{repository}:{tag}", watch, seconds=seconds, idle=idle)

    async def trim_cache(self, *, keep: int, unused: float) -> int:
        """Let Docker drop what builds cached and did not use for *unused* seconds, beyond *keep* bytes; return what it freed.

        The cache has no owners: it is that of every build on this engine.
        """
        params = {"keep-storage": keep, "filters": json.dumps({"unused-for": [f"{int(unused)}s"]})}
        answer = await self._docker.json("POST", "build/prune", limit=10 * NORMAL, params=params)
        return int((answer or {}).get("SpaceReclaimed") or 0)

    async def _lines(
        self, path: str, params: Mapping[str, Any], login: Login | None
    ) -> AsyncGenerator[Mapping[str, Any]]:
        async with (
            translated(path, None),
            self._docker.stream("POST", path, params=params, headers=_headers(login)) as answer,
        ):
            rest = b""
            async for chunk in answer.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield json.loads(line)
            if rest.strip():
                yield json.loads(rest)


async def _follow(
    lines: AsyncGenerator[Mapping[str, Any]],
    name: str,
    watch: Callable[[Transfer], None],
    *,
    seconds: float,
    idle: float,
) -> str:
    """Read a transfer to its end and return the digest it named, "" when it named none."""
    layers: dict[str, bool] = {}
    digest = ""
    try:
        async with asyncio.timeout(seconds), aclosing(lines):
            while (line := await asyncio.wait_for(anext(lines, None), idle)) is not None:
                if "error" in line:
                    _raise(str(line["error"]), name)
                digest = str((line.get("aux") or {}).get("Digest") or digest)
                if _counts(line, layers):
                    done = sum(layers.values())
                    watch(Transfer(message=str(line.get("status", "")), done=done, layers=len(layers)))
    except TimeoutError as error:
        message = f"The registry took longer than {seconds:g} s for {name}, or was silent for {idle:g} s."
        raise RegistryUnavailable(message, hint="Try again later.") from error
    except EngineUnavailable:
        raise
    except EngineFailure as error:
        _raise(error.message, name)
    return digest


_DONE: Final = frozenset({"pull complete", "already exists", "layer already exists", "pushed"})
_BEGUN: Final = frozenset({"pulling fs layer", "preparing", "waiting"})


def _counts(line: Mapping[str, Any], layers: dict[str, bool]) -> bool:
    """Take one line's layer into *layers*; tell whether it began or ended one (a byte count does neither)."""
    layer, status = str(line.get("id", "")), str(line.get("status", "")).lower()
    done = status in _DONE or status.startswith("mounted from")
    if not layer or not (done or status in _BEGUN):
        return False
    changed = layers.get(layer) is not done
    layers[layer] = done or layers.get(layer, False)
    return changed


def _headers(login: Login | None) -> dict[str, str]:
    # Docker wants some header for a push also where nobody logs in.
    return {"X-Registry-Auth": login.header() if login else "e30="}


def _raise(said: str, name: str) -> NoReturn:
    """Raise what Docker's words about a registry mean; its own words go along, cut."""
    words = said.removeprefix("Docker: ").strip().rstrip(".")[:300]
    if _REFUSED.search(words):
        message = f"The registry refuses {name}: {words}."
        raise RegistryRefused(
            message, hint="Check user name and password for this registry, and their rights."
        )
    if _ABSENT.search(words):
        raise NotInRegistry(
            f"The registry has no {name}.", hint="Check name and tag, or ask an administrator."
        )
    if _AWAY.search(words):
        message = f"The registry of {name} cannot be used now: {words}."
        raise RegistryUnavailable(message, hint="Try again later; an administrator can look at the registry.")
    raise EngineFailure(f"Docker: {words}.", hint="Tell an administrator.")


def _raise_late(error: EngineUnavailable, name: str) -> NoReturn:
    """Docker itself answers at once: a question about a registry that takes long waits for the registry."""
    if isinstance(error.__cause__, TimeoutError):
        message = f"The registry of {name} did not answer in time."
        raise RegistryUnavailable(message, hint="Try again later.") from error
    raise error
