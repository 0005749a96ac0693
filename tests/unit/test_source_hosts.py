"""Which host names are public ones, beyond the cases of the corpus."""

from __future__ import annotations

import pytest

from versatilehub.errors import InvalidSource
from versatilehub.source_hosts import SPECIAL_USE, check_host

PUBLIC = (
    "github.com",
    "GitHub.COM",
    "a.b.c.example.org",
    "xn--bcher-kva.example.org",
    "x.xn--p1ai",
    "3.basecamp.com",
)


@pytest.mark.parametrize("host", PUBLIC)
def test_a_public_name_is_returned_in_lower_case(host: str) -> None:
    """A DNS name with a dot and an alphabetic end is accepted and folded."""
    assert host.lower() == check_host(host)


@pytest.mark.parametrize("suffix", sorted(SPECIAL_USE))
@pytest.mark.parametrize("prefix", ["", "x.", "X.Y."], ids=["itself", "below", "two below"])
def test_special_use_names_are_refused_at_any_depth(prefix: str, suffix: str) -> None:
    """No name at or below one that RFCs or ICANN reserve is public."""
    with pytest.raises(InvalidSource) as caught:
        check_host(prefix + suffix)

    assert "source_not_allowed" == caught.value.code


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("", id="nothing"),
        pytest.param("github", id="no dot"),
        pytest.param("github.com.", id="a root dot would be a second spelling"),
        pytest.param(".github.com", id="an empty first label"),
        pytest.param("127.0.0.1", id="IPv4"),
        pytest.param("0x7f.0x1", id="hexadecimal IPv4"),
        pytest.param("1.2.3.0x4", id="IPv4 with a hexadecimal end"),
        pytest.param("a.1e", id="a last label that is not only letters"),
        pytest.param("[::1]", id="IPv6"),
        pytest.param("a_b.example.org", id="underscore"),
        pytest.param("a-.example.org", id="hyphen at a label's end"),
        pytest.param("ex%61mple.org", id="percent-encoding"),
        pytest.param(f"{'a' * 64}.org", id="a label of 64"),
        pytest.param(f"{'a.' * 126}aa", id="254 characters"),
        pytest.param("xn--abc-.org", id="xn-- of plain ASCII"),
        pytest.param("xn--0.org", id="xn-- of nothing"),
        pytest.param("xn--a-ecp.org", id="xn-- that NFKC would change"),
    ],
)
def test_what_is_no_public_name_is_refused(host: str) -> None:
    """Every spelling that a resolver may read otherwise than a person is refused."""
    with pytest.raises(InvalidSource):
        check_host(host)


def test_a_name_of_253_characters_is_accepted() -> None:
    """The limit of a name is DNS's."""
    host = "a." * 125 + "com"

    assert (253, host) == (len(host), check_host(host))
