"""The rule for clone URLs: the corpus, canonical spelling, and what a site adds or takes away."""

from __future__ import annotations

import pytest

from tests.bad_inputs import Case, cases
from versatilehub.errors import InvalidSource
from versatilehub.source_rules import check_url
from versatilehub.source_types import PUBLIC, SourceRules

FORGE = SourceRules(extra=("http://forge.lan:3000/", "http://127.0.0.1:5000/git", "http://[::1]:5000/"))


def refuses(url: str, rules: SourceRules = PUBLIC) -> bool:
    """Tell whether `check_url` refuses *url*, with a hint."""
    error = None
    try:
        check_url(url, rules)
    except InvalidSource as caught:
        error = caught
    assert error is None or error.hint
    return error is not None


@pytest.mark.parametrize("case", cases("repo_url"))
def test_every_url_of_the_corpus_gets_its_verdict(case: Case) -> None:
    """The corpus of clone URLs is accepted and refused as it says."""
    assert case.accepted != refuses(case.value), case.why


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param(
            "https://GitHub.com/Owner/Repo.git", "https://github.com/owner/repo", id="GitHub folds case"
        ),
        pytest.param(
            "https://github.com/a/b.GIT/", "https://github.com/a/b", id="GitHub, any suffix, a slash"
        ),
        pytest.param("https://github.com/a/b.git.git", "https://github.com/a/b", id="twice .git"),
        pytest.param("https://www.github.com:443/a/b", "https://github.com/a/b", id="alias and default port"),
        pytest.param("https://gitlab.com/G/s/P.git", "https://gitlab.com/G/s/P", id="GitLab keeps case"),
        pytest.param("https://codeberg.org/a/b.git", "https://codeberg.org/a/b", id="Codeberg"),
        pytest.param("https://bitbucket.org/a/b.git", "https://bitbucket.org/a/b", id="Bitbucket"),
        pytest.param(
            "https://gist.github.com/ABC1", "https://gist.github.com/abc1.git", id="a gist has .git"
        ),
        pytest.param(
            "https://h.org:8443/A/b.git", "https://h.org:8443/A/b.git", id="elsewhere all of it counts"
        ),
        pytest.param(
            "https://github.com:8443/A/b", "https://github.com:8443/A/b", id="another port, another site"
        ),
        pytest.param(
            "https://h.org/%7ea/%62%c3%a9", "https://h.org/~a/b%C3%A9", id="needless and lower-case encoding"
        ),
        pytest.param(
            "https://git.launchpad.net/~u/+git/x", "https://git.launchpad.net/~u/+git/x", id="~ and +"
        ),
    ],
)
def test_a_url_has_one_spelling(url: str, expected: str) -> None:
    """Spellings of one repository give one URL, which is its own canonical form."""
    assert (expected, expected) == (check_url(url), check_url(expected))


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://github.com/a/b", id="http"),
        pytest.param("https://github.com:22/a/b", id="port"),
        pytest.param("https://github.com/a/b?x=1", id="query"),
        pytest.param("https://github.com/a/b?", id="empty query"),
        pytest.param("https://github.com/a/b#", id="empty fragment"),
        pytest.param("https://github.com/a/b\n", id="newline at the end"),
        pytest.param("https://github.com/a/.git", id=".git alone"),
        pytest.param("https://github.com/a/..git/..", id="dot dot"),
        pytest.param("https://h.org/a%", id="half an encoding"),
        pytest.param("https://h.org/a%2fb", id="encoded slash"),
        pytest.param("https://h.org/a%5Cb", id="encoded backslash"),
        pytest.param("https://h.org/a%252e", id="encoded percent"),
        pytest.param("https://h.org/a%7F", id="encoded delete"),
        pytest.param("https://h.org/a%ff", id="no UTF-8"),
        pytest.param("https://h.org/a%24%28id%29", id="encoded shell"),
        pytest.param("https://h.org/a%E2%80%AEb", id="encoded bidi override"),
        pytest.param("https://h.org/%EF%BD%87it", id="encoded fullwidth letter"),
        pytest.param("https://h.org/%20a", id="encoded space at an edge"),
        pytest.param("https://h.org/é", id="not ASCII"),
        pytest.param("https://h.org/a@b", id="at sign"),
        pytest.param("https://h.org/a//", id="two slashes at the end"),
        pytest.param(f"https://h.org/{'a' * 2048}", id="too long"),
        pytest.param("https://[2001:db8::1]/x", id="IPv6"),
        pytest.param("https://[::ffff:127.0.0.1]/x", id="IPv4 in IPv6"),
        pytest.param("https://127.0.0.1.nip.io/x", id="a name that answers with the address in it"),
        pytest.param("https://münchen.de/x", id="IDN"),
    ],
)
def test_what_is_no_clone_url_is_refused(url: str) -> None:
    """Each part of the rule has a case beside the corpus."""
    assert refuses(url)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://forge.lan:3000/a/b.git", id="http, a port and a private name"),
        pytest.param("http://127.0.0.1:5000/git/b", id="loopback"),
        pytest.param("http://[::1]:5000/b", id="IPv6 loopback"),
        pytest.param("https://github.com/a/b", id="public hosts stay allowed"),
    ],
)
def test_a_site_adds_prefixes(url: str) -> None:
    """Under a prefix that the site names, its scheme, host and port are allowed."""
    assert url == check_url(url, FORGE)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://forge.lan:3001/a/b", id="another port"),
        pytest.param("https://forge.lan:3000/a/b", id="another scheme"),
        pytest.param("http://127.0.0.1:5000/gitx/b", id="another folder"),
        pytest.param("http://127.0.0.1:5000/git/../x", id="climbing out"),
        pytest.param("http://127.0.0.1:5000/git/%2e%2e/x", id="climbing out, encoded"),
        pytest.param("http://user@forge.lan:3000/a/b", id="user"),
        pytest.param("http://forge.lan:3000@evil.org/a/b", id="the prefix as user"),
        pytest.param("http://forge.lan:3000/a;id", id="path rules hold"),
        pytest.param("http://forge.lan:3000/", id="no repository"),
        pytest.param("http://x.forge.lan:3000/a/b", id="a name below"),
    ],
)
def test_a_prefix_allows_nothing_beside_it(url: str) -> None:
    """What is not exactly under the prefix is judged as if it were not there."""
    assert refuses(url, FORGE)


