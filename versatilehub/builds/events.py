"""States and events of one build, and the reader that makes events of the builder's JSON lines.

Pure. `TRANSITIONS` is the whole state machine: every walk through it ends in exactly one final state. Text of
a build is data: control sequences are taken out, lengths are bounded.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from .estimates import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["phase", "step", "log", "done"]

MESSAGE_LIMIT: Final = 4096
"""Characters of one event's message; the rest of a longer line follows in events of its own."""


class BuildState(StrEnum):
    """Where a build is; the last four are final."""

    QUEUED = "queued"
    FETCHING = "fetching"
    RENDERING = "rendering"
    BUILDING = "building"
    PROBING = "probing"
    PUSHED = "pushed"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def final(self) -> bool:
        """Return whether nothing follows."""
        return not TRANSITIONS[self]

    @property
    def phase(self) -> str:
        """Return the phase of a launch this state belongs to: queue, fetch, build or push."""
        return _PHASES.get(self, "build")


_ENDS: Final = frozenset({BuildState.FAILED, BuildState.CANCELLED, BuildState.INTERRUPTED})

TRANSITIONS: Final[Mapping[BuildState, frozenset[BuildState]]] = MappingProxyType(
    {
        BuildState.QUEUED: _ENDS | {BuildState.FETCHING},
        BuildState.FETCHING: _ENDS | {BuildState.RENDERING},
        BuildState.RENDERING: _ENDS | {BuildState.BUILDING},
        BuildState.BUILDING: _ENDS | {BuildState.PROBING},
        BuildState.PROBING: _ENDS | {BuildState.PUSHED, BuildState.READY},
        BuildState.PUSHED: _ENDS | {BuildState.READY},
        BuildState.READY: frozenset(),
        BuildState.FAILED: frozenset(),
        BuildState.CANCELLED: frozenset(),
        BuildState.INTERRUPTED: frozenset(),
    }
)
"""What may follow what. An interrupted build is one whose containers were gone when the hub came back; only a site with
a registry has `pushed`, in which the image goes there."""

ACTIVE: Final[tuple[BuildState, ...]] = tuple(state for state, after in TRANSITIONS.items() if after)
"""The states of a build that has not ended, in their order."""

_PHASES: Final = MappingProxyType(
    {BuildState.QUEUED: "queue", BuildState.FETCHING: "fetch", BuildState.PUSHED: "push"}
)

