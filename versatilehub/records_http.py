"""How archives are asked: short JSON answers over https, from public addresses that are looked up once and kept.

Every address passes the rule for hosts that clone URLs pass; a redirect stays on the host that was asked.
"""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urljoin

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from versatilehub.errors import (
    RecordNotReadable,
    SourceFailure,
    SourceMoved,
    SourceTooSlow,
    SourceUnreachable,
)
from versatilehub.git_hosts import public_addresses
from versatilehub.record_answers import Answer
from versatilehub.source_address import is_under, split_url
from versatilehub.source_rules import check_origin

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    from versatilehub.sources import SourceRules

_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_ABSENT: Final = frozenset((404, 410))
_LOCKED: Final = frozenset((401, 403, 451))
_HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": "versatilehub",
}
_LATER: Final = "Try again later; if it stays so, ask the people who run the archive."


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordLimits:
    """What asking an archive may cost before it is given up: seconds in all, bytes of one answer, redirects in a row."""

    total: float = 30.0
    answer: int = 16 * 2**20
    redirects: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    status: int
    body: bytes
    location: str = ""


class Door:
    """The connections of one question to an archive; an async context manager."""

    def __init__(self, rules: SourceRules, limits: RecordLimits, tls: ssl.SSLContext | None) -> None:
        self._rules = rules
        self._limits = limits
        secure = tls or True
        self._public = _session(aiohttp.TCPConnector(resolver=_PublicResolver(), ssl=secure))
        # the machine's own way to look names up, as git has: a site's names may be in its hosts file only
        self._site = _session(aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver(), ssl=secure))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._public.close()
        await self._site.close()

    def over_tls(self, url: str) -> str:
        """Return *url*, https in place of http: archives registered many an address before they had certificates."""
        if url.startswith("http://") and not self._is_of_the_site(url):
            return "https://" + url.removeprefix("http://")
        return url

    async def ask(self, url: str) -> Answer | None:
        """Return what the archive says at *url*, None if it knows nothing there.

        Raises SourceFailure and its kinds, InvalidSource for an address that is not allowed, and Refusal for a host that is not
        public.
        """
        start = split_url(url)
        for _ in range(self._limits.redirects + 1):
            reply = await self._get(url)
            if reply.status not in _REDIRECTS:
                return await _answer(reply, start.host)
            url = urljoin(url, reply.location)
            if not url.startswith(start.origin + "/"):
                break
        raise SourceMoved(
            f"{start.host} redirects to another address.",
            hint="Open the link in a browser and paste the address it ends at.",
            field="source",
        )

    async def location(self, url: str) -> str:
        """Return where *url* redirects to, "" if nowhere."""
        reply = await self._get(url)
        return urljoin(url, reply.location) if reply.status in _REDIRECTS and reply.location else ""

    def _is_of_the_site(self, url: str) -> bool:
        address = split_url(url)
        return any(is_under(address, prefix) for prefix in self._rules.extra)

    async def _get(self, url: str) -> _Reply:
        address = split_url(url)
        check_origin(address, self._rules)
        session = self._site if self._is_of_the_site(url) else self._public
        try:
            async with session.get(URL(url, encoded=True), allow_redirects=False, headers=_HEADERS) as answer:
                body = await self._read(answer.content, address.host)
                return _Reply(status=answer.status, body=body, location=answer.headers.get("Location", ""))
        except (aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError) as error:
            message = f"The certificate of {address.host} is not trusted."
            raise SourceUnreachable(message, hint=_LATER, field="source") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            message = f"{address.host} cannot be reached, or its answer broke off."
            raise SourceUnreachable(message, hint=_LATER, field="source") from error

    async def _read(self, content: aiohttp.StreamReader, host: str) -> bytes:
        read = bytearray()
        async for chunk in content.iter_chunked(65536):
            read += chunk
            if len(read) > self._limits.answer:
                raise SourceFailure(
                    f"What {host} says about the record is longer than {self._limits.answer / 2**20:g} MiB.",
                    hint="Put the files of the record into one zip.",
                    field="source",
                    code="source_too_large",
                )
        return bytes(read)


async def _answer(reply: _Reply, host: str) -> Answer | None:
    if reply.status in _ABSENT:
        return None
    if reply.status in _LOCKED:
        raise RecordNotReadable(
            f"{host} shows this record to nobody who is not signed in.",
            hint="Only records whose files are open to everyone can be run.",
            field="source",
        )
    if reply.status == 429:
        raise SourceUnreachable(
            f"{host} has been asked too often from here and wants a pause.",
            hint="Try again in some minutes.",
            field="source",
            code="source_rate_limited",
        )
    if reply.status != 200:
        message = f"{host} answered with status {reply.status}."
        raise SourceUnreachable(message, hint=_LATER, field="source")
    try:
        return Answer(value=await asyncio.to_thread(json.loads, reply.body), host=host)
    except (ValueError, RecursionError) as error:
        raise SourceFailure(
            f"{host} answered with something that is no JSON.",
            hint="Check that the link leads to a record of an archive.",
            field="source",
            code="archive_unclear",
        ) from error


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    # The whole question has one limit, `RecordLimits.total`; a body is taken as it comes, never unpacked.
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
        auto_decompress=False,
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )


class _PublicResolver(AbstractResolver):
    """Public addresses only; aiohttp connects to the very ones that were checked."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return where *host* is; raises Refusal unless every address is public."""
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in await public_addresses(host, port)
        ]

    async def close(self) -> None:
        """Nothing is kept."""


def too_slow(host: str, seconds: float) -> SourceTooSlow:
    """Return the failure of an archive that did not answer in time."""
    return SourceTooSlow(
        f"The archive {host} did not answer within {seconds:g} s.",
        hint="Try again later; if it stays slow, ask the people who run it.",
        field="source",
    )
