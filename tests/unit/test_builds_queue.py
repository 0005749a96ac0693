"""Tests of whose build goes next."""

from __future__ import annotations

import pytest

from versatilehub.builds.queue import PATIENCE, Asker, Queue, Ticket


def _ticket(id: str, *users: str, repository: str = "", at_once: int | None = None) -> Ticket:  # noqa: A002
    askers = tuple(Asker(user=user, at_once=at_once) for user in users)
    lane = "people" if users else "prebuild"
    return Ticket(id=id, repository=repository or id, askers=askers, lane=lane)  # type: ignore[arg-type]  # a literal


def _queue(*tickets: Ticket, places: int = 1) -> Queue:
    queue = Queue(places=places)
    for ticket in tickets:
        queue = queue.join(ticket)
    return queue


def _ids(tickets: tuple[Ticket, ...]) -> list[str]:
    return [ticket.id for ticket in tickets]


@pytest.mark.parametrize(
    ("places", "tickets", "expected"),
    [
        pytest.param(
            1,
            [_ticket("a1", "ada"), _ticket("a2", "ada"), _ticket("a3", "ada"), _ticket("b1", "bob")],
            ["a1", "b1", "a2", "a3"],
            id="people-take-turns",
        ),
        pytest.param(
            2,
            [_ticket("p1"), _ticket("p2"), _ticket("a1", "ada"), _ticket("b1", "bob")],
            ["a1", "b1", "p1", "p2"],
            id="prebuilds-come-last",
        ),
        pytest.param(
            3,
            [
                _ticket("a1", "ada", at_once=1),
                _ticket("a2", "ada", at_once=1),
                _ticket("b1", "bob"),
                _ticket("c1", "cleo"),
            ],
            ["a1", "b1", "c1", "a2"],
            id="a-person's-limit",
        ),
        pytest.param(
            2,
            [
                _ticket("r1", "ada", repository="r"),
                _ticket("r2", "bob", repository="r"),
                _ticket("s", "cleo", repository="s"),
            ],
            ["r1", "s", "r2"],
            id="one-repository-leaves-a-place",
        ),
        pytest.param(
            1,
            [_ticket("a1", "ada"), _ticket("a2", "ada"), _ticket("both", "ada", "bob")],
            ["a1", "both", "a2"],
            id="the-first-of-two-who-wait-counts",
        ),
    ],
)
def test_the_order(places: int, tickets: list[Ticket], expected: list[str]) -> None:
    """The order told to people is the order in which builds go."""
    queue = _queue(*tickets, places=places)
    assert expected == _ids(queue.order())
    went: list[str] = []
    while queue.waiting:
        queue, gone = queue.advance()
        went += _ids(gone)
        queue = queue.leave(queue.running[0].id)
    assert expected == went


def test_who_had_a_turn_goes_to_the_end() -> None:
    """Someone who asks again and again one at a time waits for everybody else's first build."""
    queue, _ = _queue(_ticket("a1", "ada"), _ticket("b1", "bob"), _ticket("c1", "cleo")).advance()
    queue = queue.join(_ticket("a2", "ada")).leave("a1")
    assert ["b1", "c1", "a2"] == _ids(queue.order())


def test_a_prebuild_is_passed_only_so_often() -> None:
    """People who keep coming do not hold a prebuild up for ever."""
    queue = _queue(_ticket("p"), *(_ticket(f"b{n}", f"u{n}") for n in range(2 * PATIENCE)))
    assert PATIENCE == _ids(queue.order()).index("p")


def test_a_prebuild_somebody_waits_for_is_theirs() -> None:
    """A person who asks for what is only prebuilt brings it into the people's lane."""
    queue = _queue(_ticket("p"), _ticket("q"), places=1).ask("q", Asker(user="ada"))
    assert ["q", "p"] == _ids(queue.order())
    _, (first,) = queue.advance()
    assert "ada" == first.charged


def test_prebuilds_leave_a_place_for_people() -> None:
    """With two places, two prebuilds do not run side by side."""
    _, went = _queue(_ticket("p1"), _ticket("p2"), places=2).advance()
    assert ["p1"] == _ids(went)


def test_leaving_frees_the_place() -> None:
    """A build that ends or is cancelled lets the next go, and one that waited is never run."""
    queue, _ = _queue(_ticket("a", "ada"), _ticket("b", "bob"), _ticket("c", "cleo")).advance()
    queue, went = queue.leave("b").leave("a").advance()
    assert ["c"] == _ids(went)
    assert () == queue.waiting


def test_who_stops_waiting_has_no_turn() -> None:
    """A person who left gives no turn to what others still wait for, and the last one leaves it in its place."""
    queue = _queue(_ticket("x", "ada"), _ticket("y", "bob"), _ticket("z", "ada", "cleo"))
    queue = queue.unask("z", "ada").unask("y", "bob")
    assert ["x", "y", "z"] == _ids(queue.order())
    assert ("ada", "bob", "cleo") == queue.ring


def test_what_runs_already_takes_a_place() -> None:
    """A build another hub began counts, also beyond the number of places."""
    queue = (
        Queue(places=1).resume(_ticket("r1", "ada")).resume(_ticket("r2", "bob")).join(_ticket("n", "ada"))
    )
    assert (queue, ()) == queue.advance()
    assert ["n"] == _ids(queue.order())


def test_a_limit_of_zero_ends_the_order() -> None:
    """Who may run nothing is told a place all the same, and nothing hangs."""
    assert ["a"] == _ids(_queue(_ticket("a", "ada", at_once=0)).order())
