"""BuildKit's plain log, read."""

from __future__ import annotations

from versatilehub_builder.buildlog import BuildLog, cause, readable

LOG = """\
#0 building with "default" instance using docker driver
#1 [internal] load build definition from Dockerfile
#5 [build 1/3] FROM docker.io/x
#5 CACHED
#6 [build 2/3] RUN --mount=type=cache,id=x,target=/c UV_CACHE_DIR=/c uv pip install --python "$(command -v python3)" -r r.txt
#6 0.379 Using Python
#6 0.520 error: No solution
#6 [build 2/3] RUN again
#6 ERROR: process "/bin/sh -c x" did not complete successfully: exit code: 137
------
 > [build 2/3] RUN:
0.520 error: No solution
------
Dockerfile:7
--------------------
ERROR: failed to solve: process "/bin/sh -c x" did not complete successfully: exit code: 137
"""


def fed(text: str) -> tuple[BuildLog, list[tuple[str, int, int]]]:
    """Return the log that read *text*, and the steps it saw."""
    log = BuildLog()
    steps = [step for step in map(log.feed, text.splitlines()) if step]
    return log, [(step.text[:8], step.step, step.steps) for step in steps]


def test_steps_once() -> None:
    """A step is told when it begins, not again when BuildKit repeats its head."""
    assert [("FROM doc", 1, 3), ("RUN --mo", 2, 3)] == fed(LOG)[1]


def test_failure() -> None:
    """What failed, where, with which code, and the step's own last lines."""
    log, _ = fed(LOG)
    assert (137, 7, ("Using Python", "error: No solution")) == (log.exit_code, log.line, log.tail)
    assert "RUN again" == log.failed
    assert () == log.running


def test_missing_image() -> None:
    """An image that cannot be had is named."""
    log, _ = fed("#3 [internal] load metadata for docker.io/a/b:1\n#3 ERROR: no such host\n")
    assert "docker.io/a/b:1" == log.missing_image


def test_clipped_and_running() -> None:
    """It knows which steps run, and that BuildKit stopped listening to one."""
    log, _ = fed("#6 [2/3] RUN yes\n#6 1.0 [output clipped, log limit 1MiB reached]\n")
    assert (("6",), True) == (log.running, log.clipped)


def test_readable() -> None:
    """A person sees what is installed, not the cache behind it."""
    line = LOG.splitlines()[4].partition("] ")[2]
    assert "RUN uv pip install -r r.txt" == readable(line)


def test_cause() -> None:
    """The author's file and line, else the file the step was rendered from."""
    causes = [("-r r.txt", "requirements.txt")]
    assert "Dockerfile:7" == cause("RUN x", 7, file="Dockerfile", causes=[])
    assert "requirements.txt" == cause("RUN uv -r r.txt", 7, file="", causes=causes)
    assert not cause("RUN x", 0, file="", causes=causes)
