"""What the doctor says without an engine: it never fails itself, and advises."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from versatilehub.doctor import CHECKS, Finding, Patient, examine, version_of
from versatilehub.engine import Engine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("git version 2.39.5", (2, 39, 5)),
        ("runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1+deb12u1\nspec: 1.0.2-dev", (1, 1, 5)),
        ("runc version 1.2.0-rc.1", (1, 2, 0)),
        ("iptables v1.8.9 (nf_tables)", (1, 8, 9)),
        ("version 7", ()),
        ("", ()),
    ],
    ids=["git", "runc", "candidate", "iptables", "no-dots", "nothing"],
)
def test_version(text: str, version: tuple[int, ...]) -> None:
    """The first dotted number is the version; none is no version."""
    assert version == version_of(text)


async def findings(folder: Path) -> dict[str, Finding]:
    """Return what the doctor finds where no engine answers."""
    engine = Engine(hub="abcd1234", url=f"unix://{folder}/no-such.sock")
    try:
        found = await examine(Patient(engine=engine, state=folder, hub_id="abcd1234"))
    finally:
        await engine.close()
    return {finding.name: finding for finding in found}


async def test_a_missing_engine_is_a_finding(tmp_path: Path) -> None:
    """Without an engine every check still answers; those that need it fail or warn, with words."""
    found = await findings(tmp_path)

    assert len(CHECKS) == len(found)
    assert ("fail", "fail", "warn") == tuple(found[name].level for name in ("engine", "images", "network"))
    assert found["engine"].advice
    assert all(finding.found for finding in found.values())


async def test_what_is_not_well_has_advice(tmp_path: Path) -> None:
    """The engine's own line says what to do about all that depend on it; every other finding says its own."""
    found = await findings(tmp_path)
    dependent = {"seccomp", "images"}

    assert [] == [
        f.name for f in found.values() if f.level != "ok" and not f.advice and f.name not in dependent
    ]


@pytest.mark.parametrize(
    ("mode", "level"), [(0o700, "ok"), (0o750, "warn"), (0o755, "warn")], ids=["own", "group", "everybody"]
)
async def test_state_folder(tmp_path: Path, mode: int, level: str) -> None:
    """A state folder others can read is a warning with the command that mends it."""
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(mode)
    finding = (await findings(state))["state"]

    assert level == finding.level
    assert (f"chmod 700 {state}" if level == "warn" else "") == finding.advice


async def test_no_state_folder_yet(tmp_path: Path) -> None:
    """Before the first start there is nothing to complain about."""
    engine = Engine(url=f"unix://{tmp_path}/no-such.sock")
    found = await examine(Patient(engine=engine, state=tmp_path / "none", hub_id=""))
    await engine.close()
    state, network = (next(f for f in found if f.name == name) for name in ("state", "network"))

    assert ("ok", "ok") == (state.level, network.level)


@pytest.mark.req("P14")
@pytest.mark.parametrize(
    ("report", "level", "words"),
    [
        (None, "ok", "not compared"),
        ({"findings": []}, "ok", "agree"),
        ({"findings": [{"code": "orphan", "done": True}]}, "ok", "agree"),
        ({"findings": [{"code": "removal_pending", "done": False}]}, "warn", "1 do not fit the hub's records: removal_pending"),
        ({"findings": [], "problem": "Docker is away."}, "warn", "Docker is away"),
        ([], "ok", "not compared"),
    ],
)  # fmt: skip
async def test_volumes_that_do_not_fit(tmp_path: Path, report: object, level: str, words: str) -> None:
    """What the hub's last comparison left is a warning that says where to read more."""
    if report is not None:
        (tmp_path / "reconcile.json").write_text(json.dumps(report))
    found = (await findings(tmp_path))["volumes"]

    assert (level, True) == (found.level, words in found.found)
