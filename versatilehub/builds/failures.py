"""What a failed build most likely died of: one sentence, one thing to do, and the file it is about.

Pure: a table of causes, each recognised by the builder's error code or by a line near the end of the log. The
table is tried from top to bottom, the log from its last line up, so the first, most exact cause wins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .events import BuilderLine

TAIL: Final = 200
"""How many of the last lines are looked at."""
_SHOWN: Final = 80
"""Characters of a build's own text shown within a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a build failed, in words for the person who started it. *file* is "" where none is at fault."""

    code: str
    message: str
    hint: str
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """One row: *pattern* is looked for in each line; its group `what` replaces the "{}" of *message*."""

    code: str
    pattern: str
    message: str
    hint: str
    file: str = ""


_FAILED: Final = re.compile(r"#(?P<step>\d+) ERROR: ")
_PIP_FILE: Final = "requirements.txt"

RULES: Final[tuple[_Rule, ...]] = (
    _Rule(
        code="disk_full",
        pattern=r"[Nn]o space left on device",
        message="The disk of this machine is full.",
        hint="Tell an administrator; unused images and volumes can be removed.",
    ),
    _Rule(
        code="out_of_memory",
        pattern=r"exit code: 137|signal: killed|Killed$|Cannot allocate memory|MemoryError|out of memory",
        message="A step of the build used more memory than a build may have.",
        hint="Install less at once, or ask an administrator for a higher limit.",
    ),
    _Rule(
        code="too_many_processes",
        pattern=r"[Rr]esource temporarily unavailable|can't start new thread|fork: retry|Cannot fork",
        message="A step of the build started more processes than a build may have.",
        hint="Limit parallel jobs (for example `make -j2`).",
    ),
    _Rule(
        code="package_not_found",
        pattern=r"No matching distribution found for (?P<what>[^\s;]+)"
        r"|Because (?P<what2>[\w.-]+) was not found in the package registry"
        r"|there (?:is no version|are no versions) of (?P<what3>[^\s,]+) and you require"
        r"|Because only \S+ is available and you require (?P<what4>[^\s,]+)",
        message="No Python package “{}” can be installed: the name or version does not exist for this Python.",
        hint="Check its spelling and version on pypi.org.",
        file=_PIP_FILE,
    ),
    _Rule(
        code="package_conflict",
        pattern=r"ResolutionImpossible|conflicting dependencies|No solution found when resolving",
        message="The Python packages asked for contradict each other.",
        hint="Loosen or remove version limits until they agree; the log names the packages.",
        file=_PIP_FILE,
    ),
    _Rule(
        code="python_version",
        pattern=r"requires a different Python|Requires-Python|does not satisfy Python",
        message="A package needs another version of Python than this environment has.",
        hint="Choose another version of the package, or of Python in `runtime.txt`.",
        file=_PIP_FILE,
    ),
    _Rule(
        code="requirements_syntax",
        pattern=r"Invalid requirement:? ?(?P<what>.*)|Couldn't parse requirement in",
        message="A line of the package list cannot be read: “{}”.",
        hint="Write one package a line, as in `numpy>=2`.",
        file=_PIP_FILE,
    ),
    _Rule(
        code="requirements_file_missing",
        pattern=r"failed to read from file `(?:/srv/repo/)?(?P<what>[^`]+)`: No such file"
        r"|Could not open requirements file: .*No such file or directory: '(?P<what2>[^']+)'",
        message="The package list names the file “{}”, which is not in the repository.",
        hint="Check the path after `-r` or `-c`: it begins at the folder of the file it stands in.",
        file=_PIP_FILE,
    ),
    _Rule(
        code="compiler_missing",
        pattern=r"command '(?P<what>[\w+-]*(?:gcc|cc|g\+\+|clang))' failed: No such file"
        r"|unable to execute '(?P<what2>[\w+-]*(?:gcc|cc|g\+\+))'|error: can't find Rust compiler",
        message="A package has to be compiled and there is no compiler.",
        hint="Add `build-essential` to `apt.txt`, or choose a version that has a wheel.",
        file="apt.txt",
    ),
    _Rule(
        code="apt_package_not_found",
        pattern=r"E: Unable to locate package (?P<what>\S+)|E: Package '(?P<what2>[^']+)' has no installation candidate",
        message="No Debian package “{}” exists in this release.",
        hint="Check its name on packages.debian.org.",
        file="apt.txt",
    ),
    _Rule(
        code="conda_package_not_found",
        pattern=r"ResolvePackageNotFound|PackagesNotFoundError|nothing provides (?P<what>\S+)",
        message="A conda package of this environment does not exist: “{}”.",
        hint="Check names, versions and channels.",
        file="environment.yml",
    ),
    _Rule(
        code="r_package_not_found",
        pattern=r"package ['‘](?P<what>[^'’]+)['’] is not available",
        message="No R package “{}” exists for this version of R.",
        hint="Check its name on cran.r-project.org.",
        file="install.R",
    ),
    _Rule(
        code="network",
        pattern=r"Could not resolve host|Temporary failure in name resolution|Network is unreachable"
        r"|Failed to establish a new connection|Temporary failure resolving|Connection timed out",
        message="A step needed a host on the network that cannot be reached from here.",
        hint="Try again later; on a closed site, ask an administrator for a mirror.",
    ),
    _Rule(
        code="certificate",
        pattern=r"certificate verify failed|SSL certificate problem|unable to get local issuer|UnknownIssuer",
        message="The certificate of a download host is not trusted here.",
        hint="An administrator can give the builds the site's certificate bundle (VERSATILEHUB_CA_BUNDLE).",
    ),
    _Rule(
        code="base_image_missing",
        pattern=r"(?P<what>[\w./:-]+): (?:failed to resolve|pull access denied)"
        r"|failed to resolve source metadata for (?P<what2>[\w./-]+(?::[\w.-]+)?)",
        message="The image “{}” the Dockerfile starts from cannot be fetched.",
        hint="Check the FROM line, or start from `versatilehub/singleuser`.",
        file="Dockerfile",
    ),
    _Rule(
        code="copy_missing",
        pattern=r"failed to (?:compute cache key|calculate checksum of ref).*\"(?P<what>/[^\"]+)\"(?: not found)?: not found",
        message="The Dockerfile copies “{}”, which is not in the repository.",
        hint="Check the path, its case, and `.dockerignore`; the folder of a submodule is empty here.",
        file="Dockerfile",
    ),
    _Rule(
        code="dockerfile_syntax",
        pattern=r"[Dd]ockerfile parse error (?:on )?(?P<what>line \d+: .*)|[Dd]ockerfile parse error",
        message="The Dockerfile cannot be read: “{}”.",
        hint="Correct that line.",
        file="Dockerfile",
    ),
    _Rule(
        code="post_build",
        pattern=r"postBuild.*(?:exit code|did not complete)",
        message="The repository's `postBuild` script failed.",
        hint="Its output is at the end of the log.",
        file="postBuild",
    ),
    _Rule(
        code="command_not_found",
        pattern=r"/bin/sh: \d+: (?P<what>\S+): not found|(?P<what2>\S+): command not found|exit code: 127",
        message="A step runs a command that is not installed: “{}”.",
        hint="Install it first (`apt.txt`, or a RUN line before this one).",
    ),
    _Rule(
        code="step_failed",
        pattern=r"process \"(?P<what>.*)\" did not complete successfully",
        message="A step of the build failed: {}",
        hint="Its output is above the last lines of the log.",
        file="Dockerfile",
    ),
)
"""The causes known so far; add a row with a line from a real log in the test."""

