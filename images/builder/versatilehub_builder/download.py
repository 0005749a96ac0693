"""Downloads of a record's files: https to public addresses only, each looked up once and kept, within limits, verified.

Plain http and private addresses only below the prefixes the site adds. A redirect leads to the same host, to one the plan
names, or nowhere; each is looked at like the first address.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import socket
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from versatilehub_builder.gitrun import no_space
from versatilehub_builder.hosts import is_under, public_url
from versatilehub_builder.lines import JSON, Failure
from versatilehub_builder.tree import too_large

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS: Final = 5
_CHUNK: Final = 1 << 16
_ANSWER: Final = 16 << 20
_TIMEOUT: Final = urllib3.Timeout(connect=10, read=20)
_HEADERS: Final = {"User-Agent": "versatilehub", "Accept": "*/*", "Accept-Encoding": "identity"}
_TRANSLATED: Final = ipaddress.ip_network("64:ff9b::/96")
_ASSIGNED: Final = ipaddress.ip_network("192.0.0.0/24")


def is_public(address: str) -> bool:
    """Return whether *address* is a unicast address of the internet, also when it carries another inside."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        carried = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _TRANSLATED:
            carried = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if carried:
            return is_public(str(carried))
        if ip.is_site_local:
            return False
    elif ip in _ASSIGNED:
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback)


