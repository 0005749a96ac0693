"""Records which tests show which requirement: `@pytest.mark.req("P1", "V13")`, printed by `make requirements`.

The report is kept over runs: a run of some tests renews those and leaves the rest; tests that are gone are dropped. With
pytest-xdist the workers collect and the controller writes: IDs travel with each test's report, names with the collection.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

Record = dict[str, Any]
REPORT_NAME = "requirements.json"
PROPERTY = "req"
# A retried phase can only make an outcome worse: a test whose teardown fails has not shown anything.
WORSE = ("passed", "skipped", "failed")


class RequirementsReport:
    """Collects the outcomes of marked tests and writes them at the end of the session."""

    def __init__(self, path: Path, root: Path, *, worker: bool = False) -> None:
        self._worker = worker
        self._path = path
        self._root = root
        self._known: set[str] = set()
        self._without: set[str] = set()
        self._collected_files: set[str] = set()
        self._wanted: dict[str, list[str]] = {}
        self._outcomes: dict[str, str] = {}

    @pytest.hookimpl(tryfirst=True)  # before -k and -m take tests away: those are not gone
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Note every test there is, and the requirements each names."""
        for item in items:
            self._known.add(item.nodeid)
            self._collected_files.add(_file(item.nodeid))
            identifiers = [text for mark in item.iter_markers("req") for text in mark.args]
            for text in identifiers:
                if not isinstance(text, str) or not re.fullmatch(r"[A-Z]+[0-9]+", text):
                    raise pytest.UsageError(f"{item.nodeid}: {text!r} is no requirement ID like P1")
            if identifiers:
                item.user_properties.append((PROPERTY, sorted(set(identifiers))))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Note the tests a worker has collected."""
        self._known.update(ids)
        self._collected_files.update(_file(node) for node in ids)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the worst outcome of set-up, call and teardown."""
        properties: dict[str, Any] = dict(report.user_properties)
        identifiers: list[str] | None = properties.get(PROPERTY)
        if not identifiers:
            self._without.add(report.nodeid)
        if not identifiers or (report.when != "call" and report.passed):
            return
        self._wanted[report.nodeid] = identifiers
        before = self._outcomes.get(report.nodeid, "passed")
        outcome = "skipped" if hasattr(report, "wasxfail") else report.outcome
        self._outcomes[report.nodeid] = max(before, outcome, key=WORSE.index)

    def pytest_sessionfinish(self) -> None:
        """Write the report, keeping what this run did not touch."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        tests = {node: record for node, record in _read(self._path).items() if self._still_there(node)}
        for node, outcome in self._outcomes.items():
            tests[node] = {"requirements": self._wanted[node], "outcome": outcome, "at": now}
        if not tests or self._worker:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self._path.with_suffix(".new")
        scratch.write_text(json.dumps({"tests": tests}, indent=1, sort_keys=True) + "\n", "utf-8")
        scratch.replace(self._path)

    def _still_there(self, node: str) -> bool:
        if node in self._known:
            return node not in self._without
        return _file(node) not in self._collected_files and (self._root / _file(node)).exists()


def _file(node: str) -> str:
    return node.partition("::")[0]


def _read(path: Path) -> dict[str, Record]:
    try:
        tests: dict[str, Record] = json.loads(path.read_text("utf-8"))["tests"]
    except (OSError, ValueError, KeyError):
        return {}
    return tests


def pytest_configure(config: pytest.Config) -> None:
    """Start the report, unless this run only collects; a worker collects and names the IDs, but writes nothing."""
    if not config.getoption("collectonly"):
        path = config.rootpath / ".artifacts" / REPORT_NAME
        config.pluginmanager.register(
            RequirementsReport(path, config.rootpath, worker=hasattr(config, "workerinput")),
            "versatilehub-requirements",
        )
