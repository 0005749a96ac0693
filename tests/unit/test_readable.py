"""Names nobody typed: sayable, legal, free."""

from __future__ import annotations

import pytest

from versatilehub.naming import check_server_name
from versatilehub.readable import COUNT, FIRST, SECOND, readable_name


def test_every_name_is_legal_and_they_differ() -> None:
    """All combinations keep the rules for server names, within the 20 characters the strictest preset allows."""
    names = {readable_name((), [number]) for number in range(COUNT)}

    assert COUNT == len(names)
    assert names == {check_server_name(name, 20) for name in names}


@pytest.mark.req("V4")
def test_a_taken_name_is_passed_over() -> None:
    """The next number decides when the first name is in use."""
    first, second = readable_name((), [5]), readable_name((), [6])

    assert second == readable_name({first}, [5, 6])


def test_a_person_with_every_name_still_gets_one() -> None:
    """When all that was tried is taken, a count makes it free."""
    taken = {f"{a}-{b}" for a in FIRST for b in SECOND}
    name = readable_name(taken, range(10))

    assert name not in taken
    assert name != readable_name({*taken, name}, range(10))
