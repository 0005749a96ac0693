"""What an event is about."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from versatilehub.events import Event, Kind


@pytest.mark.parametrize(
    ("data", "subject"),
    [
        pytest.param({"volume": "vh-1"}, "vh-1", id="a volume"),
        pytest.param({"build": "b"}, "b", id="a build"),
        pytest.param({"code": "x"}, "", id="neither"),
    ],
)
def test_subject(data: dict[str, str], subject: str) -> None:
    """A volume's or a build's events are found by its name."""
    assert Event(at=datetime(2026, 1, 1, tzinfo=UTC), kind=Kind.REFUSED, data=data).subject == subject
