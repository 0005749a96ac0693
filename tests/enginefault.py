"""A proxy for Docker's socket that fails on request: what a hub does when its engine is slow, wrong or away.

`EngineProxy` listens on a socket of its own and forwards everything, streams and upgraded connections too. A `Rule`
changes what happens to the calls its pattern finds: delayed, answered with an error, dropped, or held, before the engine
sees the call or after the engine has done it. The faults are the test's, the engine behind them is the real one.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Self
from urllib.parse import unquote

from tests.hubprocess import wait_for

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path
    from types import TracebackType

ENGINE: Final = "/var/run/docker.sock"
#: Bytes of a request's body that rules look at; a longer one, or one of unknown length, is passed on unread.
READ_BODY: Final = 1 << 20
PIECE: Final = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens to a call; the default is nothing. *delay* in seconds comes before everything else."""

    delay: float = 0.0
    status: int = 0  # answered in the engine's place, with *message*
    message: str = "a fault of the test"
    drop: bool = False  # the connection ends without an answer
    hold: Literal["", "before", "after"] = ""  # until released: before the engine sees it, or its answer


@dataclass(slots=True, kw_only=True, eq=False)
class Rule:
    """One fault and the calls it is for; a context manager that takes it away (and releases) at its end."""

    proxy: EngineProxy
    pattern: re.Pattern[str]
    fault: Fault
    times: int | None = None  # for the first so many calls only
    hits: list[str] = field(default_factory=list)  # the calls it met
    held: int = 0  # how many of them are being held
    freed: asyncio.Event = field(default_factory=asyncio.Event)

    def wait_held(self, *, seconds: float = 60) -> Self:
        """Return when a call is being held."""
        wait_for(lambda: self.held, f"a call like {self.pattern.pattern}", seconds=seconds)
        return self

    def wait_hit(self, *, seconds: float = 60) -> Self:
        """Return when a call was met."""
        wait_for(lambda: self.hits, f"a call like {self.pattern.pattern}", seconds=seconds)
        return self

    def remove(self) -> None:
        """Meet no more calls and let go of those that are held."""
        self.proxy.forget(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request: its *head* as sent to the engine, the *body* as far as it was read, *text* for the rules."""

    head: bytes
    body: bytes
    text: str
    upgraded: bool


class EngineProxy:
    """A Docker socket at ``<folder>/docker.sock`` in front of the engine's; use it as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "docker.sock"
        self.calls: list[str] = []
        self._rules: list[Rule] = []
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="enginefault")
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Return what DOCKER_HOST is to be."""
        return f"unix://{self.socket}"

    # -- faults ----------------------------------------------------------------------------

    def fault(self, pattern: str, fault: Fault, *, times: int | None = None) -> Rule:
        """From now on do *fault* to calls whose ``METHOD /path?query`` or body has *pattern* in it; the newest rule wins.

        The path is without the API's version; query and body are unquoted text on lines of their own.
        """
        rule = Rule(proxy=self, pattern=re.compile(pattern), fault=fault, times=times)
        with self._lock:
            self._rules.insert(0, rule)
        return rule

    def forget(self, rule: Rule) -> None:
        """Take a rule away and release what it holds."""
        with self._lock:
            if rule in self._rules:
                self._rules.remove(rule)
        self._loop.call_soon_threadsafe(rule.freed.set)

    def forget_all(self) -> None:
        """Take every rule away."""
        for rule in list(self._rules):
            self.forget(rule)

    def go_away(self) -> None:
        """Refuse connections and end those there are, as an engine that restarts does."""
        self._run(self._close())

    def come_back(self) -> None:
        """Listen again."""
        self._run(self._listen())

    # -- life ------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread.start()
        self.come_back()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.forget_all()
        self.go_away()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=20)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_unix_server(self._accept, self.socket)

    async def _close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
            self.socket.unlink(missing_ok=True)
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    # -- one connection --------------------------------------------------------------------

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the one request of a connection: the head says "close", so every call has its own."""
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                call = await _read_call(reader)
                self.calls.append(call.text.partition("\n")[0])
                rule = self._rule_for(call)
                await self._answer(call, rule, reader, writer)
        finally:
            writer.close()

    def _rule_for(self, call: Call) -> Rule | None:
        with self._lock:
            for rule in self._rules:
                if rule.pattern.search(call.text) and (rule.times is None or len(rule.hits) < rule.times):
                    rule.hits.append(call.text.partition("\n")[0])
                    return rule
        return None

    async def _answer(
        self,
        call: Call,
        rule: Rule | None,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        fault = rule.fault if rule else Fault()
        await asyncio.sleep(fault.delay)
        if rule and fault.hold == "before" and not await _held(rule, reader):
            return  # the caller has gone: the engine never hears of it
        if fault.drop:
            return
        if fault.status:
            writer.write(_refusal(fault))
            await writer.drain()
            return
        upstream_reader, upstream = await asyncio.open_unix_connection(ENGINE)
        try:
            upstream.write(call.head + call.body)
            if rule and fault.hold == "after":
                answer = await upstream_reader.read()
                if await _held(rule, reader):
                    writer.write(answer)
                    await writer.drain()
                return
            await _pump(call, (reader, writer), (upstream_reader, upstream))
        finally:
            upstream.close()


async def _read_call(reader: asyncio.StreamReader) -> Call:
    raw = await reader.readuntil(b"\r\n\r\n")
    request, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
    headers = {
        key.strip().lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)
    }
    upgraded = "upgrade" in headers
    if not upgraded:
        lines = [line for line in lines if not line.lower().startswith("connection:")] + ["Connection: close"]
    body = b""
    length = int(headers.get("content-length", "0"))
    if 0 < length <= READ_BODY:
        body = await reader.readexactly(length)
    method, target, _ = request.split(" ", 2)
    text = f"{method} {unquote(re.sub(r'^/v[0-9.]+', '', target))}\n{body.decode('utf-8', 'replace')}"
    return Call(
        head="\r\n".join([request, *lines, "", ""]).encode("latin-1"), body=body, text=text, upgraded=upgraded
    )


async def _held(rule: Rule, reader: asyncio.StreamReader) -> bool:
    """Wait until the rule lets go; False when the caller hangs up before."""
    rule.held += 1
    freed = asyncio.ensure_future(rule.freed.wait())
    gone = asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait([freed, gone], return_when=asyncio.FIRST_COMPLETED)
        return rule.freed.is_set()
    finally:
        rule.held -= 1
        freed.cancel()
        gone.cancel()
        await asyncio.gather(freed, gone, return_exceptions=True)


def _refusal(fault: Fault) -> bytes:
    body = json.dumps({"message": fault.message}).encode()
    head = (
        f"HTTP/1.1 {fault.status} Fault\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    )
    return head.encode() + b"Connection: close\r\n\r\n" + body


_Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _pump(call: Call, caller: _Ends, engine: _Ends) -> None:
    """Pass bytes both ways until the engine ends; a caller that hangs up ends its call, as on the engine's own socket."""
    asked = asyncio.ensure_future(_copy(caller[0], engine[1], ends=call.upgraded))
    answered = asyncio.ensure_future(_copy(engine[0], caller[1], ends=False))
    try:
        await asyncio.wait([asked, answered], return_when=asyncio.FIRST_COMPLETED)
        if call.upgraded:
            await answered
    finally:
        asked.cancel()
        answered.cancel()
        await asyncio.gather(asked, answered, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, ends: bool) -> None:
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()
    if ends and writer.can_write_eof():
        writer.write_eof()
