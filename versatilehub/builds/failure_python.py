"""Causes that lie in Python packages, as pip and uv say them. Pure."""

from __future__ import annotations

from typing import Final

from .failure_rule import APT, PIP, Rule

PYTHON: Final[tuple[Rule, ...]] = (
    Rule(
        code="package_hash",
        pattern=r"DO NOT MATCH THE HASHES[^\n]*\n\s*(?P<what>[\w.-]+(?:==[^\s]+)?) from",
        message="The package “{}” is not the one whose hash the package list has.",
        hint="Renew the hashes (`pip-compile --generate-hashes`, `uv pip compile --generate-hashes`).",
        file=PIP,
    ),
    Rule(
        code="python_version",
        pattern=r"Cannot install on Python version (?P<other>[\d.]+); only versions (?:[^\n]*\n)+?[^\n]*hint: `(?P<what>[\w.-]+)`"
        r"|Package '(?P<what2>[^'\n]+)' requires a different Python: (?P<other2>\S+)"
        r"|require a different python version:[^\n]*?\b(?P<v>[\w.]+) Requires-Python[^\n]*\n(?:[^\n]*\n)*?"
        r"[^\n]*No matching distribution found for (?P<what3>[\w.-]+==(?P=v))(?=\s|$)"
        r"|current Python version \((?P<other3>[\d.]+)\) does not satisfy Python\S+ and (?P<what4>[^\s,]+)",
        message="The package “{}” does not run on Python {other}.|The package “{}” does not run on the Python of this environment.",
        hint="Choose another version of the package, or of Python in `runtime.txt`.",
        file=PIP,
    ),
    Rule(
        code="package_too_old",
        pattern=r"No module named '(?:distutils|imp|asyncore)[\w.]*'(?:[^\n]*\n)*?"
        r"[^\n]*(?:Failed to build '(?P<what>[^'\n]+)'|hint: `(?P<what2>[\w.-]+)` \()",
        message="The package “{}” is too old for the Python of this environment, and has no wheel for it.",
        hint="Ask for a newer version, or for an older Python in `runtime.txt`.",
        file=PIP,
    ),
    Rule(
        code="package_not_found",
        pattern=r"No matching distribution found for (?P<what>[^\s;]+)"
        r"|Because (?P<what2>[\w.-]+) was not found in the package registry"
        r"|there (?:is no version|are no versions) of (?P<what3>[^\s,]+) and you require"
        r"|Because only \S+ is available and you require (?P<what4>[^\s,]+)",
        message="No Python package “{}” can be installed: the name or version does not exist for this Python.",
        hint="Check its spelling and version on pypi.org.",
        file=PIP,
    ),
    Rule(
        code="package_conflict",
        pattern=r"Cannot install (?P<what>[^\n]+?) and (?P<other>\S+) because these package versions have conflicting"
        r"|Because you require (?P<what2>\S+) and (?P<other2>\S+), we can conclude"
        r"|Because (?P<what3>\S+) depends on (?:[^\n]*\n)+?[^\n]*because you require (?P<other3>\S+), we can conclude"
        r"|ResolutionImpossible|conflicting dependencies|No solution found when resolving",
        message="The Python packages “{}” and “{other}” contradict each other.|The Python packages asked for contradict each other.",
        hint="Loosen or remove version limits until they agree; the log says which.",
        file=PIP,
    ),
    Rule(
        code="requirements_encoding",
        pattern=r"failed to decode file `(?P<file>[^`\n]+)`|codec can't decode byte[^\n]*(?:\n[^\n]*){0,3}?requirements",
        message="The package list is not UTF-8 text.",
        hint="Save it as UTF-8 in your editor.",
        file=PIP,
    ),
    Rule(
        code="requirements_syntax",
        pattern=r"Couldn't parse requirement in `(?P<file>[^`\n]+)`[^\n]*\n\s*cause:[^\n]*\n\s*(?P<what>[^\n]+)"
        r"|Invalid requirement:? '(?P<what2>[^'\n]+)'(?:[^\n]*\n){0,4}?[^\n]*\(from line (?P<line>\d+) of (?P<file2>[^)\n]+)\)"
        r"|Invalid requirement:? ?(?P<what3>[^\n]*)|Couldn't parse requirement in",
        message="A line of the package list cannot be read: “{}”.|A line of the package list cannot be read.",
        hint="Write one package a line, as in `numpy>=2`.",
        file=PIP,
    ),
    Rule(
        code="requirements_file_missing",
        pattern=r"failed to read from file `(?:/srv/repo/)?(?P<what>[^`\n]+)`: No such file"
        r"|Could not open requirements file: [^\n]*No such file or directory: '(?P<what2>[^'\n]+)'",
        message="The package list names the file “{}”, which is not in the repository.",
        hint="Check the path after `-r` or `-c`: it begins at the folder of the file it stands in.",
        file=PIP,
    ),
    Rule(
        code="python_managed",
        pattern=r"externally-managed-environment|See PEP 668",
        message="A step installs Python packages into Debian's own Python, which pip refuses.",
        hint="Use the image's environment: `pip` without a path, or `uv pip install`; or make one with `python3 -m venv`.",
    ),
    Rule(
        code="rust_missing",
        pattern=r"can't find Rust compiler|cargo[^\n]{0,40}not (?:found|installed)|rustc[^\n]{0,40}not (?:found|installed)",
        message="A package has to be compiled with Rust, and there is no Rust compiler.",
        hint="Choose a version that has a wheel for this Python, or add `rustc` and `cargo` to `apt.txt`.",
        file=APT,
    ),
    Rule(
        code="cmake_missing",
        pattern=r"Problem with the CMake installation|CMake must be installed|Could not find CMake",
        message="A package has to be compiled with CMake, which is not installed.",
        hint="Add `cmake` and `build-essential` to `apt.txt`, or choose a version that has a wheel.",
        file=APT,
    ),
    Rule(
        code="compiler_missing",
        pattern=r"command '(?P<what>[\w+-]*(?:gcc|cc|g\+\+|clang))' failed: No such file"
        r"|No such file or directory: '(?P<what3>[\w+-]*(?:gcc|cc|g\+\+|clang))'"
        r"|unable to execute '(?P<what2>[\w+-]*(?:gcc|cc|g\+\+))'",
        message="A package has to be compiled and there is no compiler.",
        hint="Add `build-essential` to `apt.txt`, or choose a version that has a wheel.",
        file=APT,
    ),
    Rule(
        code="header_missing",
        pattern=r"fatal error: (?P<what>[\w./+-]+): No such file or directory",
        message="A program has to be compiled and the header “{}” is missing.",
        hint="Add the Debian package that has it, usually named `lib…-dev`, to `apt.txt` (packages.debian.org searches contents).",
        file=APT,
    ),
    Rule(
        code="library_missing",
        pattern=r"cannot find -l(?P<what>[\w+.-]+)|(?P<what2>pg_config|mysql_config|pkg-config)[^\n]{0,20} not found"
        r"|Package '?(?P<what3>[\w.+-]+)'?, required by [^\n]*not found",
        message="A program has to be compiled and the library of “{}” is missing.",
        hint="Add its Debian package, usually named `lib…-dev`, to `apt.txt`, or choose a package that has a wheel (`…-binary`).",
        file=APT,
    ),
    Rule(
        code="package_build_failed",
        pattern=r"Failed building wheel for (?P<what>[^\s]+)|Failed to build [`'](?P<what2>[^`'\n]+?)(?: @ [^`'\n]*)?[`']"
        r"|Failed to build installable wheels|Build failures usually indicate a problem with the package",
        message="The Python package “{}” could not be built.|A Python package could not be built.",
        hint="The lines before say why; a version that has a wheel for this Python needs no building.",
        file=PIP,
    ),
)
