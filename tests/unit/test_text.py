"""Characters nobody sees, and text shown back in messages."""

from __future__ import annotations

import pytest

from versatilehub.text import nearest, quoted, unseen


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("plain é 日本 😀", "", id="visible in any script"),
        pytest.param("a\nb", "U+000A", id="newline"),
        pytest.param("a\x00", "U+0000", id="NUL"),
        pytest.param("ab\u200bc", "U+200B", id="zero-width space"),
        pytest.param("\u202eabc", "U+202E", id="right-to-left override"),
        pytest.param("\ud800", "U+D800", id="half of a pair"),
        pytest.param("a\u2028b", "U+2028", id="line separator"),
        pytest.param("a\u3164", "U+3164", id="a letter that draws nothing"),
    ],
)
def test_the_first_character_nobody_sees_is_named(text: str, expected: str) -> None:
    """Controls, format marks, halves and blanks are found; what can be seen is not."""
    assert expected == unseen(text)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("a\nb", r"'a\nb'", id="escaped"),
        pytest.param("x" * 70, "'" + "x" * 60 + "…'", id="cut"),
        pytest.param(
            "https://me:secret@example.org/a",
            "(an address, not repeated: it may hold a password)",
            id="address",
        ),
        pytest.param(None, "null", id="null"),
        pytest.param(True, "true", id="flag"),
        pytest.param(float("nan"), "NaN", id="nan"),
        pytest.param(7, "7", id="number"),
        pytest.param(10**5000, "a number of too many digits", id="a number Python refuses to print"),
        pytest.param({"a": 1}, "an object", id="object"),
        pytest.param([1], "a list", id="list"),
        pytest.param(b"x", "bytes", id="anything else by its type"),
    ],
)
def test_a_message_never_grows_with_what_it_quotes(value: object, expected: str) -> None:
    """Text is quoted, escaped and cut; anything else is named as JSON calls it; no address is repeated."""
    assert expected == quoted(value)


def test_a_slip_finds_the_word_that_was_meant() -> None:
    """One wrong letter still finds the word; another word finds none."""
    assert "memory" == nearest("Memori", ["memory", "cpus"])
    assert "" == nearest("zzz", ["memory", "cpus"])
