"""The rules of the house, kept by reading the code: layers, purity, sizes, names, documentation, the wheel."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import zipfile
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest
from traitlets import HasTraits

from tests.unit.house_rules import (
    BANNED_FUNCTIONS,
    BANNED_MODULE_NAMES,
    CLASS_LINES,
    ENVIRONMENT_READERS,
    FUNCTION_LINES,
    IMPURE_IMPORTS,
    LAYERS,
    MODULE_LINES,
    ONLY_IMPORTERS,
    POSITIONAL_PARAMETERS,
    PURE,
    TOO_LARGE,
)

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "versatilehub"


def module_name(path: Path) -> str:
    """Return the dotted name of *path* below the package: builds/jobs.py is "builds.jobs"."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree(path: Path) -> ast.Module:
    """Parse *path*."""
    return ast.parse(path.read_text("utf-8"), str(path))


def program_files() -> list[Path]:
    """Every Python file of ours that is no test."""
    folders = (ROOT / name for name in ("versatilehub", "images", "scripts", "services", "benchmarks"))
    found = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    return [*found, ROOT / "jupyterhub_config.py"]


def package_files() -> list[Path]:
    """Every module of the package, without empty `__init__`."""
    return [
        path
        for path in sorted(PACKAGE.rglob("*.py"))
        if module_name(path) and path.read_text("utf-8").strip()
    ]


def imported(path: Path) -> set[str]:
    """Absolute names of what *path* imports at run time; imports for type checkers only do not count."""
    return {name for node in run_time_nodes(tree(path)) for name in import_names(node, path)}


def run_time_nodes(module: ast.Module) -> list[ast.AST]:
    """All nodes but those below `if TYPE_CHECKING`."""
    found: list[ast.AST] = []
    waiting: list[ast.AST] = [module]
    while waiting:
        node = waiting.pop()
        found.append(node)
        only_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        waiting.extend(node.orelse if only_types else ast.iter_child_nodes(node))  # type: ignore[attr-defined]  # only_types narrows it
    return found


