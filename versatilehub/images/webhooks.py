"""Messages of git hosts: whether they are theirs, and which repository got new commits. Pure.

GitHub, Gitea and Forgejo sign the body with the shared secret, GitLab sends the secret itself; both are compared in constant time.
What a message says is never built: it only names an entry of the warm list, whose ref is then asked for anew.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from versatilehub.errors import InvalidInput, InvalidSource, Refusal
from versatilehub.sources import parse_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from versatilehub.images.warm import WarmEntry
    from versatilehub.sources import SourceRules

PROVIDERS: Final = ("github", "gitlab", "gitea", "forgejo")
MOST: Final = 1 << 20
"""Bytes of a message."""
_SIGNATURES: Final = {
    "github": ("x-hub-signature-256",),
    "gitea": ("x-gitea-signature", "x-hub-signature-256"),
    "forgejo": ("x-forgejo-signature", "x-gitea-signature", "x-hub-signature-256"),
}
_EVENTS: Final = {
    "github": "x-github-event",
    "gitlab": "x-gitlab-event",
    "gitea": "x-gitea-event",
    "forgejo": "x-forgejo-event",
}
_PUSHES: Final = frozenset({"push", "create", "push hook", "tag push hook"})
_URLS: Final = ("clone_url", "html_url", "git_http_url", "http_url", "web_url", "homepage", "git_url")


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """What a message says: the addresses of the repository, the ref that moved ("main"), and its default branch ("" unknown)."""

    urls: tuple[str, ...]
    ref: str
    default_branch: str = ""


def check_origin(provider: str, secret: str, headers: Mapping[str, str], body: bytes) -> None:
    """Return if a message is from who knows *secret*; *headers* have lower-case names. Raises `Refusal`."""
    if provider == "gitlab":
        sent, expected = headers.get("x-gitlab-token", ""), secret
    else:
        named = (headers[name] for name in _SIGNATURES.get(provider, ()) if headers.get(name))
        sent = next(named, "").removeprefix("sha256=").lower()
        expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    # Bytes: compare_digest takes text of ASCII only. No secret is no way in.
    if not secret or not hmac.compare_digest(sent.encode("utf-8", "replace"), expected.encode()):
        raise Refusal(
            "The message is not signed with this hub's secret.",
            hint="Set the secret of the webhook at the git host to the one in the hub's state folder.",
            code="webhook_refused",
        )


def read_push(provider: str, headers: Mapping[str, str], body: bytes) -> Push | None:
    """Return the push a message tells of, None for a message about something else; raises `InvalidInput`."""
    if headers.get(_EVENTS[provider], "push").lower() not in _PUSHES:
        return None
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError):
        raw = None
    if not isinstance(raw, dict):
        raise InvalidInput(
            "The message is not a JSON object.", hint="Set its content type to application/json."
        )
    parts = [part for part in (raw.get("repository"), raw.get("project")) if isinstance(part, dict)]
    urls = [part[key] for part in parts for key in _URLS if isinstance(part.get(key), str)]
    ref = _text(raw.get("ref"))
    default = next((found for part in parts if (found := _text(part.get("default_branch")))), "")
    return Push(
        urls=tuple(dict.fromkeys(url[:2048] for url in urls)),
        ref=ref.removeprefix("refs/heads/").removeprefix("refs/tags/"),
        default_branch=default,
    )


def touched(push: Push, entries: Iterable[WarmEntry], rules: SourceRules) -> list[WarmEntry]:
    """Return the entries of the warm list whose image a push makes old."""
    found = set()
    for url in push.urls:
        try:
            found.add(parse_source(url, rules=rules).url.removesuffix(".git"))
        except InvalidSource:
            continue
    return [
        entry
        for entry in entries
        if entry.source.url.removesuffix(".git") in found and _moves(push, entry.source.ref)
    ]


def _moves(push: Push, ref: str) -> bool:
    wanted = ref or push.default_branch
    return not wanted or not push.ref or push.ref == wanted


def delivery(provider: str, body: bytes) -> str:
    """Return what tells one message from another: the same again is a replay."""
    return hashlib.sha256(provider.encode() + b"\x00" + body).hexdigest()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
