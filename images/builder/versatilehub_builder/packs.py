"""Which pack builds a tree, and why: our own ``uv`` pack wherever it can, repo2docker's packs for the rest.

Pure but for reading the build files of the tree, which `tree.check_tree` has passed before.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from versatilehub_builder.aptfile import read_apt
from versatilehub_builder.lines import Failure
from versatilehub_builder.tree import build_folder, read_build_file

if TYPE_CHECKING:
    from pathlib import Path

UV, DOCKERFILE, REPO2DOCKER = "uv", "dockerfile", "repo2docker"
# What only repo2docker's packs read; those marked False count in the top folder only.
_FOREIGN = (
    ("environment.yml", True),
    ("environment.yaml", True),
    ("Pipfile", True),
    ("Pipfile.lock", True),
    ("Project.toml", True),
    ("JuliaProject.toml", True),
    ("REQUIRE", True),
    ("default.nix", True),
    ("install.R", True),
    ("requirements3.txt", True),
    ("DESCRIPTION", False),
)
_OURS = ("requirements.txt", "pyproject.toml", "apt.txt", "postBuild", "start", "runtime.txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """*pack* is uv, dockerfile or repo2docker; *why* one sentence; *folder* "binder/", ".binder/" or ""."""

    pack: str
    why: str
    folder: str
    package: bool = False  # the tree itself is a Python package to install
    apt: tuple[str, ...] = ()
    files: tuple[str, ...] = ()  # the build files found, as paths in the tree
    requirements: str = ""  # the text of requirements.txt

    def has(self, name: str) -> bool:
        """Whether the build file *name* was found."""
        return self.folder + name in self.files


def choose(tree: Path, python: str) -> Choice:
    """Return the pack for *tree*, whose base has Python *python* ("3.13"); raise `Failure` on files nobody can read."""
    inner = build_folder(tree)
    folder = inner + "/" if inner else ""
    if (tree / folder / "Dockerfile").is_file():
        why = f"{folder}Dockerfile decides everything"
        return Choice(pack=DOCKERFILE, why=why, folder=folder, files=(folder + "Dockerfile",))
    for name, anywhere in _FOREIGN:
        if (tree / folder / name).is_file() and (anywhere or not folder):
            return Choice(pack=REPO2DOCKER, why=f"{folder}{name} needs repo2docker's own pack", folder=folder)
    texts = {
        folder + name: read_build_file(tree / folder / name, folder + name)
        for name in _OURS
        if (tree / folder / name).is_file() and not (name == "pyproject.toml" and folder)
    }
    package, reason = _package(tree, texts) if not folder else (False, "")
    reason = reason or _runtime(texts.get(folder + "runtime.txt", ""), python, folder)
    reason = reason or _python(texts.get("pyproject.toml", "") if package else "", python)
    if reason:
        return Choice(pack=REPO2DOCKER, why=reason, folder=folder)
    apt = read_apt(texts[folder + "apt.txt"], folder + "apt.txt") if folder + "apt.txt" in texts else ()
    used = tuple(path for path in texts if path != "pyproject.toml" or package)
    return Choice(
        pack=UV,
        why=f"it needs {_listed(used)} only" if used else NOTHING,
        folder=folder,
        package=package,
        apt=apt,
        files=used,
        requirements=texts.get(folder + "requirements.txt", ""),
    )


NOTHING = "it has no build file; add a requirements.txt for Python packages, or a Dockerfile"


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _package(tree: Path, texts: dict[str, str]) -> tuple[bool, str]:
    """Return whether the top is a package ``uv pip install .`` takes, and why only repo2docker could take it."""
    setup = (tree / "setup.py").is_file()
    text = texts.get("pyproject.toml", "")
    tables = _toml(text) if text else {}
    if "project" in tables and "build-system" in tables:
        return True, ""
    return False, "setup.py needs repo2docker's own pack" if setup else ""


def _toml(text: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = f"The file pyproject.toml is not TOML: {error}."
        raise Failure("build_file_unreadable", message, file="pyproject.toml") from error


def _runtime(text: str, python: str, folder: str) -> str:
    """Return why *text* asks for another runtime than *python*, "" when it does not."""
    asked = text.strip()
    if not asked:
        return ""
    match = re.fullmatch(r"python-(3(?:\.\d{1,2})?)(?:\.\d{1,2})?", asked)
    if match and (match[1] == "3" or match[1] == python):
        return ""
    return f"{folder}runtime.txt asks for {asked[:40]!r}, and the fast pack has Python {python}"


def _python(text: str, python: str) -> str:
    """Return why the package's ``requires-python`` excludes *python*, "" when it does not."""
    project = _toml(text).get("project") if text else None
    wanted = project.get("requires-python", "") if isinstance(project, dict) else ""
    if not wanted:
        return ""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415 - slow, and few trees need it

    try:
        fits = SpecifierSet(str(wanted)).contains(python + ".99", prereleases=True)
    except InvalidSpecifier as error:
        message = f"The file pyproject.toml requires Python {wanted!r}, which is no version range."
        raise Failure("build_file_unreadable", message, file="pyproject.toml") from error
    return "" if fits else f"pyproject.toml requires Python {wanted}, and the fast pack has {python}"
