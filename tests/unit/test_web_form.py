"""The options form: what it shows, and what it makes of what a browser sends."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from typing import Any

import pytest
from bs4 import BeautifulSoup

from versatilehub.errors import InvalidSource
from versatilehub.policy import Profile
from versatilehub.web.form import FieldError, FormState, pick_fields, render_options_form, typed

STATE = FormState(
    base_url="/base/hub/",
    profiles=(
        Profile(name="small", label="Small", memory=1 << 30, cpus=0.5),
        Profile(name="large", label="Large", memory=8 << 30, cpus=4),
    ),
    images=("one:1", "two:2"),
)
HOSTILE = "\"'><script>alert(1)</script>{{ 7*7 }}"


@pytest.mark.parametrize(
    ("form", "kept"),
    [
        pytest.param({"source": ["x"], "ref": [""]}, {"source": ["x"]}, id="blank fields go"),
        pytest.param(
            {"kind": ["image"], "source": ["x"], "ref": ["r"], "image": ["i"], "open": ["o"]},
            {"image": ["i"], "open": ["o"]},
            id="the other way goes",
        ),
        pytest.param(
            {"kind": ["source"], "source": ["x"], "image": ["i"], "placement": ["home"]},
            {"source": ["x"], "placement": ["home"]},
            id="source with the image list's first entry",
        ),
        pytest.param(
            {"source": ["x"], "image": ["i"]}, {"source": ["x"], "image": ["i"]}, id="no choice made"
        ),
        pytest.param({"kind": ["?"], "image": ["i"]}, {"image": ["i"]}, id="unknown way"),
        pytest.param({"shell": ["x"]}, {"shell": ["x"]}, id="unknown fields are the parser's to refuse"),
        pytest.param({"ref": ["a", "b"]}, {"ref": ["a", "b"]}, id="repeated values too"),
        pytest.param({"x_file": [b"f"]}, {"x_file": [b"f"]}, id="an upload is not text"),
    ],
)
def test_pick_fields(form: dict[str, list[object]], kept: dict[str, list[object]]) -> None:
    """Only the fields of the way that was chosen, and with something in them, reach the parser."""
    assert kept == pick_fields(form)


def test_typed_takes_only_our_texts() -> None:
    """An upload, an unknown field and an empty list are not what was typed."""
    form: dict[str, list[Any]] = {
        "source": ["x", "y"],
        "ref": [b"bytes"],
        "subdir": [],
        "other": ["z"],
        "kind": ["source"],
    }

    assert {"source": "x", "kind": "source"} == typed(form)


@pytest.mark.parametrize(
    ("changes", "kinds", "kind"),
    [
        pytest.param({}, ("source", "image"), "source", id="both"),
        pytest.param({"images": ()}, ("source",), "source", id="repositories only"),
        pytest.param({"sources_allowed": False}, ("image",), "image", id="images only"),
        pytest.param({"images": (), "any_image": True}, ("source", "image"), "source", id="typed images"),
        pytest.param({"images": (), "sources_allowed": False}, (), "", id="nothing"),
        pytest.param({"values": {"kind": "image"}}, ("source", "image"), "image", id="chosen"),
        pytest.param({"values": {"image": "two:2"}}, ("source", "image"), "image", id="typed for"),
        pytest.param(
            {"defaults": {"image": "two:2"}}, ("source", "image"), "source", id="a default is no choice"
        ),
        pytest.param({"values": {"kind": "magic"}}, ("source", "image"), "source", id="no such way"),
    ],
)
def test_kinds(changes: dict[str, object], kinds: tuple[str, ...], kind: str) -> None:
    """Policy says which ways there are; what was typed says which one is meant."""
    state = replace(STATE, **changes)  # type: ignore[arg-type]  # a table of fields

    assert (kinds, kind) == (state.kinds, state.kind)
    assert ('name="source"' in render_options_form(state)) == ("source" in kinds)
    assert ('name="image"' in render_options_form(state)) == ("image" in kinds)


@pytest.mark.parametrize("name", ["source", "ref", "subdir", "image", "open", "profile", "placement", "kind"])
def test_hostile_values_are_escaped(name: str) -> None:
    """Whatever was typed stands in the form as text, never as markup or template."""
    error = InvalidSource(HOSTILE, hint=HOSTILE, field=name)
    state = replace(STATE, any_image=True).rejected({name: [HOSTILE]}, error)

    page = render_options_form(state)

    assert "<script>" not in page
    assert "49" not in re.sub(r"static/[^/]+/", "", page)
    assert html.escape(HOSTILE).replace("&quot;", "&#34;").replace("&#x27;", "&#39;") in page


def test_hostile_names_are_escaped() -> None:
    """Labels, image names and error codes of an admin or a parser are text as well."""
    profile = Profile(name=HOSTILE, label=HOSTILE, memory=1, cpus=1)
    error = FieldError(code=HOSTILE, message=HOSTILE, hint=HOSTILE, field=HOSTILE)
    state = FormState(base_url=HOSTILE, profiles=(profile,), images=(HOSTILE,), errors=(error,))

    assert "<script>" not in render_options_form(state)


def test_rejected_keeps_values_and_marks_the_field() -> None:
    """After a refusal the form shows what was typed, links the summary to the field, and describes the field."""
    error = InvalidSource("That is no link.", hint="Like https://…", field="source")

    page = render_options_form(STATE.rejected({"source": ["nonsense"], "profile": ["large"]}, error))

    assert 'value="nonsense"' in page
    assert 'href="#vh-source"' in page
    assert 'aria-describedby="vh-source-help vh-source-error"' in page
    assert re.search(r'value="large"[^>]*checked', page)
    assert not re.search(r'value="small"[^>]*checked', page)


def test_error_of_no_field_stands_in_the_summary() -> None:
    """An error about something the form does not have is still shown."""
    page = render_options_form(
        replace(STATE, errors=(FieldError(code="c", message="No room.", field="mounts"),))
    )

    assert "No room." in page
    assert 'href="#vh-mounts"' not in page


@pytest.mark.parametrize(
    ("changes", "opened"),
    [
        pytest.param({}, False, id="untouched"),
        pytest.param({"defaults": {"placement": "home"}}, False, id="defaults"),
        pytest.param({"defaults": {"subdir": "a"}}, True, id="of the last start"),
        pytest.param({"values": {"placement": "home"}}, False, id="the usual choice"),
        pytest.param({"values": {"placement": "image"}}, True, id="another choice"),
        pytest.param({"values": {"subdir": "a"}}, True, id="typed"),
        pytest.param({"errors": (FieldError(code="c", message="m", field="subdir"),)}, True, id="error"),
    ],
)
def test_advanced_unfolds_when_needed(changes: dict[str, object], opened: bool) -> None:
    """A folded part never hides something typed or wrong."""
    assert opened == replace(STATE, **changes).advanced_open  # type: ignore[arg-type]  # a table of fields


def test_every_input_has_a_label() -> None:
    """Each field has an id that one label names."""
    page = render_options_form(replace(STATE, any_image=True))
    inputs = re.findall(r"<(?:input|select)\b[^>]*?\bid=\"([^\"]+)\"", page)

    assert sorted(inputs) == sorted(re.findall(r'<label[^>]*\bfor="([^"]+)"', page))
    assert len(inputs) == len(re.findall(r"<(?:input|select)\b", page))


def test_no_inline_code() -> None:
    """No handler, style or script text in the markup: a strict content security policy can hold."""
    page = render_options_form(STATE)

    assert not re.search(r"\s(?:on\w+|style)=", page)
    assert re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL) == [""]


@pytest.mark.req("K12")
def test_an_image_that_cannot_be_had_is_marked_and_cannot_be_chosen() -> None:
    """It stands in the list with the reason, disabled; the others can be chosen."""
    state = FormState(base_url="/hub/", images=("lab/here:1", "lab/gone:1"), missing=("lab/gone:1",))
    options = BeautifulSoup(render_options_form(state), "html5lib").select("#vh-image option")

    assert [("lab/here:1", False), ("lab/gone:1 (not on this machine)", True)] == [
        (one.get_text(strip=True), one.has_attr("disabled")) for one in options
    ]
