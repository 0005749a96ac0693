"""The rule for clone URLs: https on a public host, and whatever a site adds by name.

Everything git is given passed `check_url`. Whether a public name leads to a public address is asked where it is fetched.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from urllib.parse import quote, unquote_to_bytes

from versatilehub.source_address import (
    DEFAULT_PORTS,
    GIT_SUFFIX,
    HTTPS_HINT,
    Address,
    canonical_url,
    is_under,
    split_url,
)
from versatilehub.source_hosts import check_host
from versatilehub.source_text import check_text, is_name_character, refused
from versatilehub.source_types import PUBLIC, SourceRules

_RAW_PATH = re.compile(r"(?:[A-Za-z0-9._~+/-]|%[0-9A-Fa-f]{2})*")
_PATH_SIGNS = frozenset("._~+-/ ")
_FORBIDDEN_CODES = re.compile(r"%(?:[01][0-9a-f]|2[5ef]|5c|7f)", re.IGNORECASE)


def check_url(url: str, rules: SourceRules = PUBLIC) -> str:
    """Return the canonical form of the clone URL *url*: what every URL passes before git sees it.

    https only, except under `SourceRules.extra`; at most 2048 characters; no user, query or fragment; a public host on
    an allowed port; a path that is spelled in one way only.
    """
    check_text(url)
    address = split_url(url)
    if "?" in url or "#" in url:
        raise refused(
            'The address of a repository has no "?" and no "#".', 'Remove everything from the "?" or "#" on.'
        )
    check_origin(address, rules)
    return canonical_url(replace(address, path=_checked_path(address.path)))


def check_origin(address: Address, rules: SourceRules) -> None:
    """Refuse a scheme, host or port that is neither public nor under a prefix the site added."""
    if any(is_under(address, prefix) for prefix in rules.extra):
        return
    if address.scheme != "https":
        raise refused(
            "The address starts with http://, and what comes over it may be changed on the way.",
            HTTPS_HINT,
            code="source_not_allowed",
        )
    check_host(address.host)
    port = address.port or DEFAULT_PORTS["https"]
    if port not in rules.ports:
        raise refused(
            f"Port {port} is not one of the allowed: {', '.join(map(str, rules.ports))}.",
            HTTPS_HINT,
            code="source_not_allowed",
        )
    check_allowed(address.host, rules)


def check_allowed(host: str, rules: SourceRules) -> None:
    """Refuse a public *host* that is not among those the site narrowed its sources to."""
    if rules.hosts and not any(
        host.endswith(name) if name.startswith(".") else host == name for name in map(str.lower, rules.hosts)
    ):
        raise refused(
            f"This hub does not fetch from {host}, only from {', '.join(rules.hosts)}.",
            "Ask an administrator to allow it.",
            code="source_not_allowed",
        )


def _checked_path(path: str) -> str:
    """Return *path* in canonical percent-encoding, or say why it has none."""
    trimmed = path.removesuffix("/")
    hint = "Paste the address of one repository, such as https://github.com/owner/repository."
    if not trimmed:
        raise refused("The address names a host and no repository.", hint)
    if not _RAW_PATH.fullmatch(trimmed) or _FORBIDDEN_CODES.search(trimmed):
        raise refused("The path of the address holds a sign that no repository's path has.", hint)
    parts = trimmed.split("/")[1:]
    if any(part in {".", ".."} or not GIT_SUFFIX.sub("", part) for part in parts):
        raise refused('A part of the path is empty, ".", ".." or ".git".', hint)
    try:
        return "".join("/" + _canonical_part(part) for part in parts)
    except ValueError as error:
        raise refused("A percent-encoded part of the path stands for no visible name.", hint) from error


def _canonical_part(part: str) -> str:
    """Return *part* with only the percent-encoding it needs; `ValueError` if it decodes to something else than a name."""
    name = unquote_to_bytes(part).decode("utf-8")
    visible = all(is_name_character(character, _PATH_SIGNS) for character in name)
    if not visible or name != name.strip() or name != unicodedata.normalize("NFKC", name):
        raise ValueError(part)
    return quote(name, safe="+~")
