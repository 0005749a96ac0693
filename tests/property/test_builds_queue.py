"""Properties of the queue: nothing is lost, limits hold, nobody starves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from versatilehub.builds.queue import PATIENCE, Asker, Lane, Queue, Ticket

LIMITS = st.none() | st.integers(1, 3)
ARRIVALS = st.lists(
    st.tuples(
        st.sampled_from(["people", "people", "people", "prebuild"]),
        st.sampled_from("abcde"),
        st.sampled_from(["r1", "r2", "r3", "r4"]),
    ),
    max_size=25,
)
ENDS = st.lists(st.integers(0, 5), max_size=60)


def _ticket(number: int, lane: Lane, user: str, repository: str, limit: int | None) -> Ticket:
    askers = (Asker(user=user, at_once=limit),) if lane == "people" else ()
    return Ticket(id=str(number), repository=repository, askers=askers, lane=lane)


@given(ARRIVALS, LIMITS, st.integers(1, 4), ENDS)
def test_every_build_goes_once_and_limits_hold(
    arrivals: list[tuple[Lane, str, str]], limit: int | None, places: int, ends: list[int]
) -> None:
    """Whatever comes and ends in whatever order: each build goes exactly once, and no limit is exceeded."""
    queue, went, choices = Queue(places=places), list[str](), iter(ends)
    pending = [_ticket(number, *arrival, limit) for number, arrival in enumerate(arrivals)]
    while pending or queue.waiting or queue.running:
        if pending:
            queue = queue.join(pending.pop(0))
        queue, gone = queue.advance()
        went += [one.id for one in gone]
        assert len(queue.running) <= places
        for one in queue.running:
            same = [other for other in queue.running if other.repository == one.repository]
            theirs = [other for other in queue.running if other.charged == one.charged != ""]
            assert len(same) <= max(1, places - 1)
            assert limit is None or len(theirs) <= limit
        assert queue.running or not queue.waiting
        if queue.running:
            queue = queue.leave(queue.running[next(choices, 0) % len(queue.running)].id)
    assert sorted(went) == sorted(str(number) for number in range(len(arrivals)))


@given(ARRIVALS, st.integers(1, 4))
def test_the_order_told_is_the_order_kept(arrivals: list[tuple[Lane, str, str]], places: int) -> None:
    """If builds end as they began, they go in the order people were told."""
    queue = Queue(places=places)
    for number, arrival in enumerate(arrivals):
        queue = queue.join(_ticket(number, *arrival, None))
    told, went = [one.id for one in queue.order()], list[str]()
    while queue.waiting:
        queue, gone = queue.advance()
        went += [one.id for one in gone]
        queue = queue.leave(queue.running[0].id)
    assert told == went


@given(st.lists(st.integers(1, 20), min_size=2, max_size=6))
def test_nobody_waits_for_more_than_one_build_of_each_other(counts: list[int]) -> None:
    """Between two builds of a person who has more waiting, each other person has at most one."""
    queue = Queue(places=1)
    for user, count in enumerate(counts):
        for number in range(count):
            queue = queue.join(_ticket(100 * user + number, "people", f"u{user}", f"{user}/{number}", None))
    order = [one.charged for one in queue.order()]
    for person in set(order):
        between = list[str]()
        for other in order[: len(order) - order[::-1].index(person)]:
            if other == person:
                assert len(between) == len(set(between))
                between = []
            else:
                between.append(other)


@given(st.integers(1, 3), st.integers(0, 40))
def test_a_prebuild_goes_at_last(places: int, people: int) -> None:
    """New people in every round: a prebuild still goes after `PATIENCE` of them."""
    queue = Queue(places=places).join(_ticket(0, "prebuild", "", "p", None))
    passed = 0
    for number in range(1, people + 1):
        queue, gone = queue.join(_ticket(number, "people", f"u{number}", f"r{number}", None)).advance()
        if any(one.id == "0" for one in gone):
            break
        passed += len(gone)
        queue = queue.leave(queue.running[0].id)
    assert passed <= PATIENCE + places
