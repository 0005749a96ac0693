"""Budgets of a month."""

from __future__ import annotations

import pytest

from versatilehub.accounting import Figures, Month
from versatilehub.budgets import BUDGETS, check_budget, has_budget
from versatilehub.errors import Refusal
from versatilehub.policy import Policy

DECEMBER = Month.parse("2026-12")


@pytest.mark.req("V52")
def test_a_used_up_budget_says_how_much_and_when_it_begins_anew() -> None:
    """The figure, the limit and the day, which is in the next year for December."""
    with pytest.raises(Refusal) as caught:
        check_budget(Figures(server_hours=103.25), Policy(budget_server_hours=100), DECEMBER)
    assert caught.value.message == "You have used 103.2 of 100 server-hours in December 2026."
    assert "2027-01-01" in caught.value.hint
    assert (caught.value.code, caught.value.limit, caught.value.actual) == ("budget_used_up", "100", "103.2")


@pytest.mark.req("V52")
@pytest.mark.parametrize("key", BUDGETS)
def test_each_budget_bounds_its_figure(key: str) -> None:
    """Up to the limit all is well, at the limit it is used up; other figures do not matter."""
    figure, _ = BUDGETS[key]
    policy = Policy(**{key: 10})  # type: ignore[arg-type]  # one of the three
    others = dict.fromkeys({name for name, _ in BUDGETS.values()} - {figure}, 1e9)
    check_budget(Figures(**{figure: 9.99}, **others), policy, DECEMBER)  # type: ignore[arg-type]
    with pytest.raises(Refusal):
        check_budget(Figures(**{figure: 10}), policy, DECEMBER)
    assert has_budget(policy)


def test_without_a_budget_nothing_is_bounded() -> None:
    """No limit, no refusal; a budget of nothing refuses the first start."""
    check_budget(Figures(server_hours=1e9, cpu_hours=1e9, gb_hours=1e9), Policy(), DECEMBER)
    assert not has_budget(Policy())
    with pytest.raises(Refusal):
        check_budget(Figures(), Policy(budget_gb_hours=0), DECEMBER)