@dataclass(slots=True, kw_only=True)
class Downloads:
    """All downloads of one record: *hosts* are where redirects may lead, *bytes* what all may have, *free* what stays free."""

    prefixes: tuple[str, ...]
    hosts: tuple[str, ...]
    bytes: int
    free: int
    log: Callable[[str], None]
    taken: int = field(default=0, init=False)

    def file(self, url: str, target: Path, *, size: int, checksum: str, start: str = "") -> None:
        """Download *url* to *target* and compare size and checksum; *start* is the address that named this one."""
        with self.open(url, start=start) as answer:
            actual, digits = answer.save(target, algorithm=checksum.partition(":")[0])
        if (checksum and digits != checksum.partition(":")[2]) or size not in {-1, actual}:
            raise Failure(
                "source_damaged",
                f"The file {target.name[:200]!r} is not what the archive says it is: its size or checksum differs.",
                hint="Try again later; if it stays so, tell the people who run the archive.",
                file=target.name[:200],
            )
        self.log(f"{target.name}: {actual} bytes" + (", checksum verified" if checksum else ""))

    def ask(self, url: str, method: str = "GET") -> JSON:
        """Return the JSON an archive answers with."""
        with self.open(url, method) as answer:
            try:
                said: JSON = json.loads(answer.read(_ANSWER))
            except (ValueError, RecursionError) as error:
                message = f"{urlsplit(url).hostname} answered with something that is no JSON."
                raise Failure("source_failed", message, hint="Try again later.") from error
            return said

    @contextmanager
    def open(self, url: str, method: str = "GET", start: str = "") -> Iterator[Answer]:
        """Open *url*, following the redirects that are allowed."""
        first = urlsplit(start or url).hostname or ""
        if start:
            self._check_hop(first, url)
        for _ in range(_MOST_REDIRECTS + 1):
            with self._request(method, url) as response:
                if response.status not in _REDIRECTS:
                    _check_status(response.status, urlsplit(url).hostname or "")
                    yield Answer(response=response, owner=self)
                    return
                where = urljoin(url, response.headers.get("Location", ""))
            self._check_hop(first, where)
            url = where
        raise _moved(first)

    def count(self, size: int, folder: Path) -> None:
        """Count *size* bytes more; raises `Failure` beyond the limits."""
        self.taken += size
        if self.taken > self.bytes:
            raise too_large(self.taken, self.bytes)
        disk = os.statvfs(folder)
        if disk.f_bavail * disk.f_frsize < self.free:
            raise no_space()

    def _named_by_site(self, url: str) -> bool:
        return any(is_under(url, prefix) for prefix in self.prefixes)

    def _check_hop(self, first: str, url: str) -> None:
        """Refuse a redirect from the host *first* that leads where the plan does not say."""
        host = (urlsplit(url).hostname or "").lower()
        allowed = {"*", host} & set(self.hosts) or any(
            host.endswith(name) for name in self.hosts if name.startswith(".")
        )
        if not (host == first or allowed or self._named_by_site(url)):
            raise _moved(host)

    @contextmanager
    def _request(self, method: str, url: str) -> Iterator[urllib3.BaseHTTPResponse]:
        site = self._named_by_site(url)
        if not site and not public_url(url):
            raise Failure(
                "source_refused",
                f"The record leads to an address that is not allowed: {url[:200]!r}.",
                hint="Only https addresses of public hosts are fetched.",
            )
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port or (80 if parts.scheme == "http" else 443)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        pool, response = _connect(
            method, parts.scheme, (host, port), target, _addresses(host, port, site=site)
        )
        try:
            yield response
        finally:
            response.close()
            pool.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server sends, taken piece by piece."""

    response: urllib3.BaseHTTPResponse
    owner: Downloads
    seen: bytearray = field(default_factory=bytearray)

    def begins_with(self, magic: bytes) -> bool:
        """Tell whether the content begins so; nothing of it is lost."""
        while len(self.seen) < len(magic) and (chunk := self._more()):
            self.seen.extend(chunk)
        return self.seen.startswith(magic)

    def read(self, most: int) -> bytes:
        """Return the content; raises `Failure` when it is longer than *most*."""
        while chunk := self._more():
            self.seen.extend(chunk)
            if len(self.seen) > most:
                raise too_large(len(self.seen), most)
        return bytes(self.seen)

    def save(self, target: Path, algorithm: str = "") -> tuple[int, str]:
        """Write the content to the new file *target*; return its size and, of an *algorithm*, its checksum."""
        digest = hashlib.new(algorithm, usedforsecurity=False) if algorithm else None
        size = 0
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        with os.fdopen(handle, "wb") as file:
            chunk = bytes(self.seen)
            while chunk or (chunk := self._more()):
                self.owner.count(len(chunk), target.parent)
                size += len(chunk)
                file.write(chunk)
                if digest:
                    digest.update(chunk)
                chunk = b""
        return size, digest.hexdigest() if digest else ""

    def _more(self) -> bytes:
        try:
            return self.response.read1(_CHUNK)
        except (HTTPError, OSError) as error:
            raise Failure("source_unreachable", "The download broke off.", hint="Start again.") from error


def _addresses(host: str, port: int, *, site: bool) -> list[str]:
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        message = f"The name server knows no address of {host}."
        raise Failure("source_unreachable", message, hint="Try again later.") from error
    found = list(dict.fromkeys(str(row[4][0]) for row in rows))
    if not site and not all(map(is_public, found)):
        raise Failure("source_refused", f"The host {host} is not on the public internet.")
    return found


def _connect(
    method: str, scheme: str, place: tuple[str, int], target: str, addresses: list[str]
) -> tuple[urllib3.HTTPConnectionPool, urllib3.BaseHTTPResponse]:
    """Ask the first of *addresses* that takes a connection, under the name of its host."""
    host, port = place
    default = port == (80 if scheme == "http" else 443)
    headers = {**_HEADERS, "Host": host if default else f"{host}:{port}"}
    last: Exception | None = None
    for address in addresses:
        if scheme == "https":
            pool: urllib3.HTTPConnectionPool = urllib3.HTTPSConnectionPool(
                address, port, timeout=_TIMEOUT, server_hostname=host, assert_hostname=host
            )
        else:
            pool = urllib3.HTTPConnectionPool(address, port, timeout=_TIMEOUT)
        try:
            return pool, pool.urlopen(
                method,
                target,
                headers=headers,
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except (HTTPError, OSError) as error:
            pool.close()
            last = error
    message = f"{host} cannot be reached ({type(last).__name__})."
    raise Failure("source_unreachable", message, hint="Try again later.") from last


def _check_status(status: int, host: str) -> None:
    if status < 300:
        return
    if status in {401, 403, 451}:
        message = f"{host} shows the files of this record to nobody who is not signed in."
        raise Failure(
            "source_not_readable", message, hint="Only records that are open to everyone can be run."
        )
    if status in {404, 410}:
        raise Failure("commit_not_found", f"{host} no longer has a file of this record.", hint="Start again.")
    raise Failure("source_unreachable", f"{host} answered with status {status}.", hint="Try again later.")


def _moved(host: str) -> Failure:
    return Failure(
        "source_moved",
        f"The archive sends a download on to {host}, where its files are not known to be.",
        hint="Tell an administrator: the archive may have moved.",
    )
