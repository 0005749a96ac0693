"""Tests of the builder's lines as events, and of the states of a build."""

from __future__ import annotations

import json

import pytest

from versatilehub.builds.events import TRANSITIONS, BuilderLine, BuildEvent, BuildState, LineReader, clean


def _line(kind: str, text: str = "", **more: object) -> str:
    return json.dumps({"t": kind, "m": text, **more})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(_line("log", "hello"), BuilderLine(kind="log", message="hello"), id="log"),
        pytest.param(_line("phase", "Fetching"), BuilderLine(kind="log", message="Fetching"), id="phase"),
        pytest.param("not json", BuilderLine(kind="log", message="not json"), id="plain-text"),
        pytest.param("[1, 2]", BuilderLine(kind="log", message="[1, 2]"), id="json-but-no-object"),
        pytest.param(
            _line("step", "RUN x", step=2, steps=3),
            BuilderLine(kind="step", message="RUN x", step=2, steps=3),
            id="step",
        ),
        pytest.param(
            _line("step", "odd", step=4, steps=3),
            BuilderLine(kind="log", message="odd"),
            id="step-beyond-steps",
        ),
        pytest.param(
            _line("step", "odd", step=True, steps=3),
            BuilderLine(kind="log", message="odd"),
            id="step-of-bool",
        ),
        pytest.param(
            _line("log", "#7 [3/5] RUN make"),
            BuilderLine(kind="step", message="#7 [3/5] RUN make", step=3, steps=5),
            id="buildkit-step",
        ),
        pytest.param(
            _line("log", "#7 [stage-1 3/5] RUN make"),
            BuilderLine(kind="step", message="#7 [stage-1 3/5] RUN make", step=3, steps=5),
            id="buildkit-step-of-a-stage",
        ),
        pytest.param(
            _line("log", "#1 [internal] load build definition"),
            BuilderLine(kind="log", message="#1 [internal] load build definition"),
            id="buildkit-internal",
        ),
        pytest.param(
            _line("result", "", image_id="sha256:1"),
            BuilderLine(kind="result", result={"image_id": "sha256:1"}),
            id="result",
        ),
        pytest.param(
            _line("error", "m", code="x", message="It broke.", hint="Mend it.", file="apt.txt"),
            BuilderLine(kind="error", message="It broke.", code="x", hint="Mend it.", file="apt.txt"),
            id="error",
        ),
    ],
)
def test_a_line_is_read_as_what_it_says(line: str, expected: BuilderLine) -> None:
    """Each kind of builder line gives its one reading, and what is none of them is a log line."""
    assert (expected,) == LineReader().read(line)


def test_log_lines_belong_to_the_last_step() -> None:
    """A log line after step 2 of 3 carries that step, and a repeated header is no second step."""
    reader = LineReader()
    for line in (
        _line("log", "#5 [2/3] COPY . ."),
        _line("log", "#5 [2/3] COPY . ."),
        _line("log", "#4 [1/3] FROM x"),
    ):
        (read,) = reader.read(line)

    assert ("log", 2, 3) == (read.kind, read.step, read.steps)


def test_a_blank_line_says_nothing() -> None:
    """An empty message makes no event."""
    assert () == LineReader().read(_line("log", ""))


def test_a_long_line_is_cut_and_nothing_is_lost() -> None:
    """A line of 10,000 characters becomes several events whose texts join to the line."""
    reads = LineReader().read(_line("log", "x" * 10_000))

    assert "x" * 10_000 == "".join(read.message for read in reads)
    assert len(reads) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("\x1b[31mred\x1b[0m", "red", id="colour"),
        pytest.param("10%\r20%\rdone\r\n", "done", id="progress-bar"),
        pytest.param("a\x00b\x07c", "abc", id="controls"),
        pytest.param("\x1b]0;title\x07text", "text", id="window-title"),
        pytest.param("safe\u202egnp.exe", "safegnp.exe", id="direction-override"),
        pytest.param("über\tπ", "über\tπ", id="letters-and-tab-stay"),
    ],
)
def test_text_is_shown_as_a_terminal_would_end_up_showing_it(text: str, expected: str) -> None:
    """Colours, progress bars, control and direction characters are taken out."""
    assert expected == clean(text)


def test_an_event_survives_json() -> None:
    """An event written and read back is the same event."""
    event = BuildEvent(seq=3, at=1.5, state=BuildState.BUILDING, kind="step", message="RUN", step=1, steps=2)

    assert event == BuildEvent.from_json(json.loads(json.dumps(event.to_json())))


def test_what_is_no_event_is_refused() -> None:
    """JSON without the keys of an event is a ValueError."""
    with pytest.raises(ValueError, match="not an event"):
        BuildEvent.from_json({"state": "queued"})


@pytest.mark.parametrize(
    ("state", "phase"),
    [
        pytest.param(BuildState.QUEUED, "queue", id="queued"),
        pytest.param(BuildState.FETCHING, "fetch", id="fetching"),
        pytest.param(BuildState.RENDERING, "build", id="rendering"),
        pytest.param(BuildState.BUILDING, "build", id="building"),
        pytest.param(BuildState.PROBING, "build", id="probing"),
        pytest.param(BuildState.READY, "build", id="ready"),
    ],
)
def test_a_state_belongs_to_a_phase_of_the_launch(state: BuildState, phase: str) -> None:
    """States are shown under the phases other people's scripts know."""
    assert phase == BuildEvent(state=state, at=0.0, kind="phase", message="").phase


def test_final_states_have_no_way_on() -> None:
    """Exactly ready, failed, cancelled and interrupted are final."""
    assert {"ready", "failed", "cancelled", "interrupted"} == {
        state.value for state in TRANSITIONS if state.final
    }


def test_progress_counts_finished_steps() -> None:
    """Step 2 of 4 means a quarter of the building is done."""
    event = BuildEvent(state=BuildState.BUILDING, at=0.0, kind="step", message="", step=2, steps=4)

    assert 35 == event.percent
