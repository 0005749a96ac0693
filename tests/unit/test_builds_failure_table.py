"""The table of causes as a whole: long enough, each row shown by a real log, quick on a hostile one."""

from __future__ import annotations

import time

import pytest

from tests.buildlogs import names, recorded
from tests.expected_causes import EXPECTED
from versatilehub.builds.events import BuilderLine
from versatilehub.builds.failure_table import RULES
from versatilehub.builds.failures import READ, explain

#: Words of BuildKit's of later engines, which are shown by single lines in `test_builds_failures`.
LATER_ENGINES = {"base_image_missing", "step_failed"}


@pytest.mark.req("V23")
def test_every_row_has_a_recorded_log() -> None:
    """More than thirty causes, each code once, each recognised in at least one recorded log."""
    codes = [rule.code for rule in RULES]
    assert len(codes) == len(set(codes)) > 30
    assert set(codes) - LATER_ENGINES <= {code for code, _, _ in EXPECTED.values()}


def test_every_recorded_log_is_looked_at() -> None:
    """No log lies about unread."""
    assert set(EXPECTED) == set(names())


@pytest.mark.parametrize("name", names())
def test_a_log_of_ours_tells_nothing_of_the_machine(name: str) -> None:
    """What was recorded has no path of the machine it was made on, and nothing of the builder's environment."""
    text = str(recorded(name))
    assert not [word for word in ("VERSATILEHUB_JOB", "/work/h", "HOSTNAME=", "DOCKER_HOST") if word in text]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("Traceback (most recent call last):", id="traceback"),
        pytest.param("Error: x", id="error"),
        pytest.param("Because a depends on b", id="because"),
        pytest.param("require a different python version: 1 Requires-Python", id="python"),
        pytest.param("Invalid requirement: 'a'", id="requirement"),
        pytest.param("No module named 'distutils'", id="module"),
        pytest.param('File "a", line 1', id="file"),
        pytest.param("make: *** [" + "a" * 50, id="make"),
        pytest.param("a" * 4000, id="long"),
        pytest.param("exec " * 400, id="words"),
        pytest.param("─ " * 400, id="tree"),
    ],
)
def test_a_hostile_log_costs_little(line: str) -> None:
    """Lines that begin like many causes and end like none are read in well under a second."""
    lines = ["#7 0.1 " + line] * (2 * READ // len(line)) + ["#7 ERROR: exit code: 1"]
    started = time.process_time()
    explain(BuilderLine(kind="error", code="build_failed", message="x"), lines)
    assert time.process_time() - started < 2
