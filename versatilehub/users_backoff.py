"""How long a login has to wait after failures: pure, the time is an argument.

A person who mistypes is not held up; a program that guesses gets a few tries a minute. What is remembered is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class BackOff:
    """Failures by key (an address, or a name at an address); times are seconds of any steady clock."""

    free: int = 5  # failures that cost nothing
    longest: float = 300.0  # seconds
    most: int = 10_000  # keys remembered; the one that failed longest ago goes first
    _failures: dict[str, tuple[int, float]] = field(default_factory=dict)

    def wait(self, key: str, now: float) -> float:
        """Return the seconds until *key* may try again, 0 when it may now."""
        count, last = self._failures.get(key, (0, 0.0))
        if count < self.free:
            return 0.0
        return max(0.0, last + min(self.longest, 2.0 ** min(count - self.free, 30)) - now)

    def fail(self, key: str, now: float) -> None:
        """Count a failure of *key*; after an hour without one the count begins again."""
        count, last = self._failures.pop(key, (0, now))
        self._failures[key] = (1 if now - last > 3600 else count + 1, now)
        while len(self._failures) > self.most:
            del self._failures[next(iter(self._failures))]

    def undo(self, key: str) -> None:
        """Take one failure back: what was counted in advance succeeded."""
        count, last = self._failures.get(key, (0, 0.0))
        if count > 1:
            self._failures[key] = (count - 1, last)
        else:
            self._failures.pop(key, None)

    def forget(self, key: str) -> None:
        """Forget all failures of *key*."""
        self._failures.pop(key, None)
