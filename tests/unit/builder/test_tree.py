"""The check of a fetched tree, against the corpus and against each rule by itself."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from versatilehub_builder.lines import Failure
from versatilehub_builder.lint import LintRules, check_dockerfile
from versatilehub_builder.tree import build_folder, check_tree, read_build_file

from tests.bad_inputs import Case, cases
from tests.unit.builder.trees import RULES, make_tree

if TYPE_CHECKING:
    from pathlib import Path

BASE = ("versatilehub/singleuser",)


@pytest.mark.parametrize("case", cases("repo_tree"))
def test_corpus(case: Case, tmp_path: Path) -> None:
    """Every tree of the corpus gets its verdict; what only unpacks at build time meets the build's disk limit."""
    if "zip.bomb" in case.value:
        return  # test_builder_package.py::test_limits[fills]
    tree = make_tree(tmp_path, case.value)
    try:
        check_tree(tree, RULES)
        if "Dockerfile" in case.value:
            check_dockerfile((tree / "Dockerfile").read_text(), LintRules(images=BASE))
        accepted = True
    except Failure:
        accepted = False
    assert case.accepted == accepted


@pytest.mark.parametrize(
    ("files", "code"),
    [
        pytest.param({"a": "symlink:/etc/passwd"}, "link_leaves_tree", id="absolute"),
        pytest.param({"d/a": "symlink:../../x"}, "link_leaves_tree", id="one-too-many"),
        pytest.param(
            {"d": "symlink:.", "l": "symlink:d/d/.."}, "link_leaves_tree", id="through-a-link-to-itself"
        ),
        pytest.param(
            {"x/y/f": "", "d": "symlink:x/y", "l": "symlink:d/../../.."}, "link_leaves_tree", id="detour"
        ),
        pytest.param({"missing": "symlink:no/../../x"}, "link_leaves_tree", id="through-nothing"),
        pytest.param({"a": "symlink:.git/config"}, "link_leaves_tree", id="into-git"),
        pytest.param({"b": "symlink:a", "a": "symlink:/"}, "link_leaves_tree", id="chain"),
        pytest.param(
            {"requirements.txt": "symlink:other.txt", "other.txt": ""}, "build_file_is_link", id="build-file"
        ),
        pytest.param({"binder/start": "symlink:../run", "run": ""}, "build_file_is_link", id="in-binder"),
        pytest.param({"conf/x": "", "binder": "symlink:conf"}, "build_file_is_link", id="binder-itself"),
        pytest.param({".dockerignore": "symlink:x", "x": ""}, "build_file_is_link", id="dockerignore"),
        pytest.param({".gitmodules": "symlink:x", "x": ""}, "build_file_is_link", id="gitmodules"),
        pytest.param({"sub/.git/config": "[core]"}, "nested_git", id="nested-git"),
        pytest.param({"sub/.GIT/config": "[core]"}, "nested_git", id="nested-git-other-case"),
        pytest.param({"apt.txt": "graphviz && id"}, "apt_package_name", id="apt"),
        pytest.param({"binder/apt.txt": "-o=x"}, "apt_package_name", id="apt-in-binder"),
        pytest.param({"Dockerfile": "#" * (1024 * 1024 + 1)}, "build_file_too_large", id="large-dockerfile"),
        pytest.param({"\udcff.txt": ""}, "name_not_utf8", id="latin-1-name"),
    ],
)
def test_refused(files: dict[str, str], code: str, tmp_path: Path) -> None:
    """What leaves the tree, hides a build file or attacks what reads it is refused with its own code."""
    with pytest.raises(Failure) as caught:
        check_tree(make_tree(tmp_path, files), RULES)
    assert code == caught.value.code


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"a/b": "", "c": "symlink:a/b"}, id="inside"),
        pytest.param({"a/b": "", "a/c": "symlink:../a/b"}, id="up-and-down"),
        pytest.param({"a": "symlink:nowhere/x"}, id="dangling"),
        pytest.param({"a": "symlink:b", "b": "symlink:a"}, id="ring"),
        pytest.param({"x/y/f": "", "d": "symlink:x/y", "l": "symlink:d/../.."}, id="detour-that-stays"),
        pytest.param({"docs/Dockerfile": "symlink:../x", "x": ""}, id="a-dockerfile-nobody-builds"),
        pytest.param({"naïve ☃\n.txt": "", "-rf": "", "*": ""}, id="unusual-names"),
    ],
)
def test_accepted(files: dict[str, str], tmp_path: Path) -> None:
    """Links that stay inside and unusual names are nobody's harm."""
    check_tree(make_tree(tmp_path, files), RULES)


def test_fifo(tmp_path: Path) -> None:
    """A pipe would make whoever reads it wait for ever."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Failure, match="neither file"):
        check_tree(tmp_path, RULES)


def test_subdir(tmp_path: Path) -> None:
    """The folder asked for must exist, be no link, and its build files are checked as the top's are."""
    make_tree(tmp_path, {"a/apt.txt": "symlink:../x", "x": "", "l": "symlink:a"})
    codes = []
    for subdir in ("none", "l", "a", "x"):
        with pytest.raises(Failure) as caught:
            check_tree(tmp_path, replace(RULES, subdir=subdir))
        codes.append(caught.value.code)
    assert codes == ["subdir_not_found", "subdir_not_found", "build_file_is_link", "subdir_not_found"]


def test_two_build_folders(tmp_path: Path) -> None:
    """Binder and .binder exclude each other, as in repo2docker."""
    make_tree(tmp_path, {"binder/x": "", ".binder/x": ""})
    with pytest.raises(Failure, match="both"):
        build_folder(tmp_path)


def test_read_build_file_follows_nothing(tmp_path: Path) -> None:
    """A link put in place after the check is still not followed."""
    make_tree(tmp_path, {"a": "symlink:/etc/passwd"})
    with pytest.raises(Failure, match="is a link"):
        read_build_file(tmp_path / "a", "a")
