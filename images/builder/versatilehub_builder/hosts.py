"""Which hosts a repository may name in a URL: public ones, written plainly.

Stricter than resolving: names libc reads as addresses ("127.1", "0x7f.1", unicode digits) are refused by form, so
no resolver is needed where there is no network. Whoever connects must still be kept in by egress rules.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

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
)


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
