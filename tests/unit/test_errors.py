"""Errors are values: the same words for form, API and command line, and never a status that stops the hub."""

from __future__ import annotations

import inspect

import pytest

from versatilehub import errors
from versatilehub.errors import BuildFailed, Refusal, VersatileHubError

CLASSES = [
    kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, VersatileHubError)
]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_says_what_to_match_and_never_stops_the_hub(kind: type[VersatileHubError]) -> None:
    """A code to match, and a status below 500: JupyterHub counts the others towards ending itself."""
    error = kind("It is so.", hint="Do that.", field="ref")

    assert error.code.replace("_", "").isalpha()
    assert 400 <= error.status < 500
    assert {"code", "message", "hint", "field"} <= error.to_json().keys()
    assert "It is so." == str(error)


def test_codes_tell_classes_apart() -> None:
    """No two kinds of error share a code."""
    assert len(CLASSES) == len({kind.code for kind in CLASSES})


def test_one_error_may_be_more_exact_than_its_class() -> None:
    """A code given to one error does not change the others of its class."""
    exact = BuildFailed("No space.", code="no_space")

    assert ("no_space", "build_failed") == (exact.code, BuildFailed("No image.").code)


def test_a_refusal_carries_both_figures() -> None:
    """Limit and actual value are apart from the sentence, so a page can show them its own way."""
    refusal = Refusal("5 of 5.", limit="5", actual="6")

    assert {"limit": "5", "actual": "6"}.items() <= refusal.to_json().items()
