"""Which hosts a repository may name in a URL: public ones, written plainly.

Stricter than resolving: names libc reads as addresses ("127.1", "0x7f.1", unicode digits) are refused by form, so
no resolver is needed where there is no network. Whoever connects must still be kept in by egress rules.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import urlsplit

from versatilehub_builder.lines import Failure

PORTS = (None, 80, 443, 8443)
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NAME = re.compile(rf"(?:{_LABEL}\.)+[A-Za-z](?:[A-Za-z0-9-]{{0,61}}[A-Za-z0-9])?")
_SPECIAL = (
    "localhost",
    "local",
    "localdomain",
    "internal",
    "intranet",
    "lan",
    "home",
    "corp",
    "private",
    "home.arpa",
    "arpa",
    "onion",
    "test",
    "invalid",
    "example",
    "alt",
    "mail",
    "workgroup",
    # cloud metadata under a public name, and names that answer with an address written into them or with 127.0.0.1
    "metadata.goog",
    "nip.io",
    "sslip.io",
    "xip.io",
    "localtest.me",
    "lvh.me",
    "vcap.me",
    "lacolhost.com",
)
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address seen through a translator
_ASSIGNED = ipaddress.IPv4Network("192.0.0.0/24")  # RFC 6890: for protocols, not hosts


def public_host(host: str) -> bool:
    """Whether *host* is a plain DNS name with a dot and no special use; no address ever is."""
    host = host.lower().removesuffix(".")
    if len(host) > 253 or not _NAME.fullmatch(host):
        return False
    return not any(host == suffix or host.endswith("." + suffix) for suffix in _SPECIAL)


def is_under(url: str, prefix: str) -> bool:
    """Whether *url* is *prefix* or below it, both canonical: "http://a" has neither "http://ab" nor "http://a:80" below it."""
    top = prefix.rstrip("/")
    return bool(top) and f"{url}/".startswith(f"{top}/")


def public_url(url: str, schemes: tuple[str, ...] = ("https",)) -> bool:
    """Whether *url* is printable, without credentials, with a scheme of *schemes*, a public host and a common port."""
    if not re.fullmatch(r"[!-~]{1,2048}", url) or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    if parts.scheme not in schemes or "@" in parts.netloc or port not in PORTS:
        return False
    if parts.netloc.endswith(":") or not parts.path:
        return False
    return bool(parts.hostname) and public_host(parts.hostname or "")


def repository_url(url: str, prefixes: tuple[str, ...], hosts: tuple[str, ...]) -> bool:
    """Whether git may be given *url*: below a prefix of the site, or https on a public host that the site allows.

    *hosts* () allows any; else exact names and ``.suffixes``. The same rule as the hub's for what a person types.
    """
    if not re.fullmatch(r"[!-~]{1,2048}", url) or re.search(r"[\\@?#{}]|/\.\.?(?:/|$)|[^:]//", url):
        return False
    if any(is_under(url, prefix) for prefix in prefixes):
        return True
    parts = urlsplit(url)
    if not public_url(url) or parts.port not in {None, 443, 8443} or not parts.path.strip("/"):
        return False
    host = (parts.hostname or "").lower()
    return not hosts or any(
        host.endswith(one) if one[:1] == "." else host == one for one in map(str.lower, hosts)
    )


def pinned(url: str) -> str:
    """Return git's ``http.curloptResolve`` for the host of *url*; raise `Failure` unless all its addresses are public.

    A name may lead into the site, or do so only the second time it is asked for: what was checked is what is used.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        message = f"The name server knows no address of {host}."
        raise Failure("source_unreachable", message, hint="Check the address of the repository.") from error
    addresses = dict.fromkeys(str(answer[4][0]) for answer in answers)
    if not all(map(is_public, addresses)):
        raise Failure("source_refused", f"The host {host} is not on the public internet.")
    shown = ",".join(f"[{one}]" if ":" in one else one for one in addresses)
    return f"{host}:{port}:{shown}"


def is_public(address: str) -> bool:
    """Whether *address* is a unicast address of the internet, also when it carries another inside."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = (
            ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
            if ip in _TRANSLATED
            else ip.ipv4_mapped or ip.sixtofour
        )
        inner = inner or (ip.teredo[1] if ip.teredo else None)
        if inner:
            return is_public(str(inner))
        if ip.is_site_local:
            return False
    elif ip in _ASSIGNED:
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback)