_PERCENT: Final[Mapping[BuildState, tuple[int, int]]] = MappingProxyType(
    {
        BuildState.QUEUED: (0, 2),
        BuildState.FETCHING: (2, 10),
        BuildState.RENDERING: (10, 15),
        BuildState.BUILDING: (15, 95),
        BuildState.PROBING: (95, 97),
        BuildState.PUSHED: (97, 99),
        BuildState.READY: (100, 100),
    }
)
"""From and to which percent a state goes: steps are known within `building` only, where the time is spent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildEvent:
    """One thing that happened, as every watcher sees it.

    *seq* counts from 0 without gaps within one build; *at* is seconds since the epoch; *step* of *steps* is
    1-based, 0 while unknown; *outcome* is "" but for `done`: ok, cached, failed (also interrupted), cancelled.
    In the queue, *position* is 1 for who goes next and *ahead* counts the builds that run or go before; *estimate* is
    how long this phase takes from here.
    """

    seq: int = 0
    at: float
    state: BuildState
    kind: Kind
    message: str
    phase: str = ""
    step: int = 0
    steps: int = 0
    outcome: str = ""
    position: int = 0
    ahead: int = 0
    estimate: Estimate | None = None

    def __post_init__(self) -> None:
        if not self.phase:
            object.__setattr__(self, "phase", self.state.phase)

    @property
    def percent(self) -> int:
        """Return how far the build is, 0 to 100; never falls within one build that moves on."""
        if self.state in _ENDS:
            return 100
        low, high = _PERCENT[self.state]
        share = (self.step - 1) / self.steps if 0 < self.step <= self.steps else 0.0
        return low + int((high - low) * share)

    def to_json(self) -> dict[str, Any]:
        """Return the event as JSON; `from_json` reads it back. Place and estimate are there where they are known."""
        place = {"position": self.position, "ahead": self.ahead} if self.position else {}
        expected = {"estimate": self.estimate.to_json()} if self.estimate else {}
        return {
            "seq": self.seq,
            "at": self.at,
            "state": self.state.value,
            "phase": self.phase,
            "kind": self.kind,
            "message": self.message,
            "step": self.step,
            "steps": self.steps,
            "outcome": self.outcome,
            **place,
            **expected,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> BuildEvent:
        """Read what `to_json` wrote; further keys are ignored, a missing one is a ValueError."""
        try:
            names = ("seq", "at", "kind", "message", "phase", "step", "steps", "outcome")
            return cls(
                state=BuildState(raw["state"]),
                **{name: raw[name] for name in names},
                position=raw.get("position", 0),
                ahead=raw.get("ahead", 0),
                estimate=Estimate.from_json(raw["estimate"]) if "estimate" in raw else None,
            )
        except KeyError as error:
            raise ValueError(f"not an event: no {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class BuilderLine:
    """One line of a builder container, read: *kind* says which of the other fields mean something.

    *lines* of an error are the last words of the step that failed.
    """

    kind: Literal["step", "log", "result", "error"]
    message: str = ""
    step: int = 0
    steps: int = 0
    result: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    hint: str = ""
    file: str = ""
    lines: tuple[str, ...] = ()


class LineReader:
    """Reads the lines of one builder container in order; it remembers the step the last line belonged to.

    Total: a line that is no JSON object of the contract is a log line of its own text. Same lines, same answer:
    a restarted hub reads from the first line and is where it was.
    """

    def __init__(self) -> None:
        self._step = 0
        self._steps = 0

    def read(self, line: str) -> tuple[BuilderLine, ...]:
        """Return what the line says; more than one when its message is long, none when it is blank."""
        raw = _object(line)
        if raw is None:
            return self._texts("log", line)
        match raw.get("t"):
            case "result":
                return (
                    BuilderLine(kind="result", result={k: v for k, v in raw.items() if k not in {"t", "m"}}),
                )
            case "error":
                code, hint, file = (
                    clean(str(raw.get(key, "")))[:MESSAGE_LIMIT] for key in ("code", "hint", "file")
                )
                message = clean(str(raw.get("message") or raw.get("m", "")))[:MESSAGE_LIMIT]
                said = raw.get("lines")
                lines = (
                    tuple(clean(str(one))[:MESSAGE_LIMIT] for one in said) if isinstance(said, list) else ()
                )
                return (
                    BuilderLine(kind="error", message=message, code=code, hint=hint, file=file, lines=lines),
                )
            case "step":
                step, steps = _count(raw.get("step")), _count(raw.get("steps"))
                if 0 < step <= steps:
                    self._step, self._steps = step, steps
                    return self._texts("step", str(raw.get("m", "")) or f"Step {step} of {steps}")
                return self._texts("log", str(raw.get("m", "")))
            case _:
                text = str(raw.get("m", ""))
                return self._texts("step" if self._is_step(text) else "log", text)

    def _is_step(self, text: str) -> bool:
        """Take ``#7 [stage-1 3/5] RUN …`` of BuildKit's plain progress as the start of step 3 of 5."""
        found = _STEP.match(text)
        if not found:
            return False
        step, steps = int(found["step"]), int(found["steps"])
        # BuildKit runs stages side by side and repeats headers: only a step further on counts.
        if not 0 < step <= steps or (steps, step) == (self._steps, self._step):
            return False
        if steps < self._steps or (steps == self._steps and step < self._step):
            return False
        self._step, self._steps = step, steps
        return True

    def _texts(self, kind: Literal["step", "log"], text: str) -> tuple[BuilderLine, ...]:
        lines = [part for line in text.splitlines() for part in _pieces(clean(line))]
        kinds: list[Literal["step", "log"]] = [kind, *["log"] * (len(lines) - 1)]  # type: ignore[list-item]  # a literal
        return tuple(
            BuilderLine(kind=one, message=line, step=self._step, steps=self._steps)
            for one, line in zip(kinds, lines, strict=False)
        )


_STEP: Final = re.compile(r"#\d{1,6} \[(?:[^\]\s]{1,64} )?(?P<step>\d{1,4})/(?P<steps>\d{1,4})\] ", re.ASCII)
_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: str) -> str:
    """Return one line of *text* as a terminal would show it: no colours, control or direction characters."""
    shown = _ESCAPES.sub("", text).rstrip("\r\n").rsplit("\r", 1)[-1]
    return _CONTROLS.sub("", shown).rstrip()


def _pieces(line: str) -> list[str]:
    return [line[start : start + MESSAGE_LIMIT] for start in range(0, len(line), MESSAGE_LIMIT)]


def _object(line: str) -> Mapping[str, Any] | None:
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return raw if isinstance(raw, dict) else None


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 9999 else 0
