"""Which pack is chosen, why, and what the fast one writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from versatilehub_builder.dockerfile import readings
from versatilehub_builder.fastpack import needs_content, render_uv
from versatilehub_builder.lines import Failure
from versatilehub_builder.lint import LintRules, check_dockerfile
from versatilehub_builder.packs import NOTHING, choose
from versatilehub_builder.render import count_steps, with_content

from tests.unit.builder.trees import make_tree

if TYPE_CHECKING:
    from pathlib import Path

PROJECT = '[project]\nname = "x"\nversion = "1"\n{more}\n[build-system]\nrequires = ["setuptools"]\n'


@pytest.mark.req("V13")
@pytest.mark.parametrize(
    ("files", "pack", "why"),
    [
        pytest.param({"a.ipynb": ""}, "uv", NOTHING, id="nothing"),
        pytest.param({"requirements.txt": "x"}, "uv", "it needs requirements.txt only", id="requirements"),
        pytest.param({"apt.txt": "x", "start": ""}, "uv", "it needs apt.txt and start only", id="apt-start"),
        pytest.param(
            {"pyproject.toml": PROJECT.format(more="")}, "uv", "it needs pyproject.toml only", id="package"
        ),
        pytest.param({"pyproject.toml": "[tool.ruff]"}, "uv", NOTHING, id="settings-only"),
        pytest.param(
            {"binder/requirements.txt": "x"}, "uv", "it needs binder/requirements.txt only", id="binder"
        ),
        pytest.param({"runtime.txt": "python-3.13\n"}, "uv", "it needs runtime.txt only", id="same-python"),
        pytest.param({"runtime.txt": "python-3"}, "uv", "it needs runtime.txt only", id="any-python"),
        pytest.param(
            {"Dockerfile": "x", "environment.yml": ""}, "dockerfile", "Dockerfile decides", id="dockerfile"
        ),
        pytest.param({"binder/x": "", "Dockerfile": "x"}, "uv", NOTHING, id="binder-hides-the-top"),
        pytest.param({"binder/Dockerfile": "x"}, "dockerfile", "binder/Dockerfile", id="binder-dockerfile"),
        pytest.param({"runtime.txt": "python-3.10"}, "repo2docker", "'python-3.10'", id="other-python"),
        pytest.param({"runtime.txt": "r-4.1-2022-01-01"}, "repo2docker", "'r-4.1-2022-01-01'", id="r"),
        pytest.param(
            {"environment.yml": "", "requirements.txt": ""}, "repo2docker", "environment.yml", id="conda"
        ),
        pytest.param({"Project.toml": ""}, "repo2docker", "Project.toml", id="julia"),
        pytest.param({"setup.py": ""}, "repo2docker", "setup.py", id="setup-py"),
        pytest.param({"DESCRIPTION": ""}, "repo2docker", "DESCRIPTION", id="r-package"),
        pytest.param({"binder/x": "", "DESCRIPTION": ""}, "uv", NOTHING, id="r-package-beside-binder"),
        pytest.param(
            {"pyproject.toml": PROJECT.format(more='requires-python = "<3.12"')},
            "repo2docker",
            "<3.12",
            id="excluded-python",
        ),
        pytest.param(
            {"pyproject.toml": PROJECT.format(more='requires-python = ">=3.13.2"')},
            "uv",
            "only",
            id="newer-patch",
        ),
    ],
)
def test_choice(files: dict[str, str], pack: str, why: str, tmp_path: Path) -> None:
    """The fast pack takes what it can; everything else is repo2docker's, with the file that decided."""
    choice = choose(make_tree(tmp_path, files), "3.13")
    assert pack == choice.pack
    assert why in choice.why


def test_unreadable_project(tmp_path: Path) -> None:
    """A broken pyproject.toml is named before anything is built."""
    with pytest.raises(Failure, match=r"pyproject\.toml is not TOML"):
        choose(make_tree(tmp_path, {"pyproject.toml": "["}), "3.13")


