"""The set-up steps, as far as they need no engine, network or root."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from steps import browser, engine, state
from steps.contract import ROOT, Contract, read_contract
from steps.report import Step, StepFailed, run, step

if TYPE_CHECKING:
    from pathlib import Path


def contract(folder: Path, **changes: str) -> Contract:
    """Return the contract of an environment with its state in *folder*."""
    return read_contract({"VERSATILEHUB_STATE": str(folder), **changes})


def test_defaults() -> None:
    """Without any variable the hub is at port 8000 and keeps its state in the checkout."""
    plain = read_contract({})

    assert (8000, 8001, 8081) == (plain.port, plain.api_port, plain.hub_port)
    assert (ROOT / ".state", None, None) == (plain.state, plain.users, plain.ca_bundle)


def test_state_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative folder counts from where the command was given."""
    monkeypatch.chdir(tmp_path)

    assert tmp_path / "here" == read_contract({"VERSATILEHUB_STATE": "here"}).state


@pytest.mark.parametrize(
    "port",
    [
        pytest.param("0", id="zero"),
        pytest.param("65500", id="no room for port + 81"),
        pytest.param("-1", id="negative"),
        pytest.param("80a", id="not a number"),
        pytest.param("٨٠", id="digits int() would take"),
        pytest.param(" 80", id="blank before"),
    ],
)
def test_bad_port(port: str) -> None:
    """A port that cannot be used is refused by name before anything is set up."""
    with pytest.raises(StepFailed, match="VERSATILEHUB_PORT"):
        read_contract({"VERSATILEHUB_PORT": port})


def test_missing_file_is_named(tmp_path: Path) -> None:
    """A users.csv that is not there is an error, not a hub without accounts."""
    with pytest.raises(StepFailed, match=r"VERSATILEHUB_USERS names .*nobody\.csv"):
        contract(tmp_path, VERSATILEHUB_USERS=str(tmp_path / "nobody.csv"))


def test_first_run_makes_one_admin(tmp_path: Path) -> None:
    """The first run makes a private users.csv; later runs leave it alone and know no password."""
    first = state.ensure(Step(), contract(tmp_path / "state"))
    second = state.ensure(Step(), contract(tmp_path / "state"))

    with first.file.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [{"name": "admin", "password": first.password, "admin": "true"}] == rows
    assert len(first.password) >= 16
    assert (first.file, "") == (second.file, second.password)
    assert (0o600, 0o700) == (first.file.stat().st_mode & 0o777, first.file.parent.stat().st_mode & 0o777)


def test_own_accounts_are_kept(tmp_path: Path) -> None:
    """With VERSATILEHUB_USERS no account is made."""
    (tmp_path / "mine.csv").write_text("name,password,admin\n")
    accounts = state.ensure(
        Step(), contract(tmp_path / "state", VERSATILEHUB_USERS=str(tmp_path / "mine.csv"))
    )

    assert (tmp_path / "mine.csv", "") == (accounts.file, accounts.password)
    assert [] == list((tmp_path / "state").glob("*.csv"))


def test_a_step_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The line names the step, its duration and what was found."""
    with step("engine") as current:
        current.already("Docker 20.10")

    assert "engine … already there, 0.0 s (Docker 20.10)\n" == capsys.readouterr().out


def test_failing_command_shows_its_last_lines(tmp_path: Path) -> None:
    """What a person sees of a failed command is its end, its code and the log; earlier commands' output is not shown."""
    log = tmp_path / "logs" / "setup.log"
    run((sys.executable, "-c", "print('before')"), log=log, hint="")

    with pytest.raises(StepFailed, match=r"ended with code 3; .*setup\.log") as caught:
        run((sys.executable, "-c", "print('why'); raise SystemExit(3)"), log=log, hint="Do this.")
    assert (("why",), "Do this.") == (caught.value.lines, caught.value.hint)


@pytest.mark.parametrize(
    "address", ["unix:///nonexistent/docker.sock", "tcp://127.0.0.1:9"], ids=["no socket", "no listener"]
)
def test_no_engine_is_no_answer(address: str) -> None:
    """Where nothing listens there is no version, and no error."""
    assert "" == engine.answering(address, {})


