"""URLs taken apart by one strict grammar, and the one canonical spelling of a repository's URL.

`urllib.parse` drops tabs and newlines and knows many forms that git, curl and a browser read differently; this grammar
knows one form, and everything else is refused. No message repeats an address: it may hold credentials.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from versatilehub.source_text import refused

_URL = re.compile(r"([A-Za-z]+)://([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL)
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]*)(?::([1-9][0-9]{0,4}))?")
GIT_SUFFIX = re.compile(r"(?:\.git)+$", re.IGNORECASE)
DEFAULT_PORTS = {"https": 443, "http": 80}
ALIASES = {
    "www.github.com": "github.com",
    "www.gitlab.com": "gitlab.com",
    "www.bitbucket.org": "bitbucket.org",
}
HTTPS_HINT = (
    "Use the https address that the forge shows under Clone, such as https://github.com/owner/repository."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """How a forge writes the address of a repository: *fold* if case does not matter, *suffix* "" or ".git"."""

    fold: bool = False
    suffix: str = ""


# ".git" is no part of an identity; git.py adds it where a host insists. A gist is only ever documented with it.
SPELLINGS = {
    "github.com": Spelling(fold=True),
    "gist.github.com": Spelling(fold=True, suffix=".git"),
    "gitlab.com": Spelling(),
    "codeberg.org": Spelling(),
    "bitbucket.org": Spelling(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An http or https URL, taken apart; *host* in lower case, *port* 0 if it is the scheme's own."""

    scheme: str
    host: str
    port: int
    path: str
    query: str = ""
    fragment: str = ""

    @property
    def origin(self) -> str:
        """Scheme, host and port as they stand in the canonical URL."""
        return f"{self.scheme}://{self.host}" + (f":{self.port}" if self.port else "")

    @property
    def forge(self) -> str:
        """The host if the address is on its public https site, "" otherwise: another port is another site."""
        return self.host if self.scheme == "https" and not self.port else ""

    @property
    def parts(self) -> tuple[str, ...]:
        """The path between its "/", percent-encoded as typed, without the "/" at its end."""
        return tuple(self.path.removesuffix("/").split("/")[1:])


def split_url(text: str) -> Address:
    """Take an http(s) URL apart, or say what is wrong with its form; whether its host is allowed is not asked here."""
    found = _URL.fullmatch(text)
    if not found or found[1].lower() not in DEFAULT_PORTS:
        raise refused("The address does not start with https://.", HTTPS_HINT)
    scheme = found[1].lower()
    if "@" in found[2]:
        raise refused(
            'The address names a user or password before "@".',
            "Remove everything between https:// and the host name, such as https://github.com/a/b.",
        )
    authority = _AUTHORITY.fullmatch(found[2])
    if not authority or not authority[1]:
        raise refused("The address has no host, or its port is not a number.", HTTPS_HINT)
    if not authority[1].isascii():  # before lower(), which turns the Kelvin sign into "k"
        raise refused(
            "The host of the address holds letters outside ASCII.", "Write such a name in its xn-- form."
        )
    port = int(authority[2] or 0)
    host = authority[1].lower()
    return Address(
        scheme=scheme,
        host=ALIASES.get(host, host),
        port=0 if port == DEFAULT_PORTS[scheme] else port,
        path=found[3],
        query=found[4] or "",
        fragment=found[5] or "",
    )


def is_under(address: Address, prefix: str) -> bool:
    """Tell whether *address* is the URL *prefix* or below it; "/a" has "/a/b" below it, and not "/ab"."""
    top = split_url(prefix)
    return address.origin == top.origin and f"{address.path}/".startswith(top.path.rstrip("/") + "/")


def canonical_url(address: Address) -> str:
    """Return the one spelling of the repository at *address*, whose path is already canonical."""
    path = address.path
    spelling = SPELLINGS.get(address.forge)
    if spelling:
        path = GIT_SUFFIX.sub("", path.lower() if spelling.fold else path) + spelling.suffix
    return address.origin + path
