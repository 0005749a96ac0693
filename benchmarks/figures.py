"""Figures of one run and how they are shown: medians, ranges and ratios, never a bare time."""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PEER = "stock DockerSpawner 14"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """What *runs* of one thing took, in seconds."""

    median: float
    p95: float
    min: float
    max: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Spread:
        """Return the spread of *seconds*; the 95th percentile is the nearest rank, so one of the values."""
        ordered = sorted(seconds)
        rank = math.ceil(0.95 * len(ordered)) - 1
        return cls(
            median=round(statistics.median(ordered), 3),
            p95=round(ordered[rank], 3),
            min=round(ordered[0], 3),
            max=round(ordered[-1], 3),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row: ours beside a peer's or a floor, measured alternately in the same run."""

    name: str
    runs: int
    ours: Spread
    theirs: Spread
    peer: str = PEER
    unit: str = "s"
    note: str = ""

    @property
    def ratio(self) -> float:
        """Median of ours over median of theirs."""
        return round(self.ours.median / self.theirs.median, 3) if self.theirs.median else math.inf

    def to_json(self) -> dict[str, object]:
        """Return the row of ``results.json``."""
        return {**asdict(self), "ratio": self.ratio if math.isfinite(self.ratio) else None}


def figure(
    name: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    peer: str = PEER,
    note: str = "",
    unit: str = "s",
) -> Figure:
    """Make a row from raw figures, seconds unless *unit* says otherwise."""
    return Figure(
        name=name,
        runs=len(ours),
        ours=Spread.of(ours),
        theirs=Spread.of(theirs),
        peer=peer,
        note=note,
        unit=unit,
    )


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as a table for people."""
    head = f"{'figure':<18}{'runs':>5}{'ours median (min-max, p95)':>34}{'theirs median (min-max, p95)':>36}{'ratio':>8}  peer"
    rows = [
        f"{f.name:<18}{f.runs:>5}{_cell(f.ours):>34}{_cell(f.theirs):>36}{f.ratio:>8.2f}  {f.peer}"
        for f in figures
    ]
    return "\n".join([head, *rows])


def _cell(spread: Spread) -> str:
    return f"{spread.median:.2f} ({spread.min:.2f}-{spread.max:.2f}, {spread.p95:.2f})"


def write(figures: Sequence[Figure], path: Path, *, keep: bool = False) -> None:
    """Write ``results.json``; with *keep* the rows of other figures stay in it."""
    fresh = {f.name: f.to_json() for f in figures}
    old = json.loads(path.read_text()) if keep and path.exists() else []
    rows = [fresh.pop(row["name"], row) for row in old] + list(fresh.values())
    path.write_text(json.dumps(rows, indent=2) + "\n")
