"""What decides whether an image is built, and the stand-ins of the single-user server's start."""

from __future__ import annotations

import importlib
import sys
import tarfile
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from images import make
from images.singleuser.versatilehub_start.standins import StandIn, stand_ins

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def slow_module(tmp_path: Path) -> Iterator[str]:
    """Name of an importable module with one value, `answer`."""
    (tmp_path / "vh_slow_module.py").write_text("answer = 42\n", encoding="utf-8")
    sys.path.insert(0, str(tmp_path))
    importlib.invalidate_caches()
    yield "vh_slow_module"
    sys.path.remove(str(tmp_path))
    sys.modules.pop("vh_slow_module", None)


def test_stand_in_is_what_an_import_finds_inside_the_block(slow_module: str) -> None:
    """Inside the block an import finds the stand-in and the values it was given, not the module."""
    with stand_ins({slow_module: {"answer": "later"}}):
        found = importlib.import_module(slow_module)
        assert isinstance(found, StandIn)
        assert found.answer == "later"


def test_kept_stand_in_reaches_the_real_module_after_the_block(slow_module: str) -> None:
    """Code that kept the stand-in gets the real module's values at first use."""
    with stand_ins({slow_module: {}}):
        kept = importlib.import_module(slow_module)
    assert slow_module not in sys.modules
    assert kept.answer == 42
    assert importlib.import_module(slow_module).answer == 42


def test_value_nobody_foresaw_fails_inside_the_block(slow_module: str) -> None:
    """An importer that takes a value the table does not name fails at once, so the stock start can be taken."""
    with stand_ins({slow_module: {}}):
        found = importlib.import_module(slow_module)
        with pytest.raises(AttributeError, match="answer"):
            _ = found.answer


def test_imported_module_is_left_alone(slow_module: str) -> None:
    """A module that is imported already keeps its place."""
    real = importlib.import_module(slow_module)
    with stand_ins({slow_module: {"answer": "later"}}):
        assert importlib.import_module(slow_module) is real
    assert sys.modules[slow_module] is real


def test_archive_depends_on_its_files_only() -> None:
    """The same files give the same bytes, so that a build cache holds, and modes are kept."""
    files = {"a": (b"1", 0o644), "b/c": (b"2", 0o755)}
    assert make.archive(files) == make.archive(files)
    with tarfile.open(fileobj=BytesIO(make.archive(files))) as tar:
        assert [(entry.name, entry.mode, entry.mtime) for entry in tar] == [
            ("a", 0o644, 0),
            ("b/c", 0o755, 0),
        ]


def test_another_ca_bundle_rebuilds_every_image_but_the_base() -> None:
    """The bundle goes into each image's trust store, so it counts; the base holds none."""
    one, two = make.source_hashes(b"one"), make.source_hashes(b"two")
    assert {name for name in one if one[name] == two[name]} == {"base"}


@pytest.mark.parametrize(
    ("recipe", "wanted"),
    [
        pytest.param("builder", {"Dockerfile", ".site/trust-ca", ".site/ca-bundle.crt"}, id="its-own-folder"),
        pytest.param(
            "singleuser", {"versatilehub_start/launch.py", "entry", "requirements.txt"}, id="start-package"
        ),
        pytest.param("hub", {"project/pyproject.toml", "project/versatilehub/__init__.py"}, id="the-project"),
    ],
)
def test_context_holds_what_the_dockerfile_copies(recipe: str, wanted: set[str]) -> None:
    """A build context is the image's folder, the named parts of the project, and the site's certificates."""
    found = make.files_of(next(one for one in make.RECIPES if one.name == recipe), b"bundle")
    assert wanted <= found.keys()
    assert not [name for name in found if "__pycache__" in name]


def test_unknown_image_name_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt name ends at once and says what there is."""
    with pytest.raises(SystemExit):
        make.main(["singeluser"])
    assert "base, builder, singleuser, test-server, hub" in capsys.readouterr().err
