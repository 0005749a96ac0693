"""What a failed build most likely died of: one sentence, one thing to do, and the file it is about.

Pure: the builder's own code where it has an exact one, else the first row of the table that the end of the log shows, asked
in the words of the step that failed before those of the whole log.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from .failure_table import RULES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .events import BuilderLine
    from .failure_rule import Rule

TAIL: Final = 200
"""How many of the last lines are looked at."""
READ: Final = 16 * 1024
"""How many of their last characters: a pattern may take time that grows with the square of it."""
_SHOWN: Final = 80
"""Characters of a build's own text shown within a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a build failed, in words for the person who started it. *file* is "" where none is at fault."""

    code: str
    message: str
    hint: str
    file: str = ""


_FAILED: Final = re.compile(r"#(?P<step>\d+) ERROR: ")

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
    found = (
        _recognised(_own_words(lines))
        or _recognised(_whole(error.lines, lines))
        or _recognised([*lines[-TAIL:], *error.message.splitlines()])
    )
    if found is not None:
        # A file that the log itself names is nearer to the fault than the one the step belongs to.
        if found.exact:
            return found.cause
        place = (
            (error.file.partition(":")[0] or found.cause.file)
            if found.line
            else error.file or found.cause.file
        )
        return replace(found.cause, file=f"{place}:{found.line}" if found.line else place)
    if error.code in _CODES:
        return _CODES[error.code]
    fallback = error.message or "The build failed."
    advice = _last_words(lines) or error.hint or "The log's last lines say more."
    return Cause(code="build_failed", message=fallback, hint=advice, file=error.file)


def known(code: str) -> Cause:
    """Return the cause of one of our own codes (time, log length, memory, a builder that vanished)."""
    return _CODES[code]


@dataclass(frozen=True, slots=True)
class _Found:
    cause: Cause
    exact: bool  # the log says in which file
    line: str  # or only in which line of the file the step belongs to


def _recognised(lines: Sequence[str]) -> _Found | None:
    text = "\n".join(lines)[-READ:]
    for rule in RULES:
        matches = list(re.finditer(rule.pattern, text, re.MULTILINE))
        if matches:
            # The last one counts, but one that names something more than one that does not.
            telling = [match for match in matches if any(match.groups())]
            return _found(rule, (telling or matches)[-1])
    return None


def _found(rule: Rule, match: re.Match[str]) -> _Found:
    names = match.groupdict()

    def named(kind: str) -> str:
        return next(
            (text.strip() for name, text in names.items() if text and name.rstrip("0123456789") == kind), ""
        )

    file, line = named("file") or rule.file, named("line")
    where = f"{file}:{line}" if named("file") and line else file
    message = _sentence(rule.message, what=named("what"), other=named("other"))
    cause = Cause(code=rule.code, message=message, hint=rule.hint, file=where)
    return _Found(cause, exact=bool(named("file")), line=line)


def _own_words(lines: Sequence[str]) -> list[str]:
    """Return what the step that failed printed, [] when BuildKit names none."""
    failed = next((found for line in reversed(lines) if (found := _FAILED.match(line))), None)
    if failed is None:
        return []
    said = (re.fullmatch(rf"#{failed['step']} [\d.]+ ?(.*)", line) for line in lines)
    return [found[1] for found in said if found]


def _whole(cut: Sequence[str], lines: Sequence[str]) -> list[str]:
    """Return the lines of the builder's last word as the log has them: there they are not cut short."""
    return [
        next((line for line in reversed(lines) if line.startswith(one)), one) if one else one for one in cut
    ]


def _last_words(lines: Sequence[str]) -> str:
    """Return what the failing step printed last, in a sentence; "" when BuildKit names no step or it was silent."""
    words = next((line.strip() for line in reversed(_own_words(lines)) if line.strip()), "")
    return f"It ended with “{_short(words)}”." if words else ""


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _sentence(message: str, *, what: str, other: str) -> str:
    """Return the first form of *message* whose names are there, else its last without them."""
    # Not str.format: the build's text is never part of a template, and what was put in is not looked at again.
    forms = message.split("|")
    values = {"{}": _short(what), "{other}": _short(other)}
    for form in forms:
        if all(values[slot] for slot in values if slot in form):
            return "".join(values.get(piece, piece) for piece in re.split(r"(\{\}|\{other\})", form))
    return re.sub(r":? “?(?:\{\}|\{other\})”?", "", forms[-1])
