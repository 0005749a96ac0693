"""What a failed ``git ls-remote`` says, as one of our errors: pure, a table from git's English to ours.

Only git's own ``fatal:`` and ``error:`` lines are read; a ``remote:`` line is the host's text and may say anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from versatilehub.errors import (
    SourceFailure,
    SourceMoved,
    SourceNotReadable,
    SourceTooSlow,
    SourceUnreachable,
)


@dataclass(frozen=True, slots=True)
class _Cause:
    pattern: str
    error: type[SourceFailure]
    message: str  # {host} is all that is filled in
    hint: str
    code: str = ""


# A host may say "not found" or "forbidden" of what a token may not see.
_REFUSED_LOGIN: Final = _Cause(
    "",
    SourceNotReadable,
    "The repository is not readable: {host} shows it neither to everyone nor to the token you stored.",
    "The token may have expired, or lack the right to read repositories: replace it under “Git access”.",
)
_LATER: Final = "Try again later; if it stays so, ask the people who run the host."

# The first that matches counts. Status texts are libcurl's, the rest is git's, both with LC_ALL=C.
_CAUSES: Final = (
    _Cause(
        r"[Oo]ut of memory",
        SourceFailure,
        "The repository lists more branches and tags than fit into the memory for them.",
        "Use a copy of the repository with fewer of them.",
        "source_too_large",
    ),
    _Cause(
        r"could not read Username|Authentication failed|returned error: (401|403|404|410|451)\b|' not found$",
        SourceNotReadable,
        "The repository is private or does not exist: {host} shows it to nobody who is not signed in.",
        "Check the link. If it is private, store a token for {host} under “Git access” and start again.",
    ),
    _Cause(
        r"returned error: 3\d\d\b",
        SourceMoved,
        "The repository has moved: {host} redirects to another address.",
        "Open the link in a browser and paste the address it ends at.",
    ),
    _Cause(
        r"returned error: 429\b",
        SourceUnreachable,
        "{host} has been asked too often from here and wants a pause.",
        "Try again in some minutes.",
        "source_rate_limited",
    ),
    _Cause(r"returned error: \d+", SourceUnreachable, "{host} answered with an error of its own.", _LATER),
    _Cause(
        r"Operation too slow|[Tt]imed? ?out",
        SourceTooSlow,
        "{host} stopped sending before its answer was complete.",
        _LATER,
    ),
    _Cause(
        r"certificate|SSL|TLS|[Gg]nu[Tt][Ll][Ss]",
        SourceUnreachable,
        "There is no secure connection to {host}: its certificate is not trusted, or it does not speak TLS.",
        "For a host of your own site, an administrator can add its certificate authority.",
        "source_untrusted",
    ),
    _Cause(
        r"Could not resolve host",
        SourceUnreachable,
        "The name server knows no address of {host}.",
        "Check the spelling of the host in the link.",
    ),
    _Cause(
        r"Failed to connect|Couldn't connect|Connection refused|unreachable|No route",
        SourceUnreachable,
        "{host} does not accept connections.",
        _LATER,
    ),
    _Cause(
        r"protocol error|not valid: is this a git repository|invalid (server response|content-type)|not a git",
        SourceNotReadable,
        "There is no git repository at this address of {host}.",
        "Paste the link of the repository's front page.",
        "source_not_git",
    ),
    _Cause(
        r"Empty reply|Recv failure|disconnect|hung up|early EOF|Connection reset|transfer closed",
        SourceUnreachable,
        "{host} closed the connection before its answer was complete.",
        _LATER,
    ),
)


def explain(said: str, url: str, *, with_login: bool = False) -> SourceFailure:
    """Return the error for what git *said* on standard error about *url*, asked by nobody or *with_login*."""
    host = urlsplit(url).hostname or ""
    lines = [line for line in said.splitlines() if line.startswith(("fatal: ", "error: "))]
    # The URL is the person's text: a repository or host named "certificate" is no cause.
    told = "\n".join(lines).replace(url + "/", "…").replace(url, "…").replace(host or "…", "…")
    for found in _CAUSES:
        if re.search(found.pattern, told, re.MULTILINE):
            refused = with_login and found.error is SourceNotReadable and not found.code
            cause = _REFUSED_LOGIN if refused else found
            message, hint = (text.replace("{host}", host) for text in (cause.message, cause.hint))
            return cause.error(message, hint=hint, field="source", code=cause.code)
    last = "".join(char for char in (lines or ["nothing"])[-1] if char.isprintable())[:200]
    return SourceFailure(f"Git could not ask {host}: {last}", hint=_LATER, field="source")
