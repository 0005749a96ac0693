"""DockerSpawner 14's own test suite runs against `VersatileSpawner`, but for the cases named in the table.

The suite is fetched when it is needed and runs in a pytest of its own; tests/dockerspawner_suite is the harness.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from dockerspawner import DockerSpawner, SwarmSpawner, SystemUserSpawner

from tests.dockerspawner_suite import upstream
from tests.dockerspawner_suite.plugin import VersatileSwarm, VersatileSystemUser
from tests.dockerspawner_suite.run import Outcome, run, state_folder
from tests.dockerspawner_suite.table import CASES, CHANGES, EXCLUDED
from versatilehub.spawner import VersatileMixin, VersatileSpawner

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugins.leftovers import SessionLabel


@pytest.fixture(scope="module")
def outcomes(
    tmp_path_factory: pytest.TempPathFactory, artifacts: Path, session_label: SessionLabel
) -> dict[str, Outcome]:
    """How every case of the suite ended with ours; what pytest said is kept as an artifact."""
    folder = tmp_path_factory.mktemp("suite")
    try:
        return run(folder, state_folder() / "cache", label=session_label.value)
    finally:
        output = folder / "output.txt"
        if output.exists():
            (artifacts / "dockerspawner-suite.txt").write_bytes(output.read_bytes())


def test_the_table_names_every_case(outcomes: dict[str, Outcome]) -> None:
    """The cases that ran are the ones the table counts: none is new, none is gone."""
    assert dict(Counter(case.partition("[")[0] for case in outcomes)) == dict(CASES)
    assert set(EXCLUDED) <= set(outcomes)


@pytest.mark.parametrize("function", CASES)
def test_upstream_case(function: str, outcomes: dict[str, Outcome]) -> None:
    """Every case passes, but for the ones left out: those still fail, and with the words that are given as the reason."""
    for case, ended in outcomes.items():
        if case.partition("[")[0] != function:
            continue
        if case in EXCLUDED:
            assert ended.outcome == "failed", f"{case} passes now: take it out of EXCLUDED"
            assert EXCLUDED[case].says in ended.text
        else:
            assert ended.outcome == "passed", ended.text


def test_every_change_and_exclusion_has_its_reason() -> None:
    """What is changed in a case or left out is said why, and a change is needed by ours or by JupyterHub 6."""
    assert all(change.why for change in CHANGES)
    assert all(excluded.why and excluded.says for excluded in EXCLUDED.values())


@pytest.mark.parametrize(
    ("composed", "base"),
    [
        (VersatileSpawner, DockerSpawner),
        (VersatileSwarm, SwarmSpawner),
        (VersatileSystemUser, SystemUserSpawner),
    ],
    ids=["docker", "swarm", "systemuser"],
)
def test_the_mixin_goes_before_any_dockerspawner(composed: type, base: type) -> None:
    """The mixin's `start` comes first and the base's own methods stay in reach behind all of ours."""
    order = composed.__mro__
    ours = [index for index, cls in enumerate(order) if cls.__module__.startswith("versatilehub.")]

    assert composed.start is VersatileMixin.start  # type: ignore[attr-defined]  # any spawner has one
    assert max(ours) < order.index(base)
    assert composed().remove


def test_a_suite_that_is_not_the_pinned_one_is_not_run(tmp_path: Path) -> None:
    """A file with another digest is asked for anew, and kept only when it is the pinned one."""
    (tmp_path / upstream.NAME).write_bytes(b"another")

    kept = upstream.fetch(tmp_path)

    assert hashlib.sha256(kept.read_bytes()).hexdigest() == upstream.SHA256


def test_a_suite_that_cannot_be_had_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a package index the error names pip's words and where the file may be put by hand."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))

    with pytest.raises(
        upstream.SuiteUnavailable, match=r"PIP_INDEX_URL.*put dockerspawner-14\.0\.0\.tar\.gz into"
    ):
        upstream.fetch(tmp_path / "cache")


def test_a_change_that_does_not_fit_is_an_error(tmp_path: Path) -> None:
    """Text that is to be replaced and is not there stops the run: the suite is not the one the table was made for."""
    sdist = upstream.fetch(state_folder() / "cache")
    wrong = type(CHANGES[0])(file="test_dockerspawner.py", old="no such text", new="", why="none")

    with pytest.raises(upstream.SuiteUnavailable, match="0 times, not 1"):
        upstream.unpack(sdist, tmp_path, [wrong])
