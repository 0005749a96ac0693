"""The builder's voice: JSON lines, bounded in length and number."""

from __future__ import annotations

import io
import json

from versatilehub_builder.lines import MOST_LOGS, Lines


def test_a_chatty_tool_is_cut() -> None:
    """Log lines past the limit are left out, with one line that says so; steps and the result still come."""
    voice = io.StringIO()
    lines = Lines(voice)
    for _ in range(2 * MOST_LOGS):
        lines.log("x")
    lines.step("RUN true", 2, 3)
    lines.result({"image_id": "sha256:1"})

    said = [json.loads(line) for line in voice.getvalue().splitlines()]
    assert MOST_LOGS + 3 == len(said)
    assert ["log", "step", "result"] == [line["t"] for line in said[-3:]]
    assert "further ones are left out" in said[-3]["m"]
