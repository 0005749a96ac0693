"""What a person logs in with at one git host: pure values, read from what was typed, written as git reads them.

A login belongs to one origin (scheme, host, port) and is sent nowhere else: git itself is told the origin and asks for
no other. Its secret is in no `repr`, and nobody but git is given it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from versatilehub.errors import InvalidInput
from versatilehub.source_address import split_url
from versatilehub.source_rules import check_origin
from versatilehub.source_types import PUBLIC, SourceRules

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET_MAX: Final = 4096
"""Characters of a token; the longest known, signed ones, have about 2000."""
USERNAME_MAX: Final = 255

# What a forge wants as the name beside a token: https://docs.github.com, https://docs.gitlab.com and
# https://support.atlassian.com say so; Forgejo and others take any.
_NAMES: Final = {
    "https://github.com": "x-access-token",
    "https://gist.github.com": "x-access-token",
    "https://gitlab.com": "oauth2",
    "https://bitbucket.org": "x-token-auth",
}
_ANY_NAME: Final = "oauth2"

# Key of an OAuth login's state → the trait of the authenticator that names its forge, and the forge's name for a token.
_LOGINS: Final = (
    ("github_user", "github_url", "https://github.com", "x-access-token"),
    ("gitlab_user", "gitlab_url", "https://gitlab.com", "oauth2"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """User name and token of one person at *origin* ("https://github.com", "http://forge.lan:3000")."""

    origin: str
    username: str
    secret: str = field(repr=False)

    def is_for(self, url: str) -> bool:
        """Whether the repository at *url* is on this login's host: same scheme, name and port."""
        return split_url(url).origin == self.origin

    def for_git(self) -> str:
        """Return what git's credential protocol calls an answer (gitcredentials(7))."""
        return f"username={self.username}\npassword={self.secret}\n"


def check_host(text: str, rules: SourceRules = PUBLIC) -> str:
    """Return the origin of the git host named by *text*, a host or any address of it; raises InvalidInput.

    https only, except for what the site adds: a token over http is read by everyone on the way.
    """
    typed = text.strip()
    known = [split_url(prefix).origin for prefix in rules.extra]
    if "://" not in typed:
        typed = next((origin for origin in known if origin.partition("://")[2] == typed), f"https://{typed}")
    address = split_url(typed)
    if address.origin not in known:
        check_origin(address, rules)
    return address.origin


def check_username(text: str, origin: str) -> str:
    """Return the user name to send with a token to *origin*, the host's usual one for ""; raises InvalidInput."""
    name = text.strip()
    if not name:
        return _NAMES.get(origin, _ANY_NAME)
    if len(name) > USERNAME_MAX or not re.fullmatch(r"[!-9;-~]+", name):
        raise InvalidInput(
            f"A user name has 1 to {USERNAME_MAX} visible ASCII characters and no colon.",
            hint="Leave it empty for an access token: most hosts take any name beside one.",
            field="username",
            code="invalid_username",
        )
    return name


def check_secret(text: str) -> str:
    """Return the token *text* without the spaces around it; raises InvalidInput, which never shows it."""
    secret = text.strip()
    if not 0 < len(secret) <= SECRET_MAX or not re.fullmatch(r"[!-~]+", secret):
        raise InvalidInput(
            f"A token is 1 to {SECRET_MAX} visible ASCII characters in one line; this has {len(secret)}.",
            hint="Copy it again from the git host, without the text around it.",
            field="secret",
            code="invalid_secret",
        )
    return secret


def from_auth_state(state: Mapping[str, Any] | None, forges: Mapping[str, str]) -> Login | None:
    """Return the login that an OAuth login through GitHub or GitLab left; None for any other.

    *state* is JupyterHub's ``auth_state``; *forges* has the authenticator's ``github_url`` and ``gitlab_url``.
    """
    token = (state or {}).get("access_token")
    if not isinstance(token, str) or not re.fullmatch(r"[!-~]+", token):
        return None
    for key, trait, usual, name in _LOGINS:
        if key in (state or {}):
            return Login(origin=split_url(forges.get(trait) or usual).origin, username=name, secret=token)
    return None
