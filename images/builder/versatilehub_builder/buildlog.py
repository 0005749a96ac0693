"""BuildKit's plain log, read line by line: steps, what runs, and at the end what failed and whose fault it is.

Pure. The form is ``#7 [build 3/17] RUN …`` for a step, ``#7 0.226 text`` for its output, ``#7 DONE 1.2s``,
``#7 CACHED``, ``#7 ERROR: …``, and after a failure ``Dockerfile:3`` above an excerpt.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

from versatilehub_builder.steprules import check_step

_STEP = re.compile(r"#(\d+) \[(?:([\w.-]+) +)?\s*(\d+)/(\d+)\] (.*)")
_END = re.compile(r"#(\d+) (?:DONE|CACHED|CANCELED|ERROR)\b.*")
_ERROR = re.compile(r"#(\d+) ERROR: (.*)")
_OUTPUT = re.compile(r"#(\d+) [\d.]+ ?(.*)")
_WHERE = re.compile(r"Dockerfile:(\d+)")
_EXIT = re.compile(r"exit code: (\d+)")
_CLIPPED = re.compile(r"\[output clipped, log limit .* reached\]")
_METADATA = re.compile(r"#(\d+) \[internal\] load metadata for (\S+)")
_NOISE = re.compile(r"(?<=^RUN )(?:--mount=\S+ |UV_\w+=\S+ )*")
_FORKS = re.compile(
    r"fork: |(?:cannot|can't|unable to) fork|Resource temporarily unavailable|BlockingIOError|can't start new thread",
    re.IGNORECASE,
)
_MEMORY = re.compile(
    r"\bKilled\b|MemoryError|[Cc]annot allocate memory|out of memory|signal 9", re.IGNORECASE
)
_TAIL = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step that begins: *text* is the instruction, *step* of *steps* counts from 1 within its stage."""

    text: str
    step: int
    steps: int


class BuildLog:
    """Feed it lines; ask it what ran and what failed."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._seen: set[str] = set()
        self._runs: dict[str, str] = {}
        self._tail: deque[str] = deque(maxlen=_TAIL)
        self._last_output: dict[str, deque[str]] = {}
        self.failed = ""  # the instruction that failed
        self.reason = ""  # BuildKit's own last word
        self.line = 0  # of the Dockerfile BuildKit was given
        self.exit_code = 0
        self.clipped = False
        self.forks_refused = False  # a step's output complains that it got no more processes
        self.memory_refused = False  # or no more memory
        self.missing_image = ""  # the image to build from that could not be read
        self._metadata: dict[str, str] = {}
        self._failed_id = ""

    @property
    def running(self) -> tuple[str, ...]:
        """The ids of the RUN steps that have begun and not ended."""
        return tuple(self._runs)

    def feed(self, line: str) -> Step | None:
        """Take one line; return the step that begins with it, once for each step; raise `Failure` at a forbidden one."""
        check_step(line)
        self._outcome(line)
        match = _STEP.fullmatch(line)
        if not match:
            if line.strip():
                self._tail.append(line)
            return None
        number, text = match[1], match[5]
        self._texts[number] = text
        if number in self._seen:
            return None
        self._seen.add(number)
        if text.startswith("RUN "):
            self._runs[number] = text
        return Step(text=text, step=int(match[3]), steps=int(match[4]))

    def _outcome(self, line: str) -> None:
        output = _OUTPUT.fullmatch(line)
        if output:
            self._last_output.setdefault(output[1], deque(maxlen=_TAIL)).append(output[2])
            self.forks_refused = self.forks_refused or bool(_FORKS.search(output[2]))
            self.memory_refused = self.memory_refused or bool(_MEMORY.search(output[2]))
        end = _END.fullmatch(line)
        if end:
            self._runs.pop(end[1], None)
        if _CLIPPED.search(line):
            self.clipped = True
        metadata = _METADATA.fullmatch(line)
        if metadata:
            self._metadata[metadata[1]] = metadata[2]
        error = _ERROR.fullmatch(line)
        if error and not self._failed_id and "context canceled" not in error[2]:
            self._failed_id = error[1]
            self.missing_image = self._metadata.get(error[1], "")
            self.failed = self._texts.get(error[1], "")
            self.reason = error[2]
        where = _WHERE.fullmatch(line.strip())
        if where:
            self.line = int(where[1])
        if line.startswith("ERROR: "):
            self.reason = line.removeprefix("ERROR: ")
        code = _EXIT.search(line) if line.startswith("ERROR: ") or error else None
        if code:
            self.exit_code = int(code[1])

    @property
    def tail(self) -> tuple[str, ...]:
        """The last lines a person wants: the failing step's own output, else the log's end."""
        own = self._last_output.get(self._failed_id)
        return tuple(own) if own else tuple(self._tail)


def readable(instruction: str) -> str:
    """Return a step's text without what only the cache needs."""
    return _NOISE.sub("", instruction).replace(
        'uv pip install --python "$(command -v python3)"', "uv pip install"
    )


def cause(instruction: str, line: int, *, file: str, causes: list[tuple[str, str]]) -> str:
    """Return the repository file at fault for the failing *instruction*: the Dockerfile's line, or by *causes*."""
    if file:
        return f"{file}:{line}" if line else file
    for part, name in causes:
        if part in instruction:
            return name
    return ""
