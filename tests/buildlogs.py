"""Recorded ends of real failed builds: ``tests/data/build_logs/<name>.json``, written by `tests.record_build_logs`.

`origin` is "built" for a log of a real build of `files` by this project's builder, else how it came about: the address of the public
report whose message form it has, where the tool itself is not to be had here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.expected_causes import EXPECTED
from versatilehub.builds.events import BuilderLine

if TYPE_CHECKING:
    from collections.abc import Iterable

    from versatilehub.builds.failure_rule import Rule

FOLDER = Path(__file__).parent / "data" / "build_logs"
KEPT = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedLog:
    """The builder's last word, and the end of the log before it."""

    name: str
    origin: str
    files: dict[str, str]
    error: BuilderLine
    lines: tuple[str, ...]

    def save(self) -> None:
        """Write it; the log's last lines only."""
        error = {
            "code": self.error.code,
            "message": self.error.message,
            "hint": self.error.hint,
            "file": self.error.file,
            "lines": list(self.error.lines),
        }
        raw = {"origin": self.origin, "files": self.files, "error": error, "log": list(self.lines[-KEPT:])}
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / f"{self.name}.json").write_text(json.dumps(raw, indent=1, ensure_ascii=False) + "\n")


def recorded(name: str) -> RecordedLog:
    """Read one."""
    raw = json.loads((FOLDER / f"{name}.json").read_text())
    error = {**raw["error"], "lines": tuple(raw["error"]["lines"])}
    return RecordedLog(
        name=name,
        origin=raw["origin"],
        files=raw["files"],
        error=BuilderLine(kind="error", **error),
        lines=tuple(raw["log"]),
    )


def names() -> tuple[str, ...]:
    """Return the names of all."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


def shown_by(rules: Iterable[Rule]) -> list[str]:
    """Return the names of the logs that show a row of *rules*."""
    codes = {rule.code for rule in rules}
    return [name for name, (code, _, _) in sorted(EXPECTED.items()) if code in codes]
