"""Guessing passwords gets slow, mistyping does not."""

from __future__ import annotations

from versatilehub.users_backoff import BackOff


def failed(times: int, *, now: float = 0.0) -> BackOff:
    """A back-off after *times* failures of "ada"."""
    back_off = BackOff()
    for _ in range(times):
        back_off.fail("ada", now)
    return back_off


def test_a_few_failures_cost_nothing() -> None:
    """Four mistypes in a row are free."""
    assert failed(4).wait("ada", 0.0) == 0


def test_waits_double_up_to_a_limit() -> None:
    """From the fifth failure on each wait is twice the one before, up to five minutes."""
    waits = [failed(count).wait("ada", 0.0) for count in (5, 6, 7, 8, 20, 10_000)]
    assert waits == [1, 2, 4, 8, 300, 300]


def test_waiting_ends() -> None:
    """After the wait the next try is free to go."""
    assert failed(7).wait("ada", 3.0) == 1
    assert failed(7).wait("ada", 4.0) == 0


def test_others_do_not_wait() -> None:
    """One key's failures are not another's."""
    assert failed(100).wait("bob", 0.0) == 0


def test_success_forgets() -> None:
    """After a success the count begins again."""
    back_off = failed(10)
    back_off.forget("ada")
    assert back_off.wait("ada", 0.0) == 0


def test_undo_takes_one_back() -> None:
    """A try counted in advance can be taken back, and no more than that."""
    back_off = failed(6)
    back_off.undo("ada")
    assert back_off.wait("ada", 0.0) == 1
    for _ in range(10):
        back_off.undo("ada")
    assert back_off.wait("ada", 0.0) == 0


def test_an_hour_forgives() -> None:
    """An hour without a failure begins the count again."""
    back_off = failed(20)
    back_off.fail("ada", 3601.0)
    assert back_off.wait("ada", 3601.0) == 0


def test_memory_is_bounded() -> None:
    """Of very many keys those that failed last are remembered."""
    back_off = BackOff(most=3, free=1)
    for key in "abcd":
        back_off.fail(key, 0.0)
    assert [back_off.wait(key, 0.0) for key in "abcd"] == [0, 1, 1, 1]
