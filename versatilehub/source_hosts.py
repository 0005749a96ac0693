"""Which host names may be fetched from: public DNS names, spelled in the one way nothing can mistake.

Whether a name leads to a public address is asked where it is fetched; here are the names that never do, and every
spelling of an address that C libraries resolve although it does not look like one (``127.1``, ``0x7f.1``, ``2130706433``).
"""

from __future__ import annotations

import re
import unicodedata

from versatilehub.source_text import refused

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_TOP_LABEL = re.compile(r"[a-z]{2,63}|xn--[a-z0-9-]+")

# RFC 6761, 6762 (with appendix G), 7686, 8375, 9476, ICANN's name collisions and .internal: no public host is below these.
SPECIAL_USE = frozenset(
    (
        *("alt", "arpa", "example", "invalid", "local", "localhost", "onion", "test"),
        *("corp", "home", "internal", "intranet", "lan", "localdomain", "mail", "private", "workgroup"),
        # cloud metadata under a public name
        "metadata.goog",
        # names that answer with any address written into them, or with 127.0.0.1
        *("nip.io", "sslip.io", "xip.io", "localtest.me", "lvh.me", "vcap.me", "lacolhost.com"),
    ),
)


def check_host(host: str) -> str:
    """Return *host* in lower case if it is a public DNS name: two labels or more, an alphabetic last one, in ASCII."""
    reason = wrong_host(host.lower())
    if reason:
        message = f"The host of the address is not a public one: {reason}."
        hint = "Use the forge's public name, such as github.com; an administrator can add further hosts."
        raise refused(message, hint, code="source_not_allowed")
    return host.lower()


def wrong_host(host: str) -> str:
    """Return why the lower-case *host* is not a public DNS name, "" if it is one."""
    labels = host.split(".")
    if len(host) > 253:
        return f"a name has at most 253 characters, this one {len(host)}"
    if not all(_LABEL.fullmatch(label) for label in labels):
        return "a part between dots is empty, too long, or not made of letters, digits and inner hyphens"
    if not all(_is_international(label) for label in labels if label.startswith("xn--")):
        return "an xn-- part stands for no name in the one accepted spelling"
    if len(labels) < 2:
        return "it has no dot"
    if not _TOP_LABEL.fullmatch(labels[-1]):
        return "its last part is not alphabetic, so it may be read as an address"
    special = any(".".join(labels[start:]) in SPECIAL_USE for start in range(len(labels)))
    return "it is reserved for private or special use" if special else ""


def _is_international(label: str) -> bool:
    """Tell whether the A-label *label* stands for letters, marks and digits that NFKC and case folding leave alone."""
    try:
        name = label.removeprefix("xn--").encode("ascii").decode("punycode")
    except UnicodeError:
        return False
    plain = all(character == "-" or unicodedata.category(character)[0] in "LMN" for character in name)
    return plain and not name.isascii() and unicodedata.normalize("NFKC", name).lower() == name
