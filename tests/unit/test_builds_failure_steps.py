"""Causes in the Dockerfile, commands and scripts, each by the log of a build that really failed of it."""

from __future__ import annotations

import pytest

from tests.buildlogs import recorded, shown_by
from tests.expected_causes import EXPECTED
from versatilehub.builds.failure_steps import STEPS
from versatilehub.builds.failures import explain


@pytest.mark.req("V23")
@pytest.mark.parametrize("name", shown_by(STEPS))
def test_a_recorded_log_names_its_cause(name: str) -> None:
    """Code, file and line, and the sentence with the culprit, as a person is shown them."""
    log = recorded(name)
    cause = explain(log.error, log.lines)
    assert EXPECTED[name] == (cause.code, cause.file, cause.message)
    assert cause.hint
