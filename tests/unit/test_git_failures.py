"""What git says becomes one of our errors, whatever the person's link contains."""

from __future__ import annotations

import pytest

from versatilehub.errors import SourceFailure, SourceNotReadable, SourceUnreachable
from versatilehub.git_failures import explain

URL = "https://forge.example/g/p"


@pytest.mark.parametrize(
    ("said", "error", "code"),
    [
        pytest.param(
            f"fatal: repository '{URL}/' not found", SourceNotReadable, "source_not_readable", id="404"
        ),
        pytest.param(
            "error: unable to read askpass response from '/bin/false'\n"
            "fatal: could not read Username for 'https://forge.example': terminal prompts disabled",
            SourceNotReadable,
            "source_not_readable",
            id="401",
        ),
        pytest.param(
            f"fatal: unable to access '{URL}/': The requested URL returned error: 503",
            SourceUnreachable,
            "source_unreachable",
            id="503",
        ),
        pytest.param(
            f"fatal: unable to access '{URL}/': The requested URL returned error: 429",
            SourceUnreachable,
            "source_rate_limited",
            id="429",
        ),
        pytest.param(
            f"fatal: unable to access '{URL}/': server certificate verification failed. CAfile: none CRLfile: none",
            SourceUnreachable,
            "source_untrusted",
            id="certificate, GnuTLS",
        ),
        pytest.param(
            f"fatal: unable to access '{URL}/': SSL certificate problem: self-signed certificate",
            SourceUnreachable,
            "source_untrusted",
            id="certificate, OpenSSL",
        ),
        pytest.param(
            "remote: certificate\nfatal: odd",
            SourceFailure,
            "source_failed",
            id="the host's words do not count",
        ),
        pytest.param("", SourceFailure, "source_failed", id="nothing said"),
    ],
)
def test_cause(said: str, error: type[SourceFailure], code: str) -> None:
    """Each known message has its error, and an unknown one the general error."""
    raised = explain(said, URL)
    assert (type(raised), raised.code, raised.field) == (error, code, "source")


def test_words_in_the_link_do_not_count() -> None:
    """A repository and host named like a cause do not change the cause."""
    url = "https://certificate.tls.example/timed-out/certificate"
    said = f"fatal: unable to access '{url}/': Could not resolve host: certificate.tls.example"
    assert "knows no address of certificate.tls.example" in explain(said, url).message


def test_unknown_message_is_cleaned() -> None:
    """Git's own last words are shown without control characters and cut."""
    message = explain("fatal: \x1b[31m" + "x" * 500, URL).message
    assert "\x1b" not in message
    assert len(message) < 300
