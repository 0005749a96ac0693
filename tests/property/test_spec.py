"""Properties of launch specs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from tests.property.spec_strategies import any_json, any_text, nearly_specs, valid_specs
from versatilehub.errors import InvalidInput, InvalidSource, InvalidSpec
from versatilehub.spec import LaunchSpec, check_image, check_open, open_url, parse_cpus, parse_memory
from versatilehub.spec_values import parse_collaborators, parse_idle_timeout

if TYPE_CHECKING:
    from collections.abc import Callable


def outcome(read: Callable[[Any], LaunchSpec], value: object) -> LaunchSpec | InvalidInput:
    """Return the spec that *value* is, or why it is none; any other error fails the test."""
    try:
        return read(value)
    except (InvalidSpec, InvalidSource) as error:
        return error


@given(any_json | nearly_specs)
def test_reading_is_total(obj: object) -> None:
    """Any JSON value is a spec or is refused with a short message and a hint; nothing else happens."""
    found = outcome(LaunchSpec.from_json, obj)

    if isinstance(found, LaunchSpec):
        assert found == LaunchSpec.from_json(found.to_json())
    else:
        assert 0 < len(found.message) < 500
        assert found.hint


@given(
    st.dictionaries(
        any_text | st.sampled_from(["source", "image", "memory"]),
        st.lists(any_text | st.binary(), max_size=3),
    )
)
def test_reading_a_form_is_total(form: dict[str, list[Any]]) -> None:
    """Any set of fields is a spec or is refused."""
    found = outcome(LaunchSpec.from_form, form)

    assert isinstance(found, LaunchSpec) or found.hint


@given(valid_specs)
def test_a_spec_is_its_own_canonical_form(obj: dict[str, Any]) -> None:
    """Writing and reading gives the same spec, through JSON text too, and the digest with it."""
    spec = LaunchSpec.from_json(obj)
    again = LaunchSpec.from_json(json.loads(json.dumps(spec.to_json())))

    assert spec == again
    assert spec.digest == again.digest
    assert list(spec.to_json()) == sorted(spec.to_json())
    assert not [value for value in spec.to_json().values() if value in ("", None, [])]


@given(valid_specs, st.randoms())
def test_the_order_of_keys_means_nothing(obj: dict[str, Any], random: Any) -> None:
    """Two objects that differ in order have one digest."""
    items = list(obj.items())
    random.shuffle(items)

    assert LaunchSpec.from_json(obj).digest == LaunchSpec.from_json(dict(items)).digest


@given(any_text | st.text("/.%25efEF\\?=&:@abt~-", max_size=20), st.sampled_from(["", "repo"]))
def test_a_landing_place_stays_below_the_server(text: str, repo: str) -> None:
    """What `open` becomes names no host, climbs nowhere, carries no token and is escaped."""
    try:
        opened = check_open(text)
    except InvalidSpec:
        return
    url = open_url(opened, repo)
    path, _, query = url.partition("?")

    assert opened == check_open(opened)
    assert re.fullmatch(r"[A-Za-z0-9][!-~]*", url)
    assert not {"", ".", ".."} & set(path.rstrip("/").split("/"))
    assert "token=" not in unquote(unquote(query)).lower()
    assert not re.search(r"[{}\\]", url)


@given(any_json)
def test_values_are_total(value: Any) -> None:
    """Each reader of one value returns a value in its bounds or refuses."""
    for read in (parse_memory, parse_cpus, parse_idle_timeout):
        try:
            found = read(value)
        except InvalidSpec:
            continue
        assert 0 < found < 2**63
    for read_text in (check_image, check_open, parse_collaborators):
        try:
            read_text(value)
        except InvalidSpec:
            continue


@given(st.integers(1, 10**6), st.integers(0, 999), st.sampled_from("KMG"))
def test_memory_is_exact(whole: int, thousandths: int, unit: str) -> None:
    """A decimal amount is whole bytes, rounded down, at every size."""
    size = 1024 ** ("KMG".index(unit) + 1)

    assert (whole * 1000 + thousandths) * size // 1000 == parse_memory(f"{whole}.{thousandths:03}{unit}")
