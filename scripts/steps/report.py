"""One printed line per step, with its duration, and commands whose output goes to a log.

A step that cannot go on raises `StepFailed`: the person sees what is wrong, what to do, and the last lines of the log.
"""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

TAIL_LINES = 15


class StepFailed(Exception):
    """A step cannot go on; *hint* is exactly what to do, *lines* the end of the command's output if one failed."""

    def __init__(self, message: str, *, hint: str = "", lines: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.hint = hint
        self.lines = tuple(lines)


class Step:
    """The line being printed: what the step found or did."""

    def __init__(self) -> None:
        self._note = ""
        self._already = False

    def already(self, note: str = "") -> None:
        """Nothing had to be done; *note* says what was found."""
        self._already, self._note = True, note

    def did(self, note: str) -> None:
        """Say what was done."""
        self._already, self._note = False, note

    def line(self, seconds: float) -> str:
        """Return the end of the line: duration and note."""
        head = f"already there, {seconds:.1f} s" if self._already else f"{seconds:.1f} s"
        return f"{head} ({self._note})" if self._note else head


@contextmanager
def step(name: str) -> Iterator[Step]:
    """Print "name … 12.3 s (note)"; the name at once, so that a long step is seen to run."""
    print(f"{name} … ", end="", flush=True)
    begun = time.monotonic()
    current = Step()
    try:
        yield current
    except BaseException as error:
        ended = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        print(f"{ended} after {time.monotonic() - begun:.1f} s", flush=True)
        raise
    print(current.line(time.monotonic() - begun), flush=True)


def run(command: Sequence[str], *, log: Path, hint: str, env: Mapping[str, str] | None = None) -> str:
    """Run *command* with its output appended to *log* and return that output; fail with its last lines and *hint*.

    *env* is added to this process's environment.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as sink:
        sink.write(f"$ {' '.join(command)}\n")
        sink.flush()
        begin = sink.tell()
        try:
            code = subprocess.run(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                check=False,
            ).returncode
        except FileNotFoundError as error:
            raise StepFailed(f"There is no program {command[0]!r} on PATH.", hint=hint) from error
    with log.open("rb") as source:
        source.seek(begin)
        output = source.read().decode("utf-8", "replace")
    if code != 0:
        raise StepFailed(
            f"`{' '.join(command)}` ended with code {code}; the whole output is in {log}.",
            hint=hint,
            lines=output.splitlines()[-TAIL_LINES:],
        )
    return output
