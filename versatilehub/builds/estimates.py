"""How long a build takes: median and 95th percentile of each phase, from the builds that went well before.

Pure. What a repository took before says most; without enough of it its build pack speaks, and without that all builds.
"""

from __future__ import annotations

import heapq
import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Basis = Literal["repository", "pack", "all", "queue"]

ENOUGH: Final = 3
"""Builds that make a group of their own: a percentile of fewer says nothing."""
PHASES: Final = ("fetching", "rendering", "building", "probing", "pushed")
"""The states in which a place is held, by name; waiting for one is worked out, not remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One build that went well: *seconds* it spent in each state, by the state's name."""

    repository: str
    pack: str
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Seconds something takes: half take at most *median*, 95 of 100 at most *p95*; from *samples* builds.

    *of* says whose they were: this repository's, its pack's, everybody's, or all of those in the queue.
    """

    median: float
    p95: float
    samples: int
    of: Basis

    def to_json(self) -> dict[str, Any]:
        """Return the estimate as JSON; `from_json` reads it back."""
        return {"median": self.median, "p95": self.p95, "samples": self.samples, "of": self.of}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Estimate:
        """Read what `to_json` wrote."""
        return cls(median=raw["median"], p95=raw["p95"], samples=raw["samples"], of=raw["of"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaining:
    """What one build still needs of a place, in seconds: the usual time and the long one."""

    median: float
    p95: float


def estimate(
    past: Sequence[Past], phases: Iterable[str], *, repository: str, pack: str = ""
) -> Estimate | None:
    """Return how long *phases* together take a build of *repository*; None when nothing was ever built.

    *pack* is "" while it is not known, and the repository's latest is taken for it then.
    """
    pack = pack or next((one.pack for one in reversed(past) if one.repository == repository), "")
    groups: tuple[tuple[Basis, Callable[[Past], bool]], ...] = (
        ("repository", lambda one: one.repository == repository),
        ("pack", lambda one: one.pack == pack != ""),
        ("all", lambda _one: True),
    )
    wanted = tuple(phases)
    for basis, belongs in groups:
        times = sorted(
            sum(one.seconds[phase] for phase in wanted if phase in one.seconds)
            for one in past
            if belongs(one) and any(phase in one.seconds for phase in wanted)
        )
        if len(times) >= ENOUGH or (basis == "all" and times):
            return Estimate(
                median=round(statistics.median(times), 1),
                p95=round(percentile(times, 0.95), 1),
                samples=len(times),
                of=basis,
            )
    return None


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest of the *ordered* values that at least *share* (0 to 1) of them do not exceed."""
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]


def wait(running: Sequence[Remaining], ahead: Sequence[Remaining], *, places: int) -> Estimate:
    """Return when a place is free for who comes after *ahead*, while *running* hold theirs."""
    return Estimate(
        median=_free([one.median for one in running], [one.median for one in ahead], places),
        p95=_free([one.p95 for one in running], [one.p95 for one in ahead], places),
        samples=len(running) + len(ahead),
        of="queue",
    )


def _free(running: Sequence[float], ahead: Sequence[float], places: int) -> float:
    # More may run than there are places, taken over from an earlier hub: the first of them to end free none.
    ends = [*sorted(running)[-places:], *[0.0] * (places - len(running))]
    heapq.heapify(ends)
    for seconds in ahead:
        heapq.heapreplace(ends, ends[0] + seconds)
    return round(ends[0], 1)