@pytest.mark.parametrize(
    ("url", "accepted"),
    [
        pytest.param("https://github.com/a/b", True, id="listed"),
        pytest.param("https://git.uni.edu/a/b", True, id="below a suffix"),
        pytest.param("https://uni.edu/a/b", False, id="the suffix itself is not below it"),
        pytest.param("https://eviluni.edu/a/b", False, id="a longer name"),
        pytest.param("https://gist.github.com/a", False, id="below an exact name"),
    ],
)
def test_a_site_narrows_the_hosts(url: str, *, accepted: bool) -> None:
    """With a list of hosts, only exact names and names below a suffix are fetched from."""
    assert accepted != refuses(url, SourceRules(hosts=("GitHub.com", ".uni.edu")))


def test_a_site_chooses_its_ports() -> None:
    """The list of ports is the whole of it."""
    assert refuses("https://h.org/a", SourceRules(ports=(8443,)))
    assert not refuses("https://h.org:9000/a", SourceRules(ports=(9000,)))


@pytest.mark.parametrize(
    "url", ["https://user:ghp_secret@github.com/a/b", "https://github.com/a/b?token=ghp_secret", "ghp_secret"]
)
def test_no_message_repeats_credentials(url: str) -> None:
    """Whatever is wrong with an address, what it may hold in secrets stays out of the answer."""
    with pytest.raises(InvalidSource) as caught:
        check_url(url)

    assert "ghp_secret" not in str(caught.value.to_json())
