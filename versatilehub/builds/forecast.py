"""What is expected of the builds to come, from those that went well: kept in memory, read from the database once."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from . import estimates
from .estimates import PHASES, Estimate, Past, Remaining

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from versatilehub.store.builds import BuildRecord

REMEMBERED: Final = 500
"""Builds looked at: what took long a year ago says nothing of today's machine."""


class Forecast:
    """Estimates for the builds of one hub."""

    def __init__(self) -> None:
        self._past: deque[Past] = deque(maxlen=REMEMBERED)
        self._whole: dict[str, Remaining] = {}

    def learn(self, past: Iterable[Past]) -> None:
        """Take builds that went well into account, the oldest first."""
        self._past.extend(past)
        self._whole.clear()

    def phase(self, state: str, *, repository: str, pack: str = "") -> Estimate | None:
        """Return how long a build is in a state; None before the first build."""
        return estimates.estimate(self._past, [state], repository=repository, pack=pack)

    def wait(
        self, running: Sequence[tuple[str, float]], ahead: Sequence[str], *, places: int
    ) -> Estimate | None:
        """Return how long who comes after *ahead* waits; None before the first build.

        *running* are the repositories that hold a place and for how long they have, *ahead* those that go before.
        """
        if not self._past:
            return None
        left = []
        for repository, passed in running:
            whole = self._of(repository)
            left.append(Remaining(median=max(whole.median - passed, 0.0), p95=max(whole.p95 - passed, 0.0)))
        return estimates.wait(left, [self._of(repository) for repository in ahead], places=places)

    def _of(self, repository: str) -> Remaining:
        """Return how long a build of a repository holds its place, from the fetch to the end."""
        if repository not in self._whole:
            found = estimates.estimate(self._past, PHASES, repository=repository)
            self._whole[repository] = Remaining(
                median=found.median if found else 0.0, p95=found.p95 if found else 0.0
            )
        return self._whole[repository]


def past_of(record: BuildRecord) -> Past:
    """Return what a build that went well says about the next ones."""
    return Past(repository=record.source, pack=record.pack, seconds=record.seconds)
