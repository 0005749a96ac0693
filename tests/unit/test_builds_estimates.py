"""Tests of how long a build is expected to take."""

from __future__ import annotations

import pytest

from versatilehub.builds.estimates import Estimate, Past, Remaining, estimate, percentile, wait


def _past(repository: str, pack: str, *seconds: float) -> list[Past]:
    return [Past(repository=repository, pack=pack, seconds={"building": one}) for one in seconds]


HISTORY = [
    *_past("mine", "uv", 1, 2, 30),
    *_past("theirs", "uv", 10, 20),
    *_past("other", "dockerfile", 100),
]


@pytest.mark.parametrize(
    ("repository", "pack", "expected"),
    [
        pytest.param("mine", "uv", Estimate(median=2, p95=30, samples=3, of="repository"), id="its-own"),
        pytest.param("new", "uv", Estimate(median=10, p95=30, samples=5, of="pack"), id="its-pack's"),
        pytest.param("theirs", "", Estimate(median=10, p95=30, samples=5, of="pack"), id="the-pack-it-had"),
        pytest.param("new", "", Estimate(median=15, p95=100, samples=6, of="all"), id="everybody's"),
        pytest.param("other", "dockerfile", Estimate(median=15, p95=100, samples=6, of="all"), id="too-few"),
    ],
)
def test_the_nearest_group_that_has_enough_speaks(repository: str, pack: str, expected: Estimate) -> None:
    """The repository's own builds say how long it takes, else its pack's, else all."""
    assert expected == estimate(HISTORY, ["building"], repository=repository, pack=pack)


def test_without_history_nothing_is_said() -> None:
    """No build, or none that had the phase, gives no estimate; one build is better than none."""
    assert None is estimate([], ["building"], repository="mine")
    assert None is estimate(HISTORY, ["fetching"], repository="mine")
    assert 1 == getattr(estimate(HISTORY[-1:], ["building"], repository="mine"), "samples", 0)


def test_phases_add_up() -> None:
    """Several phases together are added within each build, and one a build skipped counts nothing."""
    past = [Past(repository="r", pack="", seconds={"fetching": 1, "building": 2}), *_past("r", "", 3)]
    found = estimate(past, ["fetching", "building"], repository="r")
    assert Estimate(median=3, p95=3, samples=2, of="all") == found


@pytest.mark.parametrize(
    ("count", "expected"),
    [pytest.param(1, 1, id="one"), pytest.param(20, 19, id="twenty"), pytest.param(100, 95, id="hundred")],
)
def test_percentile_is_a_value_that_occurred(count: int, expected: int) -> None:
    """The 95th percentile of 1…n is the smallest number 95 of 100 do not exceed."""
    assert expected == percentile(list(range(1, count + 1)), 0.95)


@pytest.mark.parametrize(
    ("running", "ahead", "places", "expected"),
    [
        pytest.param([], [], 2, 0, id="free"),
        pytest.param([10, 4], [], 2, 4, id="next"),
        pytest.param([10, 4], [3], 2, 7, id="behind-a-short-one"),
        pytest.param([10, 4], [30, 1], 2, 11, id="past-a-long-one"),
        pytest.param([5], [], 2, 0, id="a-place-is-free"),
        pytest.param([5, 6, 7], [], 2, 6, id="more-run-than-places"),
    ],
)
def test_waiting_is_played_through(running: list[int], ahead: list[int], places: int, expected: int) -> None:
    """Builds ahead take the places that become free first; then it is one's own turn."""

    def spans(values: list[int]) -> list[Remaining]:
        return [Remaining(median=value, p95=2 * value) for value in values]

    found = wait(spans(running), spans(ahead), places=places)
    assert (expected, 2 * expected, "queue") == (found.median, found.p95, found.of)


def test_an_estimate_survives_json() -> None:
    """Written and read back it is the same."""
    found = Estimate(median=1.5, p95=2.0, samples=3, of="pack")
    assert found == Estimate.from_json(found.to_json())