def test_named_engine_is_never_replaced(tmp_path: Path) -> None:
    """When DOCKER_HOST names an engine that does not answer, nothing is installed."""
    with pytest.raises(StepFailed, match="DOCKER_HOST is tcp://127"):
        engine.ensure(Step(), log=tmp_path / "log", environ={"DOCKER_HOST": "tcp://127.0.0.1:9"})


def test_unknown_docker_host() -> None:
    """An address of a kind we cannot use is named, with the kinds we can."""
    with pytest.raises(StepFailed, match="ssh://somewhere"):
        engine.answering("ssh://somewhere", {})


@pytest.fixture
def npm_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in npm's place that only writes down what it was asked for."""
    calls, program = tmp_path / "calls", tmp_path / "bin" / "npm"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$NODE_EXTRA_CA_CERTS|$*" >> {calls}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.delenv("NODE_EXTRA_CA_CERTS", raising=False)
    return calls


@pytest.mark.parametrize(
    ("there", "asked"),
    [
        pytest.param(browser.NPM["axe-core"], False, id="right version"),
        pytest.param("4.0.0", True, id="another version"),
        pytest.param(None, True, id="missing"),
    ],
)
def test_npm_packages_are_installed_once(
    tmp_path: Path, npm_calls: Path, there: str | None, asked: bool
) -> None:
    """Set-up asks npm for the versions the tests are written for, all at once, and only when one is not there."""
    folder = tmp_path / "state" / "node"
    for name, version in {**browser.NPM, "axe-core": there}.items():
        if version is not None:
            (folder / "node_modules" / name).mkdir(parents=True)
            (folder / "node_modules" / name / "package.json").write_text(json.dumps({"version": version}))

    browser.ensure_npm(Step(), contract(tmp_path / "state"))

    wanted = " ".join(f"{name}@{version}" for name, version in browser.NPM.items())
    command = f"|install --prefix {folder} --no-save --no-audit --no-fund -- {wanted}\n"
    assert (command if asked else "") == (npm_calls.read_text() if npm_calls.exists() else "")


def test_npm_trusts_the_site(tmp_path: Path, npm_calls: Path) -> None:
    """A site's own certificates are handed to npm, which reads no system store."""
    bundle = tmp_path / "site.pem"
    bundle.write_text("certificates")

    browser.ensure_npm(Step(), contract(tmp_path / "state", VERSATILEHUB_CA_BUNDLE=str(bundle)))

    assert npm_calls.read_text().startswith(f"{bundle}|install ")


def session(folder: Path, *arguments: str) -> dict[str, list[object]]:
    """Run pytest with the report's plugin in *folder* and return node → requirements and outcome."""
    command = (sys.executable, "-m", "pytest", "-q", "-p", "tests.plugins.requirements", *arguments)
    subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": str(ROOT), "PATH": ""}, capture_output=True, check=False
    )
    tests = json.loads((folder / ".artifacts" / "requirements.json").read_text("utf-8"))["tests"]
    return {node: [record["requirements"], record["outcome"]] for node, record in tests.items()}


@pytest.mark.timeout(90)
def test_requirements_report_is_renewed_by_parts(tmp_path: Path) -> None:
    """A run of some tests renews those, keeps the others, and drops tests that are gone."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = req\n")
    head = "import pytest\n"
    marked = "@pytest.mark.req({0})\ndef test_{1}():\n    assert {2}\n"
    (tmp_path / "test_a.py").write_text(
        head + marked.format("'P2', 'P1'", "one", True) + marked.format("'P1'", "two", False)
    )
    (tmp_path / "test_b.py").write_text(head + marked.format("'V3'", "three", True))
    whole = session(tmp_path)

    (tmp_path / "test_a.py").write_text(head + marked.format("'P2'", "one", True))
    part = session(tmp_path, "test_a.py")

    assert {
        "test_a.py::test_one": [["P1", "P2"], "passed"],
        "test_a.py::test_two": [["P1"], "failed"],
        "test_b.py::test_three": [["V3"], "passed"],
    } == whole
    assert {"test_a.py::test_one": [["P2"], "passed"], "test_b.py::test_three": [["V3"], "passed"]} == part