def rendered(tmp_path: Path, files: dict[str, str]) -> list[str]:
    """Return the fast pack's Dockerfile for *files*, checked by the lint, as lines."""
    choice = choose(make_tree(tmp_path, files), "3.13")
    text = render_uv(choice, base="versatilehub/singleuser:latest", cache="vh-1").text
    check_dockerfile(text, LintRules(images=("versatilehub/singleuser",), cache="vh-1"))
    return text.splitlines()


def test_requirements_come_before_content(tmp_path: Path) -> None:
    """A change of a notebook leaves the installed packages in the cache."""
    lines = rendered(tmp_path, {"requirements.txt": "numpy", "apt.txt": "tree\n", "postBuild": ""})
    order = [next(n for n, line in enumerate(lines) if part in line) for part in _ORDER]
    assert sorted(order) == order


_ORDER = (
    "apt-get install -y -qq --no-install-recommends -- tree",
    "-r requirements.txt",
    "COPY --chown=1000:100 . ",
    "postBuild",
)


def test_local_requirements_come_after_content(tmp_path: Path) -> None:
    """``-e .`` needs the files."""
    lines = rendered(tmp_path, {"requirements.txt": "-e .", "setup.cfg": ""})
    assert lines.index("COPY --chown=1000:100 . /srv/repo/") < next(
        number for number, line in enumerate(lines) if "-r requirements.txt" in line
    )


def test_last_user_is_the_person(tmp_path: Path) -> None:
    """The server runs as the base image's person, also after packages of root's."""
    lines = rendered(tmp_path, {"apt.txt": "tree"})
    assert "USER 1000:100" == [line for line in lines if line.startswith("USER")][-1]


@pytest.mark.parametrize(
    ("line", "local"),
    [
        ("numpy==2.0", False),
        ("pkg @ https://github.com/a/b/archive/x.zip", True),
        ("git+https://github.com/a/b", False),
        ("--extra-index-url https://x.org", False),
        ("-e .", True),
        ("-r more.txt", True),
        ("--constraint=c.txt", True),
        ("./pkg", True),
        ("../pkg", True),
        (".", True),
        (".[dev]", True),
        ("pkg @ file:./x", True),
        ("wheels/x-1.0-py3-none-any.whl", True),
        ("# ./comment", False),
        ("a-e.b", False),
    ],
)
def test_needs_content(line: str, *, local: bool) -> None:
    """Only requirements that can be told from files of the repository are installed before them."""
    assert local == needs_content(f"numpy\n{line}\n")


@pytest.mark.parametrize(
    ("text", "added"),
    [
        pytest.param("FROM a\nUSER jovyan", True, id="plain"),
        pytest.param("FROM a\nCOPY . /srv/repo", False, id="there"),
        pytest.param("FROM a\nCOPY --chown=1 ./ /srv/repo/", False, id="there-otherwise"),
        pytest.param('FROM a\nADD [".", "/srv/repo/"]', False, id="there-json"),
        pytest.param("FROM a\nCOPY . /srv/repo\nFROM b", True, id="in-another-stage"),
        pytest.param("FROM a\nCOPY --from=b . /srv/repo", True, id="from-elsewhere"),
        pytest.param("FROM a\nCOPY x /srv/repo", True, id="a-part"),
    ],
)
def test_content_is_added_once(text: str, *, added: bool) -> None:
    """Placing finds the content in every image, and an author's own copy is not doubled."""
    assert added == with_content(text).endswith("\nCOPY --chown=1000:1000 . /srv/repo/\n")


def test_content_after_an_open_line() -> None:
    """Appending to an unfinished instruction would become part of it."""
    with pytest.raises(Failure, match="ends within"):
        with_content("FROM a\nRUN true \\")


def test_steps_are_counted() -> None:
    """The number shown is the number BuildKit counts to."""
    assert 4 == count_steps("ARG X\nFROM a\nENV X=1\nRUN x\nWORKDIR /\nUSER 1\nCOPY a b\n")


def test_lines_and_flags() -> None:
    """An instruction knows where it began, its flags without quotes, and its operands."""
    (reading,) = readings('FROM a\nCOPY --from="b" \\\n  --chown=1 ["x y", "/z"]\n')
    copy = reading.instructions[1]
    assert (2, ("--from=b", "--chown=1"), ("x y", "/z")) == (copy.line, copy.flags, copy.words)
