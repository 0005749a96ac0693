"""What a look from inside may answer, and what is made of it."""

from __future__ import annotations

import pytest

from versatilehub.builds.probe import Environment, judge, parse
from versatilehub.errors import ImageUnusable

COMMAND = "/usr/local/bin/jupyterhub-singleuser"


def test_parse_takes_each_answer_once() -> None:
    """The first answer of a key counts: what a command prints after it cannot replace it."""
    lines = [
        "uid=1000",
        "gid=100",
        "home=/home/jovyan",
        "repo=yes",
        f"command={COMMAND}",
        "version=5.4.0",
        "uid=0",
    ]
    assert {
        "uid": "1000",
        "gid": "100",
        "home": "/home/jovyan",
        "repo": "yes",
        "command": COMMAND,
        "version": "5.4.0",
    } == parse(lines)


@pytest.mark.parametrize(
    "line",
    [
        "uid=-1",
        "uid=12345678901",
        "home=relative",
        "home=/a\tb",
        "home=" + "/x" * 200,
        "repo=no",
        "command=jupyterhub-singleuser",
        "version=",
        "version=$(id)",
        "version=6.1.1 extra",
        "other=1",
        "no answer at all",
        "",
    ],
)
def test_parse_leaves_out_what_is_no_answer(line: str) -> None:
    """An image may print anything; only the form of an answer is one."""
    assert {} == parse([line])


@pytest.mark.parametrize(
    ("version", "warned"),
    [("6.1.0", False), ("6.1.1", False), ("6.0.2", True), ("5.4.0", True), ("7.0.0.dev0", True), ("", True)],
)
def test_judge_lets_near_versions_pass(version: str, *, warned: bool) -> None:
    """This hub's and the previous major version run; any difference that matters is told to whoever starts it."""
    judged = judge(Environment(image="x", image_id="y", version=version), "6.1.1", command=COMMAND)
    assert warned == bool(judged.warnings)


@pytest.mark.parametrize(
    ("version", "command", "said"),
    [("6.1.1", "", "no `jupyterhub-singleuser`"), ("4.9.9", COMMAND, "4.9.9"), ("0.9", COMMAND, "0.9")],
)
def test_judge_refuses_what_cannot_run(version: str, command: str, said: str) -> None:
    """No command, or one too old to talk to this hub: the message says which, the hint how to mend it."""
    with pytest.raises(ImageUnusable) as caught:
        judge(Environment(image="x", image_id="y", version=version), "6.1.1", command=command)
    assert said in caught.value.message
    assert "pip install jupyterhub==6.1.*" in caught.value.hint


def test_judge_without_a_hub_version() -> None:
    """A hub that does not know its own version refuses only what has no command."""
    environment = Environment(image="x", image_id="y", version="1.0")
    assert environment == judge(environment, "", command=COMMAND)
