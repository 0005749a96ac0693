"""When a person is warned of a volume that fills up: pure, from two figures and the warning before."""

from __future__ import annotations

from typing import Final

LEVELS: Final = (95, 80)
"""Percent of the cap at which a person is warned."""
_BACK: Final = 3
"""Percent below a level at which it is left again: a volume that goes up and down at the line warns once."""


def percent(used: int, cap: int) -> float:
    """Return how full it is; 0 without a cap."""
    return 100 * used / cap if cap else 0.0


def level(before: int, used: int, cap: int) -> int:
    """Return the level (0, 80, 95) a volume is at now, after it was at *before*."""
    full = percent(used, cap)
    return next((line for line in LEVELS if full >= line - (_BACK if before >= line else 0)), 0)


def crossed(before: int, now: int) -> bool:
    """Tell whether a warning is due: the volume went up to a level."""
    return now > before
