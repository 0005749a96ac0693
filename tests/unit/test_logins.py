"""Logins for git hosts: which host a text means, what a token may be, and that no secret shows."""

from __future__ import annotations

import pytest

from versatilehub.errors import InvalidInput
from versatilehub.logins import Login, check_host, check_secret, check_username, from_auth_state
from versatilehub.sources import SourceRules

SITE = SourceRules(extra=("http://forge.lan:3000/", "https://10.0.0.5/git/"))


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("github.com", "https://github.com"),
        (" GitHub.com ", "https://github.com"),
        ("https://www.github.com/owner/repository", "https://github.com"),
        ("https://gitlab.example.org:8443/", "https://gitlab.example.org:8443"),
        ("forge.lan:3000", "http://forge.lan:3000"),
        ("http://forge.lan:3000/a/b", "http://forge.lan:3000"),
        ("10.0.0.5", "https://10.0.0.5"),
    ],
)
def test_a_host_by_any_of_its_addresses(text: str, origin: str) -> None:
    """A host name, its address and the link of a repository there name one origin."""
    assert origin == check_host(text, SITE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://github.com",
        "http://forge.lan",
        "https://forge.lan:3000",
        "http://forge.lan:3000.evil.org",
        "https://me:secret@github.com",
        "127.0.0.1",
        "localhost",
        "github.com:22",
        "git@github.com:a/b",
        "ssh://github.com",
        "evil.org\nhost",
        "https://evil.org\\@github.com",
    ],
)
def test_a_host_that_gets_no_token(text: str) -> None:
    """No token is taken for plain http, for a host that is not public, or for what is no host."""
    with pytest.raises(InvalidInput) as caught:
        check_host(text, SITE)
    assert "secret" not in str(caught.value.to_json())


@pytest.mark.parametrize("text", ["", "two words", "line\nhost=evil.org", "nul\0", "t\u00f6ken", "x" * 4097])
def test_what_is_no_token(text: str) -> None:
    """A token is one line of visible ASCII: git's protocol has a line for each value, so a second one would be a value."""
    with pytest.raises(InvalidInput) as caught:
        check_secret(text)
    assert "invalid_secret" == caught.value.code
    assert not text or text not in str(caught.value.to_json())


def test_a_pasted_token_is_trimmed() -> None:
    """The spaces and the line end that came along are no part of it."""
    assert "ghp_x" == check_secret(" ghp_x\n")


@pytest.mark.parametrize(
    ("text", "origin", "name"),
    [
        ("", "https://github.com", "x-access-token"),
        ("", "https://gitlab.com", "oauth2"),
        ("", "https://bitbucket.org", "x-token-auth"),
        ("", "https://forge.example.org", "oauth2"),
        (" ada ", "https://github.com", "ada"),
    ],
)
def test_user_name(text: str, origin: str, name: str) -> None:
    """Without a name the host's usual one for tokens is sent."""
    assert name == check_username(text, origin)


@pytest.mark.parametrize("text", ["a:b", "a b", "a\nb", "x" * 256])
def test_what_is_no_user_name(text: str) -> None:
    """A colon would end the name, a line end begin another value."""
    with pytest.raises(InvalidInput):
        check_username(text, "https://github.com")


def test_no_secret_shows() -> None:
    """What is printed of a login has no secret, and it is for its own origin only."""
    login = Login(origin="https://github.com", username="x", secret="canary")
    assert "canary" not in repr(login)
    assert login.is_for("https://github.com/a/b")
    for other in (
        "http://github.com/a",
        "https://github.com:8443/a",
        "https://gist.github.com/a",
        "https://github.com.evil.org/a",
    ):
        assert not login.is_for(other)
    assert "username=x\npassword=canary\n" == login.for_git()


@pytest.mark.parametrize(
    ("state", "forges", "expected"),
    [
        ({"access_token": "t", "github_user": {}}, {}, ("https://github.com", "x-access-token")),
        (
            {"access_token": "t", "github_user": {}},
            {"github_url": "https://ghe.example.org"},
            ("https://ghe.example.org", "x-access-token"),
        ),
        (
            {"access_token": "t", "gitlab_user": {}},
            {"gitlab_url": "https://git.example.org/"},
            ("https://git.example.org", "oauth2"),
        ),
        ({"access_token": "t", "google_user": {}}, {}, None),
        ({"github_user": {}}, {}, None),
        ({"access_token": "a\nb", "github_user": {}}, {}, None),
        (None, {}, None),
    ],
)
def test_the_token_of_a_login(
    state: dict[str, object] | None, forges: dict[str, str], expected: tuple[str, str] | None
) -> None:
    """An OAuth login through a forge leaves a token for that forge, and for no other host."""
    login = from_auth_state(state, forges)
    assert expected == (login and (login.origin, login.username))
