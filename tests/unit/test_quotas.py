"""When a person is warned of a volume that fills up."""

from __future__ import annotations

import pytest

from versatilehub.quotas import crossed, level, percent


@pytest.mark.req("P10")
@pytest.mark.parametrize(
    ("before", "used", "now"),
    [
        pytest.param(0, 79, 0, id="below the first line"),
        pytest.param(0, 80, 80, id="at the first line"),
        pytest.param(0, 96, 95, id="past both at once: the higher one"),
        pytest.param(80, 95, 95, id="on to the second"),
        pytest.param(80, 78, 80, id="a little below the line is not left yet"),
        pytest.param(80, 76, 0, id="well below it is"),
        pytest.param(95, 93, 95, id="the second has the same slack"),
        pytest.param(95, 85, 80, id="from the second back to the first"),
        pytest.param(0, 200, 95, id="a measured cap may be passed"),
    ],
)
def test_levels(before: int, used: int, now: int) -> None:
    """A level is reached at its line and left a little below, so that going up and down warns once."""
    assert now == level(before, used, 100)


def test_without_a_cap_there_is_no_warning() -> None:
    """A volume without a cap is never full."""
    assert (0, 0.0) == (level(0, 10**12, 0), percent(10**12, 0))


def test_only_going_up_warns() -> None:
    """Falling back to 80 % is no news."""
    assert (True, True, False, False) == (crossed(0, 80), crossed(80, 95), crossed(95, 80), crossed(80, 80))