_CODES: Final[dict[str, Cause]] = {
    cause.code: cause
    for cause in (
        Cause(
            code="build_too_long",
            message="The build took longer than a build may take.",
            hint="Split long steps, or ask an administrator for more time.",
        ),
        Cause(
            code="log_too_long",
            message="The build printed more than a build may print.",
            hint="Make the noisy step quiet (`pip -q`, `> /dev/null`).",
        ),
        Cause(
            code="out_of_memory",
            message="A step of the build used more memory than a build may have.",
            hint="Install less at once, or ask an administrator for a higher limit.",
        ),
        Cause(
            code="builder_ended",
            message="The builder ended without an answer.",
            hint="Start it again; if it happens again, tell an administrator.",
        ),
    )
}


def explain(error: BuilderLine, lines: Sequence[str]) -> Cause:
    """Return why a build failed: the builder's own words when they are exact, else the best row of the table.

    *error* is the builder's last line, *lines* are the last of the log. What the failing step itself said comes first:
    the step before may have complained of what did not matter.
    """
    if error.code and error.code != "build_failed" and error.message:
        return Cause(code=error.code, message=error.message, hint=error.hint, file=error.file)
    found = _recognised(error.lines) or _recognised([*lines[-TAIL:], *error.message.splitlines()])
    if found is not None:
        return replace(found, file=error.file or found.file)
    if error.code in _CODES:
        return _CODES[error.code]
    fallback = error.message or "The build failed."
    advice = _last_words(lines) or error.hint or "The log's last lines say more."
    return Cause(code="build_failed", message=fallback, hint=advice, file=error.file)


def known(code: str) -> Cause:
    """Return the cause of one of our own codes (time, log length, memory, a builder that vanished)."""
    return _CODES[code]


def _recognised(lines: Sequence[str]) -> Cause | None:
    for rule in RULES:
        pattern = re.compile(rule.pattern)
        for line in reversed(lines):
            found = pattern.search(line)
            if found:
                what = next((text for text in found.groups() if text), "")
                return Cause(
                    code=rule.code, message=_sentence(rule.message, what), hint=rule.hint, file=rule.file
                )
    return None


def _last_words(lines: Sequence[str]) -> str:
    """Return what the failing step printed last, in a sentence; "" when BuildKit names no step or it was silent."""
    failed = next((found for line in reversed(lines) if (found := _FAILED.match(line))), None)
    if failed is None:
        return ""
    said = (re.fullmatch(rf"#{failed['step']} [\d.]+ +(.*\S)", line) for line in reversed(lines))
    words = next((found[1].strip() for found in said if found), "")
    return f"It ended with “{_short(words)}”." if words else ""


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _sentence(message: str, what: str) -> str:
    # Not str.format: the build's text is never part of a template.
    shown = _short(what)
    return (
        message.replace("{}", shown)
        if shown
        else message.replace(": “{}”", "").replace(" “{}”", "").replace(": {}", ".")
    )
