"""Messages of git hosts: only signed ones, only about repositories of the warm list."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from versatilehub.errors import InvalidInput, Refusal
from versatilehub.images.warm import WarmEntry, read_entries
from versatilehub.images.webhooks import PROVIDERS, Push, check_origin, delivery, read_push, touched
from versatilehub.source_types import PUBLIC

SECRET = "s3cret-of-the-hub"
BODY = json.dumps(
    {
        "ref": "refs/heads/main",
        "repository": {"clone_url": "https://github.com/Org/Course.git", "default_branch": "main"},
    }
).encode()
SIGNATURE = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("provider", "headers"),
    [
        ("github", {"x-hub-signature-256": f"sha256={SIGNATURE}"}),
        ("gitlab", {"x-gitlab-token": SECRET}),
        ("gitea", {"x-gitea-signature": SIGNATURE}),
        ("forgejo", {"x-forgejo-signature": SIGNATURE}),
        ("forgejo", {"x-gitea-signature": SIGNATURE.upper()}),
    ],
)
def test_who_knows_the_secret(provider: str, headers: dict[str, str]) -> None:
    """The signature, or GitLab's token, lets a message in; another body or secret does not."""
    check_origin(provider, SECRET, headers, BODY)
    for secret, body in (("other", BODY), *((((SECRET, BODY + b" "),)) if provider != "gitlab" else ())):
        with pytest.raises(Refusal):
            check_origin(provider, secret, headers, body)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-hub-signature-256": "", "x-gitlab-token": "", "x-gitea-signature": ""},
        {
            "x-hub-signature-256": "sha256=",
            "x-gitlab-token": "é",
            "x-gitea-signature": "é",
            "x-forgejo-signature": "\ud800",
        },
        {"x-hub-signature": hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest()},
    ],
    ids=["none", "empty", "odd", "sha1"],
)
def test_who_does_not(provider: str, headers: dict[str, str]) -> None:
    """No signature, an empty or odd one, or GitHub's old SHA-1 do not; a hub without a secret takes nothing."""
    with pytest.raises(Refusal):
        check_origin(provider, SECRET, headers, BODY)
    with pytest.raises(Refusal):
        check_origin(provider, "", {**headers, "x-gitlab-token": ""}, BODY)


def test_pushes() -> None:
    """Repository and branch of a push; other events are none, and what cannot be read is refused."""
    gitlab = json.dumps(
        {
            "ref": "refs/tags/v1",
            "project": {"git_http_url": "https://gitlab.com/a/b.git", "default_branch": "dev"},
        }
    ).encode()

    assert Push(urls=("https://github.com/Org/Course.git",), ref="main", default_branch="main") == read_push(
        "github", {}, BODY
    )
    assert Push(urls=("https://gitlab.com/a/b.git",), ref="v1", default_branch="dev") == read_push(
        "gitlab", {"x-gitlab-event": "Tag Push Hook"}, gitlab
    )
    assert read_push("github", {"x-github-event": "ping"}, BODY) is None
    for body in (b"", b"[]", b"payload=%7B%7D", b"[" * 100_000, b"\xff"):
        with pytest.raises(InvalidInput):
            read_push("github", {"x-github-event": "push"}, body)
    odd = json.dumps(
        {"ref": 7, "repository": {"clone_url": [], "html_url": "x" * 9999}, "project": "p"}
    ).encode()
    assert "" == (read_push("gitea", {}, odd) or pytest.fail("none")).ref


def _entries() -> tuple[WarmEntry, ...]:
    rows = [
        {"source": "https://github.com/org/course"},
        {"source": "https://github.com/org/course", "ref": "2026"},
        {"source": "https://github.com/org/other"},
    ]
    return read_entries(rows, PUBLIC)


@pytest.mark.parametrize(
    ("push", "found"),
    [
        (Push(urls=("https://github.com/Org/Course.git",), ref="main", default_branch="main"), [0]),
        (Push(urls=("https://github.com/org/course",), ref="2026", default_branch="main"), [1]),
        (Push(urls=("https://github.com/org/course",), ref="topic", default_branch="main"), []),
        (Push(urls=("https://github.com/org/course.evil.example",), ref="main", default_branch="main"), []),
        (Push(urls=("file:///etc", "", "https://github.com/org/other"), ref="x"), [2]),
        (Push(urls=(), ref="main"), []),
    ],
)
def test_which_entries(push: Push, found: list[int]) -> None:
    """Only entries of that very repository whose ref moved."""
    entries = _entries()

    assert [entries[number] for number in found] == touched(push, entries, PUBLIC)


def test_a_delivery_is_its_content() -> None:
    """The same message is the same delivery, whatever its unsigned headers say."""
    assert delivery("github", BODY) == delivery("github", BODY)
    assert len({delivery("github", BODY), delivery("gitea", BODY), delivery("github", BODY + b" ")}) == 3