def import_names(node: ast.AST, path: Path) -> set[str]:
    """Return the absolute dotted names *node* imports, with each imported member as a possible submodule."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if not isinstance(node, ast.ImportFrom):
        return set()
    base = node.module or ""
    if node.level:
        package = ["versatilehub", *path.relative_to(PACKAGE).parent.parts]
        base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
    return {base, *(f"{base}.{alias.name}" for alias in node.names)}


def covers(pattern: str, name: str) -> bool:
    """Tell whether *pattern* is the module *name* or a package around it."""
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def layer_of(name: str) -> int | None:
    """Return the index in LAYERS of the longest pattern that covers *name*."""
    found = [(len(p), index) for index, layer in enumerate(LAYERS) for p in layer if covers(p, name)]
    return max(found)[1] if found else None


def our_modules() -> set[str]:
    """Dotted names of every module and package below versatilehub."""
    return {module_name(path) for path in PACKAGE.rglob("*.py")} - {""}


def own_imports(path: Path) -> set[str]:
    """Our modules that *path* imports, as names below the package."""
    names = {
        name.removeprefix("versatilehub.") for name in imported(path) if name.startswith("versatilehub.")
    }
    return (names & our_modules()) - {module_name(path)}


def pure_files() -> list[Path]:
    """Every module that a pattern of PURE covers."""
    return [path for path in package_files() if any(covers(pattern, module_name(path)) for pattern in PURE)]


def relative(path: Path) -> str:
    """Return the test id of *path*."""
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", package_files(), ids=relative)
def test_every_module_has_a_layer(path: Path) -> None:
    """A new module says where it belongs before anything else."""
    assert layer_of(module_name(path)) is not None, "name it in LAYERS of tests/unit/house_rules.py"


@pytest.mark.parametrize("path", package_files(), ids=relative)
def test_imports_point_one_way(path: Path) -> None:
    """A module imports its own layer or a lower one, never a higher one."""
    own = layer_of(module_name(path))
    assert own is not None
    upwards = sorted(name for name in own_imports(path) if (layer_of(name) or 0) > own)

    assert [] == upwards


def test_no_import_cycles() -> None:
    """Within a layer, too, imports go one way."""
    graph = {module_name(path): own_imports(path) for path in package_files()}
    done: set[str] = set()
    while ready := {
        name for name, needs in graph.items() if name not in done and needs & graph.keys() <= done
    }:
        done |= ready

    assert {} == {name: sorted(graph[name] & graph.keys() - done) for name in graph.keys() - done}


@pytest.mark.parametrize("path", pure_files(), ids=relative)
def test_pure_modules_import_nothing_impure(path: Path) -> None:
    """Pure modules take the clock, the environment and every answer of the world as arguments."""
    names = imported(path)

    assert [] == sorted(name for name in names if {name, name.split(".")[0]} & IMPURE_IMPORTS)


@pytest.mark.parametrize("path", pure_files(), ids=relative)
def test_pure_modules_ask_no_clock(path: Path) -> None:
    """Nothing pure calls `now`, `today` or `utcnow`."""
    calls = {ast.unparse(node.func) for node in ast.walk(tree(path)) if isinstance(node, ast.Call)}

    assert [] == sorted(call for call in calls if re.fullmatch(r"(.*\.)?(now|today|utcnow)", call))


@pytest.mark.parametrize("path", pure_files(), ids=relative)
def test_every_pure_module_has_its_test_file(path: Path) -> None:
    """builds/events.py has test_builds_events.py or test_events.py; source_links.py may share test_sources.py."""
    parts = module_name(path).split(".")
    group = parts[-1].partition("_")[0]
    names = {"_".join(parts), parts[-1], group, f"{group}s"}

    assert any((ROOT / "tests" / "unit" / f"test_{name}.py").exists() for name in names)


@pytest.mark.parametrize(("library", "allowed"), ONLY_IMPORTERS.items(), ids=ONLY_IMPORTERS)
def test_one_door_per_technology(library: str, allowed: tuple[str, ...]) -> None:
    """What talks to Docker or starts processes is imported by its one module."""
    importers = {
        module_name(path) for path in package_files() if library in {n.split(".")[0] for n in imported(path)}
    }

    assert [] == sorted(name for name in importers if not any(covers(door, name) for door in allowed))


@pytest.mark.parametrize("path", package_files(), ids=relative)
def test_the_environment_is_read_at_the_edge(path: Path) -> None:
    """Configuration is read once, by jupyterhub_config.py, and handed down."""
    text = ast.unparse(tree(path))
    reads = re.findall(r"\bos\.(?:environ|getenv)\b", text)

    assert [] == reads or module_name(path) in ENVIRONMENT_READERS


def lines_without_docstring(node: ast.AsyncFunctionDef | ast.ClassDef | ast.FunctionDef) -> int:
    """Count the lines of *node*, its docstring and its decorators left out."""
    count = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is not None:
        count -= (first.end_lineno or first.lineno) - first.lineno + 1
    return count


def oversized(path: Path) -> list[str]:
    """Name everything in *path* that exceeds a limit: "file", "file:Class", "file:function"."""
    here = relative(path)
    found = [here] if len(path.read_text("utf-8").splitlines()) > MODULE_LINES else []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ClassDef) and lines_without_docstring(node) > CLASS_LINES:
            found.append(f"{here}:{node.name}")
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            positional = [
                a for a in (*node.args.posonlyargs, *node.args.args) if a.arg not in {"self", "cls"}
            ]
            if lines_without_docstring(node) > FUNCTION_LINES or len(positional) > POSITIONAL_PARAMETERS:
                found.append(f"{here}:{node.name}")
    return found


@pytest.mark.parametrize("path", program_files(), ids=relative)
def test_sizes(path: Path) -> None:
    """Modules, classes, functions and signatures stay small; an exception has a reason in house_rules.py."""
    assert [] == [name for name in oversized(path) if name not in TOO_LARGE]


def test_size_exceptions_are_still_needed() -> None:
    """An exception whose reason has gone is taken out."""
    still = {name for path in program_files() for name in oversized(path)}

    assert [] == sorted(TOO_LARGE.keys() - still)


@pytest.mark.parametrize("path", program_files(), ids=relative)
def test_names_say_something(path: Path) -> None:
    """No module called utils, no function called do_, handle_ or process_."""
    functions = [
        n.name for n in ast.walk(tree(path)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    empty = [name for name in functions if re.fullmatch(BANNED_FUNCTIONS, name)]

    assert ([], False) == (empty, path.stem in BANNED_MODULE_NAMES)


@pytest.mark.parametrize("path", program_files(), ids=relative)
def test_patterns_match_whole_texts(path: Path) -> None:
    """`re.match` accepts a tail; the house uses `fullmatch`."""
    calls = {ast.unparse(node.func) for node in ast.walk(tree(path)) if isinstance(node, ast.Call)}

    assert "re.match" not in calls


@pytest.mark.parametrize("path", [p for p in program_files() if p.read_text("utf-8").strip()], ids=relative)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    """A module docstring has one to six lines."""
    text = ast.get_docstring(tree(path))

    assert text is not None
    assert len(text.splitlines()) <= 6


def our_configurables() -> list[type[HasTraits]]:
    """Every class of ours with traits, found by importing the whole package."""
    for path in package_files():
        if not covers("store.migrations.env", module_name(path)):  # only Alembic can run it
            importlib.import_module(f"versatilehub.{module_name(path)}")
    waiting: list[type[HasTraits]] = [HasTraits]
    found: set[type[HasTraits]] = set()
    while waiting:
        subclasses = waiting.pop().__subclasses__()
        waiting.extend(subclasses)
        found.update(cls for cls in subclasses if cls.__module__.startswith("versatilehub."))
    return sorted(found, key=lambda cls: cls.__qualname__)


@pytest.mark.timeout(90)  # imports JupyterHub, and every module of ours
def test_every_config_trait_is_documented() -> None:
    """An admin can look up each trait of ours: `jupyterhub --help-all` and the reference print its help."""
    silent = [
        f"{cls.__qualname__}.{name}"
        for cls in our_configurables()
        for name, trait in cls.class_traits(config=True).items()
        if (getattr(trait.this_class, "__module__", "") or "").startswith("versatilehub.")
        and not trait.help.strip()
    ]

    assert [] == silent


def test_jupyterhub_config_is_short() -> None:
    """The working example fits one screen and a half."""
    assert len((ROOT / "jupyterhub_config.py").read_text("utf-8").splitlines()) <= 80


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """File names in a wheel built from this tree, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("versatilehub", "pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        (folder / name).symlink_to(ROOT / name)
    code = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
    result = subprocess.run(
        [sys.executable, "-c", code, str(folder)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        return set(archive.namelist())


@pytest.mark.timeout(120)
def test_wheel_has_every_file_of_the_package(wheel_names: set[str]) -> None:
    """Modules, templates, static files and presets all ship."""
    ours = [p for p in PACKAGE.rglob("*") if p.is_file() and "__pycache__" not in p.parts]

    assert [] == sorted(
        p.relative_to(ROOT).as_posix() for p in ours if p.relative_to(ROOT).as_posix() not in wheel_names
    )


@pytest.mark.timeout(120)
def test_wheel_has_nothing_else(wheel_names: set[str]) -> None:
    """No test, image, script or benchmark of ours lands in site-packages."""
    tops = {name.split("/")[0] for name in wheel_names}

    assert {"versatilehub"} == {name for name in tops if not name.endswith(".dist-info")}


@pytest.mark.timeout(120)
def test_wheel_registers_us_with_jupyterhub(wheel_names: set[str]) -> None:
    """The wheel carries entry points; that they load is tested where the hub runs."""
    assert any(name.endswith(".dist-info/entry_points.txt") for name in wheel_names)
