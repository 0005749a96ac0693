"""Steps a base image adds by itself keep the rules, too."""

from __future__ import annotations

import pytest
from versatilehub_builder.buildlog import BuildLog
from versatilehub_builder.lines import Failure


@pytest.mark.parametrize(
    ("line", "code"),
    [
        pytest.param("#3 [internal] load metadata for docker.io/vh-build/victim:1", "from", id="metadata"),
        pytest.param(
            "#7 FROM docker.io/vh-build/victim:1@sha256:" + "a" * 64, "from", id="from-without-stage"
        ),
        pytest.param("#7 [stage-1 1/2] FROM docker.io/vh-build/victim", "from", id="from"),
        pytest.param("#5 [2/2] ADD http://127.0.0.1:8001/api /y", "add", id="add"),
        pytest.param('#5 [a 2/2] ADD ["h\\\\ttp:\\\\/\\\\/127.0.0.1/", "/y"]', "add", id="add-escaped"),
    ],
)
def test_forbidden(line: str, code: str) -> None:
    """A line that tells of another person's image or of a download by the engine ends the build."""
    with pytest.raises(Failure) as caught:
        BuildLog().feed(line)
    assert caught.value.code == f"dockerfile_{code}_refused"


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("#3 [internal] load metadata for docker.io/library/python:3.13", id="public"),
        pytest.param("#3 [internal] load metadata for docker.io/versatilehub/singleuser:latest", id="base"),
        pytest.param("#4 [1/3] FROM docker.io/versatilehub/singleuser", id="from"),
        pytest.param("#4 [build 1/3] FROM scratch", id="scratch"),
        pytest.param("#5 [2/3] ADD data.tar.gz /srv/", id="add-file"),
        pytest.param("#5 [2/3] ADD https://github.com/a/b/x /srv/", id="add-from-a-known-host"),
        pytest.param("#5 [2/3] ADD <<EOF /x", id="add-heredoc"),
        pytest.param("#6 0.2 FROM docker.io/vh-build/victim", id="a-step-prints-it"),
        pytest.param("#6 [3/3] RUN echo FROM docker.io/vh-build/victim", id="a-command"),
    ],
)
def test_allowed(line: str) -> None:
    """What the check of the text allows, and what steps print, passes."""
    BuildLog().feed(line)
