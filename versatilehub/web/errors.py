"""Turns an error of ours into the one exception JupyterHub shows, counts and logs correctly.

Guarantees: the status stays below 500 (a 5xx counts towards ``consecutive_failure_limit``), the metric label comes
from `REASONS`, and whatever text the error holds reaches a page escaped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyterhub.spawner import SpawnException
from markupsafe import Markup

from versatilehub.errors import (
    BuildCancelled,
    BuildFailed,
    EngineFailure,
    InvalidInput,
    Refusal,
    ServerFailed,
    SourceFailure,
    VersatileHubError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

#: First match wins, so a subclass stands before its base. The words are values of a Prometheus label: keep them few.
REASONS: tuple[tuple[type[VersatileHubError], str], ...] = (
    (InvalidInput, "input"),
    (Refusal, "policy"),
    (SourceFailure, "source"),
    (BuildCancelled, "cancelled"),
    (BuildFailed, "build"),
    (EngineFailure, "engine"),
    (ServerFailed, "server"),
)
OTHER_REASON = "other"

#: What a status of 500 or more becomes: "failed dependency", the class of a start that did not succeed.
FALLBACK_STATUS = 424

#: Response header with the stable code, for scripts: the hub's own API answers with status and message only.
CODE_HEADER = "VersatileHub-Error"

#: The hub's own words for it, which the pages look for.
CANCELLED_MESSAGE = "Spawn cancelled"

_HTML = Markup(
    '<span class="vh-error-message" data-code="{code}">{message}</span> <span class="vh-error-hint">{hint}</span>'
)


class WebError(SpawnException):
    """A `VersatileHubError` as JupyterHub wants it, made by `to_web_error`.

    ``SpawnException`` alone sets ``message``, but the form, the progress stream and the pages read
    ``jupyterhub_message`` and ``jupyterhub_html_message``; both pairs are set here. *code*, *hint*, *field*, *lines*
    and *cause_file* are for our own templates, which find the exception in ``not_running.html``.
    """

    def __init__(self, error: VersatileHubError) -> None:
        hint = _hint(error)
        text = f"{error.message} {hint}".strip()
        markup = str(_HTML.format(code=error.code, message=error.message, hint=hint))
        status = error.status if error.status < 500 else FALLBACK_STATUS
        super().__init__(text, reason=reason_of(error), message_html=markup, status_code=status)
        self.jupyterhub_message = text
        self.jupyterhub_html_message = markup
        self.sentence = error.message
        self.code = error.code
        self.hint = hint
        self.field = error.field
        self.lines: tuple[str, ...] = getattr(error, "lines", ())
        self.cause_file: str = getattr(error, "cause_file", "")
        self.headers: Mapping[str, str] = {CODE_HEADER: error.code}


def _hint(error: VersatileHubError) -> str:
    """Return what to do next, with the file to do it in unless the words name it already."""
    file = getattr(error, "cause_file", "")
    if not file or file in f"{error.message} {error.hint}":
        return error.hint
    return f"{error.hint} Look at {file}.".strip()


def reason_of(error: VersatileHubError) -> str:
    """Return the metric label of *error*, one of the words of `REASONS` or `OTHER_REASON`."""
    return next((reason for kind, reason in REASONS if isinstance(error, kind)), OTHER_REASON)


def to_web_error(error: VersatileHubError) -> WebError:
    """Return *error* as what is raised at the hub's edge, always ``from error``."""
    return WebError(error)
