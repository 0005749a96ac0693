"""Tests of which bytes of a log are asked for, and of its text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from versatilehub.builds.events import BuildState
from versatilehub.builds.logs import BuildLog, Entry, render
from versatilehub.builds.text import Span, read_span, span_of, tail

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param("", Span(start=0, end=100), id="none"),
        pytest.param("bytes=0-9", Span(start=0, end=10, part=True), id="first-ten"),
        pytest.param("bytes=90-", Span(start=90, end=100, part=True), id="from"),
        pytest.param("bytes=-10", Span(start=90, end=100, part=True), id="last-ten"),
        pytest.param("bytes=-1000", Span(start=0, end=100, part=True), id="more-than-there-is"),
        pytest.param("bytes=50-1000", Span(start=50, end=100, part=True), id="beyond-the-end"),
        pytest.param("bytes=100-", None, id="nothing-there"),
        pytest.param("bytes=-0", None, id="last-none"),
        pytest.param("bytes=9-3", None, id="backwards"),
        pytest.param("bytes=0-1,5-6", Span(start=0, end=100), id="several"),
        pytest.param("bytes=-", Span(start=0, end=100), id="empty"),
        pytest.param("items=0-1", Span(start=0, end=100), id="other-unit"),
    ],
)
def test_a_range_header(header: str, expected: Span | None) -> None:
    """One range is read; what is none asks for everything; bytes that are not there are none."""
    assert expected == span_of(header, 100)


async def test_text_is_read_in_part(tmp_path: Path) -> None:
    """Any span gives the bytes of the whole text, letters of several bytes included; the last lines are the last."""
    log = BuildLog.create(tmp_path / "log.jsonl", cap=1 << 20)
    log.move(BuildState.QUEUED, "queued", 1.0)
    log.append([Entry(kind="log", message=f"größe {n}") for n in range(1000)], 2.0)
    log.close()
    whole = render(log.path.read_bytes()).encode()

    assert log.text_size == len(whole)
    for start, end in ((0, len(whole)), (3, 4), (500, 9000), (len(whole) - 5, len(whole))):
        found = b"".join([piece async for piece in read_span(log.path, Span(start=start, end=end))])
        assert whole[start:end] == found
    assert whole.splitlines()[-3:] == tail(log.path, 3).splitlines()
