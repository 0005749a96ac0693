"""How an error of ours reaches JupyterHub."""

from __future__ import annotations

import pytest
from jupyterhub.spawner import SpawnException
from jupyterhub.utils import format_exception

from versatilehub.errors import (
    BuildCancelled,
    BuildFailed,
    EngineUnavailable,
    ImageUnusable,
    InvalidSource,
    RefNotFound,
    Refusal,
    ServerFailed,
    VersatileHubError,
)
from versatilehub.web.errors import CODE_HEADER, to_web_error


class Overloaded(VersatileHubError):
    """An error whose status would count against the hub."""

    status = 503


@pytest.mark.parametrize(
    ("error", "reason", "status"),
    [
        pytest.param(InvalidSource("x"), "input", 400, id="input"),
        pytest.param(Refusal("x"), "policy", 403, id="policy"),
        pytest.param(RefNotFound("x"), "source", 404, id="source"),
        pytest.param(BuildFailed("x"), "build", 422, id="build"),
        pytest.param(BuildCancelled("x"), "cancelled", 409, id="subclass before its base"),
        pytest.param(ImageUnusable("x"), "build", 422, id="image"),
        pytest.param(EngineUnavailable("x"), "engine", 424, id="engine"),
        pytest.param(ServerFailed("x"), "server", 424, id="server"),
        pytest.param(Overloaded("x"), "other", 424, id="never 500 or more"),
    ],
)
def test_reason_and_status(error: VersatileHubError, reason: str, status: int) -> None:
    """The metric label is of a small vocabulary and the status stays below 500."""
    web_error = to_web_error(error)

    assert (reason, status) == (web_error.reason, web_error.status_code)


def test_hub_shows_message_and_hint() -> None:
    """What the hub formats is the sentence and the hint; the HTML is escaped and keeps them apart."""
    web_error = to_web_error(InvalidSource('no "<b>" here', hint="a & b", code="invalid_ref"))

    text, markup = format_exception(web_error, only_jupyterhub=True)  # type: ignore[no-untyped-call]

    assert isinstance(web_error, SpawnException)
    assert 'no "<b>" here a & b' == text == web_error.message
    assert (
        '<span class="vh-error-message" data-code="invalid_ref">no &#34;&lt;b&gt;&#34; here</span> '
        '<span class="vh-error-hint">a &amp; b</span>' == markup == web_error.message_html
    )


@pytest.mark.parametrize(
    ("message", "hint", "text"),
    [
        ("It failed.", "", "It failed. Look at environment.yml."),
        ("It failed.", "Try again.", "It failed. Try again. Look at environment.yml."),
        ("Line 3 of environment.yml is wrong.", "Mend it.", "Line 3 of environment.yml is wrong. Mend it."),
    ],
    ids=["no hint", "after the hint", "named already"],
)
def test_the_file_at_fault_is_named(message: str, hint: str, text: str) -> None:
    """A failed build names the file that caused it wherever the failure is shown, once."""
    web_error = to_web_error(BuildFailed(message, hint=hint, cause_file="environment.yml"))

    assert text == web_error.jupyterhub_message


def test_details_for_our_pages() -> None:
    """Code, hint, field, lines and file are there for the templates, and the code for scripts in a header."""
    error = BuildFailed("x", hint="h", field="source", lines=("a", "b"), cause_file="environment.yml")

    web_error = to_web_error(error)

    assert ("x", "h Look at environment.yml.", "source", ("a", "b"), "environment.yml") == (
        web_error.sentence,
        web_error.hint,
        web_error.field,
        web_error.lines,
        web_error.cause_file,
    )
    assert {CODE_HEADER: "build_failed"} == web_error.headers
