"""The builder's only voice: JSON objects, one a line, each flushed, none longer than `LINE_BYTES`.

Kinds: ``phase log step result error``. Whatever a tool prints goes through `Lines.log`; nothing else may write to
standard output, so `main` moves the real one away before it calls a command.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

JSON = None | bool | int | float | str | list["JSON"] | dict[str, "JSON"]
LINE_BYTES = 8192  # Docker's json-file driver splits lines at 16 KiB; a split line is no JSON
MOST_LOGS = 50_000  # log lines of one command: a million short ones keep the hub busy for half a minute
_TEXT = 4000
_NAMES = 12  # paths shown of a long list
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")


class Failure(Exception):
    """A command ends without its result: *code* is stable, *file* the repository file at fault ("" if unknown)."""

    def __init__(self, code: str, message: str, *, hint: str = "", file: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.file = file
        self.lines: tuple[str, ...] = ()  # the last of the log, where a log led to this


class Lines:
    """Writes the lines to *stream*; safe from several threads."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._logged = 0

    def phase(self, text: str) -> None:
        """Say that a part of the command begins."""
        self._write({"t": "phase", "m": clean(text)})

    def log(self, text: str) -> None:
        """Pass on one line of a tool, without terminal codes; past `MOST_LOGS` nothing but one line that says so."""
        self._logged += 1
        if self._logged <= MOST_LOGS:
            self._write({"t": "log", "m": clean(text)})
        elif self._logged == MOST_LOGS + 1:
            self._write({"t": "log", "m": f"More than {MOST_LOGS} lines: further ones are left out."})

    def step(self, text: str, step: int, steps: int) -> None:
        """Say that build step *step* of *steps* (from 1) begins."""
        self._write({"t": "step", "m": clean(text), "step": step, "steps": steps})

    def result(self, values: Mapping[str, JSON]) -> None:
        """Give the result; the hub acts on it without waiting for the process to end."""
        self._write({"t": "result", "m": "", **values})

    def error(self, failure: Failure) -> None:
        """Give the error in place of a result."""
        self._write(
            {
                "t": "error",
                "m": clean(failure.message),
                "code": failure.code,
                "message": clean(failure.message),
                "hint": clean(failure.hint),
                "file": clean(failure.file),
                "lines": [clean(line)[:200] for line in failure.lines],
            }
        )

    def _write(self, values: dict[str, JSON]) -> None:
        text = json.dumps(values)
        if len(text) > LINE_BYTES:
            text = json.dumps({key: _shorter(value) for key, value in values.items()})
        with self._lock:
            self._stream.write(text + "\n")
            self._stream.flush()


def clean(text: str) -> str:
    """Return *text* without terminal codes and control characters, cut to a line's length."""
    text = _CONTROL.sub("", text.rstrip("\r\n").rpartition("\r")[2])
    return text if len(text) <= _TEXT else text[:_TEXT] + " […]"


def _shorter(value: JSON) -> JSON:
    if isinstance(value, str):
        return value[:600]
    if isinstance(value, list):
        return [_shorter(item)[:200] if isinstance(item, str) else item for item in value[-_NAMES:]]  # type: ignore[index]  # a str gives a str
    return value


def main(command: Callable[[Mapping[str, JSON], Lines], Mapping[str, JSON]]) -> int:
    """Run *command* on the job in the environment; return the exit code: 0 after a result, 1 after an error."""
    voice = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    lines = Lines(voice)
    signal.signal(signal.SIGTERM, _cancel)
    os.umask(0o022)
    try:
        lines.result(command(read_job(os.environ.pop("VERSATILEHUB_JOB", "")), lines))
    except Failure as failure:
        lines.error(failure)
        return 1
    except MemoryError:
        lines.error(Failure("out_of_memory", "The repository needs more memory than a build step may use."))
        return 1
    except Exception as bug:  # noqa: BLE001 - the outermost edge: the hub must get its one last line
        traceback.print_exc(file=sys.stderr)
        lines.error(Failure("builder_bug", f"The builder failed: {type(bug).__name__}: {bug}"))
        return 1
    return 0


def _cancel(_signal: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Failure("build_cancelled", "The build was cancelled.")


def read_job(text: str) -> Mapping[str, JSON]:
    """Return the job; raise `Failure` when it is no JSON object."""
    try:
        job = json.loads(text)
    except ValueError:
        job = None
    if not isinstance(job, dict):
        raise Failure("bad_job", "VERSATILEHUB_JOB is not one JSON object.")
    return job
