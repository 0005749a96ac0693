"""The login a fetch may use: read once from standard input, kept in memory, and given to git for its own host only.

The hub writes one JSON line, ``{"origin", "username", "secret"}`` or ``{}``, into the running container: so the secret is in
no variable, argument, label or file, and ``docker inspect`` does not know it. git reads it through a descriptor.
"""

from __future__ import annotations

import base64
import json
import os
import select
import time
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

_LINE_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What opens repositories of *origin* and nothing else; *descriptor* holds git's answer, for any number of reads."""

    origin: str
    descriptor: int
    forms: tuple[str, ...] = field(default=(), repr=False)  # every way the secret may be written

    def is_for(self, url: str) -> bool:
        """Whether *url* is on this login's host: same scheme, name and port."""
        return origin_of(url) == self.origin

    def options(self) -> tuple[str, ...]:
        """Return git's options: a helper that git asks for this origin only, that answers and never stores."""
        answer = f'!f() {{ test "$1" = get && cat /proc/self/fd/{self.descriptor}; }}; f'
        return ("-c", f"credential.{self.origin}.helper={answer}")

    def hidden(self, text: str) -> str:
        """Return *text* without the secret: a host may send it back in what it says."""
        for form in self.forms:
            text = text.replace(form, "…")
        return text


def origin_of(url: str) -> str:
    """Return scheme, host and port of a canonical URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def read_login(source: int, seconds: float) -> Login | None:
    """Return the login that comes as one line at the descriptor *source*; None for none, or when none came in time."""
    deadline, line = time.monotonic() + seconds, b""
    while b"\n" not in line and len(line) < _LINE_BYTES:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([source], [], [], left)[0]:
            return None
        chunk = os.read(source, _LINE_BYTES)
        if not chunk:
            return None
        line += chunk
    return login_of(line.partition(b"\n")[0])


def login_of(line: bytes) -> Login | None:
    """Return the login that *line* says, None if it says none."""
    try:
        values = json.loads(line)
    except ValueError:
        return None
    keys = ("origin", "username", "secret")
    found = [values.get(key) for key in keys] if isinstance(values, dict) else []
    texts = [one for one in found if isinstance(one, str) and one.isprintable() and one]
    if len(texts) != len(keys):
        return None
    origin, username, secret = texts
    descriptor = os.memfd_create("login")
    os.write(descriptor, f"username={username}\npassword={secret}\n".encode())
    basic = base64.b64encode(f"{username}:{secret}".encode()).decode()
    return Login(origin=origin, descriptor=descriptor, forms=(basic, secret, quote(secret, safe="")))
