"""URLs taken apart: the one form that is read, and the prefixes a site adds."""

from __future__ import annotations

import pytest

from versatilehub.errors import InvalidSource
from versatilehub.source_address import Address, is_under, split_url


def test_a_url_is_taken_apart() -> None:
    """Scheme and host are folded, the path is kept as typed."""
    expected = Address(scheme="https", host="h.org", port=8443, path="/A/b", query="q=1", fragment="f")

    assert expected == split_url("HTTPS://H.org:8443/A/b?q=1#f")


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        pytest.param("https://h.org:443/x", "https://h.org", id="https and its port"),
        pytest.param("http://h.org:80/x", "http://h.org", id="http and its port"),
        pytest.param("http://h.org:443/x", "http://h.org:443", id="another port stays"),
        pytest.param("https://www.github.com/x", "https://github.com", id="an alias of a forge"),
        pytest.param("http://[::1]:3000/x", "http://[::1]:3000", id="IPv6"),
    ],
)
def test_an_origin_has_one_spelling(url: str, origin: str) -> None:
    """A default port and an alias are no part of the identity."""
    assert origin == split_url(url).origin


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("ftp://h.org/x", id="scheme"),
        pytest.param("h.org/x", id="no scheme"),
        pytest.param("https:/h.org/x", id="one slash"),
        pytest.param("https://h.org:0/x", id="port 0"),
        pytest.param("https://h.org:0443/x", id="leading zero"),
        pytest.param("https://h.org:x/x", id="port of letters"),
        pytest.param("https://h.org:１/x", id="port of fullwidth digits"),
        pytest.param("https://:443/x", id="no host"),
        pytest.param("https://git.\u212ade.org/x", id="the Kelvin sign folds to k"),
        pytest.param("https://u@h.org/x", id="user"),
        pytest.param("https://@h.org/x", id="empty user"),
    ],
)
def test_another_form_is_refused(url: str) -> None:
    """What is not plainly scheme, host, port and path is refused."""
    with pytest.raises(InvalidSource):
        split_url(url)


@pytest.mark.parametrize(
    ("url", "prefix", "expected"),
    [
        pytest.param("http://h:1/a", "http://h:1/a", True, id="itself"),
        pytest.param("http://h:1/a/b", "http://h:1/a", True, id="below"),
        pytest.param("http://h:1/a/b", "http://h:1/a/", True, id="below, with a slash"),
        pytest.param("http://h:1/ab", "http://h:1/a", False, id="a longer name is not below"),
        pytest.param("http://h:1/x", "http://h:1", True, id="a whole host"),
        pytest.param("http://h:12/x", "http://h:1", False, id="a longer port"),
        pytest.param("http://h.evil.org/x", "http://h", False, id="a longer host"),
        pytest.param("https://h:1/x", "http://h:1/", False, id="another scheme"),
        pytest.param("http://H:1/x", "http://h:1/", True, id="case of the host"),
        pytest.param("http://h/x", "http://h:80/", True, id="the default port"),
    ],
)
def test_a_prefix_ends_at_a_path_boundary(url: str, prefix: str, *, expected: bool) -> None:
    """Scheme, host and port are equal, and the path is the prefix's or below it."""
    assert expected is is_under(split_url(url), prefix)
