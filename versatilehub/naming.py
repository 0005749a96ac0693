"""Every generated name, and the rules for names people choose.

- A generated name is a readable part plus a hash of the unescaped inputs, joined by a byte that UTF-8 cannot hold:
  two different inputs never share a name.
- The readable part is for people; no code ever reads it back.
- Every name of a container, volume or network is a DNS label (63 characters at most) and fits Docker's grammar.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from versatilehub.errors import InvalidName
from versatilehub.text import quoted, unseen

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date

    from versatilehub.sources import ResolvedSource

#: Longest DNS label (RFC 1035), so that a container's name is also its host name.
LABEL_MAX = 63
#: JupyterHub's own limits (jupyterhub/slugs.py).
SERVER_NAME_MAX = 30
DISPLAY_NAME_MAX = 255
USER_NAME_MAX = 255
#: First parts of pages of the default server: a named server called ``lab`` would hide ``/user/<name>/lab``.
RESERVED_SERVER_NAMES = frozenset(
    [
        "api",
        "doc",
        "edit",
        "files",
        "lab",
        "login",
        "logout",
        "metrics",
        "notebooks",
        "static",
        "terminals",
        "tree",
        "view",
    ]
)
#: Namespace of built images: nobody may ask for one by name, or they would run another person's build.
BUILT = "vh-build"

_SEPARATOR = b"\xff"
_SERVER_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
# Unicode categories JupyterHub allows in display names, beside the space: letters, marks, numbers, punctuation, symbols
_PRINTABLE = frozenset("LMNPS")
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
# Scripts with letters that look the same; one name uses one of them
_ALIKE = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"})
_EMOJI_STYLE = "\ufe0f"
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_FLAG_LETTERS = range(0x1F1E6, 0x1F200)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageName:
    """A local image: ``str(name)`` is what Docker takes."""

    repository: str
    tag: str

    def __str__(self) -> str:
        return f"{self.repository}:{self.tag}"


# -- names people choose -----------------------------------------------------------------------


def check_server_name(name: str, max_length: int = SERVER_NAME_MAX) -> str:
    """Return *name*, or raise `InvalidName` that names the limit and the actual length.

    JupyterHub 6's rule (jupyterhub/slugs.py) and two of ours: a site may set a lower limit, and names of pages are
    reserved. Upper case is refused because Docker names would make ``Test`` and ``test`` one server.
    """
    hint = f"Use 1 to {max_length} of a-z, 0-9 and single hyphens, a letter first, no hyphen last: for example lab1."
    if not name:
        raise InvalidName(
            "A named server needs a name; this one has 0 characters.", hint=hint, field="server_name"
        )
    if len(name) > max_length:
        message = f"A server name has at most {max_length} characters; this one has {len(name)}."
        raise InvalidName(message, hint=hint, field="server_name")
    if not _SERVER_NAME.fullmatch(name):
        message = f"The server name {quoted(name)} has {_wrong_in_server_name(name)}."
        raise InvalidName(message, hint=hint, field="server_name")
    if name in RESERVED_SERVER_NAMES:
        message = (
            f"The server name {quoted(name)} is reserved: it is the address of a page of your default server."
        )
        raise InvalidName(message, hint=f"Add a word or a digit, for example {name}-1.", field="server_name")
    return name


def _wrong_in_server_name(name: str) -> str:
    other = next((c for c in name if not re.fullmatch(r"[a-z0-9-]", c)), "")
    if other:
        return f"a character that is not allowed, {quoted(other)}"
    if "--" in name:
        return "two hyphens in a row"
    return "a hyphen at its end" if name[-1] == "-" else f"{quoted(name[0])} where a letter must be first"


def check_display_name(name: str, max_length: int = DISPLAY_NAME_MAX) -> str:
    """Return *name* in Unicode's composed form, as JupyterHub stores it, or raise `InvalidName`.

    *max_length* counts characters as a person does (`count_characters`); JupyterHub's 255 code points always hold.
    """
    hint = f"Use 1 to {max_length} letters, digits, punctuation and single spaces."
    name = unicodedata.normalize("NFC", name)
    message = ""
    if not name:
        message = "A display name has at least 1 character; this one has 0."
    elif len(name) > DISPLAY_NAME_MAX or count_characters(name) > max_length:
        limit = min(max_length, DISPLAY_NAME_MAX)
        actual = count_characters(name) if count_characters(name) > limit else len(name)
        message = f"A display name has at most {limit} characters; this one has {actual}."
    elif name != name.strip(" ") or "  " in name:
        message = f"The display name {quoted(name)} has a space at an edge or two in a row."
    else:
        other = next((c for c in name if c != " " and unicodedata.category(c)[0] not in _PRINTABLE), "")
        odd = f"U+{ord(other):04X}" if other else unseen(name.replace(_EMOJI_STYLE, ""))
        if odd:
            message = f"A display name has only visible characters and spaces; this one has {odd}."
    if message:
        raise InvalidName(message, hint=hint, field="display_name")
    return name


def count_characters(text: str) -> int:
    """Return how many characters a person sees: accents and skin tones belong to what they stand on, flags are pairs."""
    seen = flags = 0
    for c in unicodedata.normalize("NFC", text):
        if ord(c) in _FLAG_LETTERS:
            flags += 1
        elif unicodedata.category(c) not in {"Mn", "Mc", "Me"} and ord(c) not in _SKIN_TONES:
            seen += 1
    return seen + (flags + 1) // 2


def canonical_user(name: str) -> str:
    """Return the one spelling of a user's name, lower case as JupyterHub has it, or raise `InvalidName`.

    Twins are refused, never folded into one: white space at an edge, characters nobody sees, other compositions of the
    same letters, and Latin letters mixed with look-alikes of another script.
    """
    lower = name.lower()
    hint = "Use letters, digits and . _ - @ without spaces at the edges."
    message = ""
    if not name.strip():
        message = "A user name has at least 1 visible character; this one has none."
    elif len(name) > USER_NAME_MAX:
        message = f"A user name has at most {USER_NAME_MAX} characters; this one has {len(name)}."
    elif name != name.strip():
        message = f"The user name {quoted(name)} has white space at an edge."
    elif unseen(name):
        message = f"The user name {quoted(name)} has a character that cannot be seen, {unseen(name)}."
    elif lower != unicodedata.normalize("NFKC", lower) or len(lower) != len(name):
        message = f"The user name {quoted(name)} is another spelling of {quoted(unicodedata.normalize('NFKC', lower))}."
    elif len(_ALIKE & {unicodedata.name(c, "").partition(" ")[0] for c in lower}) > 1:
        message = f"The user name {quoted(name)} mixes letters of different scripts that look alike."
    if message:
        raise InvalidName(message, hint=hint, field="user")
    return lower


# -- generated names ---------------------------------------------------------------------------


def container_name(hub: str, user: str, server: str) -> str:
    """Return the name of the container of *server* ("" is the default one). *user* is the name the hub knows."""
    return _object_name("container", (user, server), (hub, user, server))


def volume_name(hub: str, user: str, server: str, unique: str) -> str:
    """Return the name of a volume; *unique* makes a server made anew get a new one, for names never recur."""
    return _object_name("volume", (user, server), (hub, user, server, unique))


def network_name(hub: str) -> str:
    """Return the name of the hub's own network, with room for a suffix of 10 characters."""
    return _object_name("network", (hub,), (hub,), LABEL_MAX - 10)


