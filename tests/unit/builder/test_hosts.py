"""Which hosts and addresses a repository may name."""

from __future__ import annotations

import pytest
from versatilehub_builder.hosts import is_under, public_host, public_url

from tests.bad_inputs import Case, cases


@pytest.mark.parametrize(
    ("host", "public"),
    [
        ("github.com", True),
        ("a-b.example.org.", True),
        ("xn--bcher-kva.example.net", True),
        ("localhost", False),
        ("127.0.0.1", False),
        ("127.1", False),
        ("0x7f.1", False),
        ("2130706433", False),
        ("①②⑦.⓪.⓪.①", False),
        ("::1", False),
        ("db.internal", False),
        ("metadata.google.internal", False),
        ("x.home.arpa", False),
        ("-x.example.org", False),
        ("example..org", False),
        ("ｇithub.com", False),
        ("a" * 64 + ".org", False),
        ("", False),
    ],
)
def test_public_host(host: str, *, public: bool) -> None:
    """Only plain DNS names with a dot and no special use are public."""
    assert public == public_host(host)


@pytest.mark.parametrize("case", cases("repo_url"))
def test_no_refused_host_passes(case: Case) -> None:
    """What the hub refuses for its host or credentials, a repository may not name either."""
    host = case.value.partition("//")[2].partition("/")[0]
    if case.accepted:
        assert public_url(case.value)
    elif not host or not public_host(host):
        assert not public_url(case.value)


@pytest.mark.parametrize(
    ("url", "prefix", "under"),
    [
        ("http://a.lan:80/x/y", "http://a.lan:80/x", True),
        ("http://a.lan:80/x/y", "http://a.lan:80/x/", True),
        ("http://a.lan:80/x", "http://a.lan:80/x/", True),
        ("http://a.lan/x", "http://a.lan", True),
        ("http://a.lan:8080/x", "http://a.lan:80", False),
        ("http://a.lan:80/xy", "http://a.lan:80/x", False),
        ("http://a.lan.evil.org/x", "http://a.lan", False),
        ("http://a.lan/x", "", False),
    ],
)
def test_under_a_prefix_is_not_beginning_with_it(url: str, prefix: str, *, under: bool) -> None:
    """A prefix ends at a "/" of the URL: it covers no other port, host or folder that begins alike."""
    assert under == is_under(url, prefix)
