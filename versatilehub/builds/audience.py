"""Who waits for one build, and what a wish to cancel it comes to. Pure but for the readers it stops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from versatilehub.errors import OthersWait

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .replay import Replay

End = Literal["cancel", "leave"]


class Audience:
    """People by name: those whose start waits, and those who asked and watch nothing."""

    def __init__(self, held: Iterable[str] = ()) -> None:
        self._held = set(held)
        self._watching: dict[str, list[Replay]] = {}

    @property
    def people(self) -> frozenset[str]:
        """Return everybody who waits."""
        return frozenset(self._held | self._watching.keys())

    @property
    def streams(self) -> int:
        """Return how many are watching, a person with two tabs twice."""
        return sum(map(len, self._watching.values()))

    def hold(self, user: str) -> None:
        """Count a person who asked for the build and need not watch it."""
        self._held.add(user)

    def come(self, user: str, replay: Replay) -> None:
        """Count one more who watches."""
        self._watching.setdefault(user, []).append(replay)

    def go(self, user: str, replay: Replay) -> None:
        """Count one less; one who has gone already is fine."""
        watching = self._watching.get(user, [])
        if replay in watching:
            watching.remove(replay)
        if not watching:
            self._watching.pop(user, None)

    def leave(self, user: str) -> None:
        """Let a person wait no more: their readers stop."""
        self._held.discard(user)
        for replay in self._watching.get(user, ()):
            replay.stop()


def decide(people: frozenset[str], user: str, *, admin: bool, sure: bool) -> End:
    """Return what happens when *user* wants a build cancelled that *people* wait for.

    Nobody else waits: it is cancelled. Others do: `OthersWait` until the person is *sure*; then an administrator ends it for
    all, and anybody else only stops waiting.
    """
    others = len(people - {user})
    if not others:
        return "cancel"
    if not sure:
        who = "1 other waits" if others == 1 else f"{others} others wait"
        what = "ends it for them too" if admin else "only ends your own waiting"
        raise OthersWait(f"{who} for this build.", hint=f'Sending "force": true {what}.', waiting=others)
    return "cancel" if admin else "leave"