def bridge_name(hub: str, kind: Literal["s", "b"]) -> str:
    """Return the host's interface of the hub's network for servers ("s") or builds ("b"); Linux allows 15 characters."""
    return f"vh{kind}{_hash(('bridge', hub, kind), 12)}"


def identity(
    resolved: ResolvedSource, *, builder: str, base: str, args: Mapping[str, str] | None = None
) -> str:
    """Return what makes an environment the same one: 64 hex of canonical clone URL, commit, subdir, builder, base, args.

    The ref is not part of it: two branches on one commit are one environment.
    """
    pairs = [text for pair in sorted((args or {}).items()) for text in pair]
    return _hash(("environment", resolved.url, resolved.commit, resolved.subdir, builder, base, *pairs), 64)


def image_name(resolved: ResolvedSource, identity: str) -> ImageName:
    """Return ``vh-build/<slug>-<10 hex of URL and subdir>:<commit>-<identity>``, the local name of a built image."""
    path = resolved.url.partition("://")[2].partition("/")[2]
    slug = _slug(" ".join([*path.removesuffix(".git").split("/")[-2:], resolved.subdir]), 60)
    repository = f"{BUILT}/{slug}-{_hash(('image', resolved.url, resolved.subdir), 10)}"
    return ImageName(repository=repository, tag=f"{resolved.commit[:12]}-{identity[:8]}")


def date_tags(name: str, day: date, commit: str, taken: Collection[str] = ()) -> tuple[str, str]:
    """Return the tags of a published image: ``2026-11-21-abc1234``, which never moves, and ``latest``, which does.

    *name* is the repository, *taken* the tags it already has: a second build of a day gets ``-2``, for a tag once
    published never changes content. Raises `InvalidName` for a repository Docker would refuse.
    """
    if not _REPOSITORY.fullmatch(name):
        raise InvalidName(
            f"Docker takes no image name like {quoted(name)}.", hint="For example versatilehub/singleuser."
        )
    if not _COMMIT.fullmatch(commit):
        raise InvalidName(
            f"A commit has 40 hexadecimal digits; {quoted(commit)} has {len(commit)} characters."
        )
    first = tag = f"{day.isoformat()}-{commit[:7]}"
    count = 1
    while tag in taken:
        count += 1
        tag = f"{first}-{count}"
    return tag, "latest"


def _object_name(
    kind: str, readable: tuple[str, ...], unique: tuple[str, ...], length: int = LABEL_MAX
) -> str:
    digest = _hash((kind, *unique), 20)
    slug = _slug(" ".join(readable), length - len(digest) - len("vh--"))
    return f"vh-{slug}-{digest}"


def _hash(parts: tuple[str, ...], digits: int) -> str:
    """Return hex digits of a hash that differs for every different tuple, also for text that is no valid Unicode."""
    joined = _SEPARATOR.join(part.encode("utf-8", "surrogatepass") for part in parts)
    return hashlib.sha256(joined).hexdigest()[:digits]


def _slug(text: str, length: int) -> str:
    """Return the readable part of a name: a-z, 0-9 and single hyphens, neither first nor last, never empty."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:length].rstrip("-") or "x"
