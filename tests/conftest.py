"""What all tests share.

- The folder is the marker (tests/unit → `unit`), sets the time limit of a test, and the order: fast ones first.
- `artifacts`: where logs, screenshots and reports of a run are kept.
- `session_label`: the label of everything made in Docker; leftovers fail the run (plugins/leftovers.py).
- HOME, git's and Docker's configuration point into a temporary folder, for tests and what they start.
- `hub`, `make_hub`, `forge`, `user`: a real hub, a git host for it, and a person at it (plugins/hubs.py).
- `@pytest.mark.req("P1")`: this test shows that requirement (plugins/requirements.py).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = ["tests.plugins.requirements", "tests.plugins.leftovers", "tests.plugins.hubs"]

TESTS = Path(__file__).parent
# Folder → seconds a test may take with its fixtures, in the order they run. A test's own `timeout` mark wins.
FOLDERS = {"unit": 20, "property": 60, "integration": 180, "hub": 180, "browser": 180, "acceptance": 600}

settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True, print_blob=True)
settings.register_profile("nightly", max_examples=5000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test its folder's marker and time limit, and put the fast folders first."""
    order = {folder: index for index, folder in enumerate(FOLDERS)}
    for item in items:
        folder = _folder(item)
        if folder not in FOLDERS:
            raise pytest.UsageError(f"{item.nodeid} is in none of the folders {', '.join(FOLDERS)}")
        item.add_marker(folder)
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(FOLDERS[folder]))
    items.sort(key=lambda item: order[_folder(item)])


@pytest.fixture(scope="session")
def artifacts(pytestconfig: pytest.Config) -> Path:
    """Folder kept after the run: logs, screenshots, traces."""
    folder = pytestconfig.rootpath / ".artifacts"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _nobody_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the developer's own git, Docker and Jupyter configuration out of the tests, and tests out of it."""
    home = tmp_path_factory.mktemp("home")
    browsers = Path.home() / ".cache" / "ms-playwright"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        patch.setenv("DOCKER_CONFIG", str(home / ".docker"))
        patch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
        if "PLAYWRIGHT_BROWSERS_PATH" not in os.environ:
            patch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(browsers))
        yield
