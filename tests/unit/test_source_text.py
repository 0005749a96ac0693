"""Refs, folders and characters: the corpus, and the edges of each rule."""

from __future__ import annotations

import pytest

from tests.bad_inputs import Case, cases
from versatilehub.errors import InvalidSource
from versatilehub.source_text import MAX_PATH, MAX_REF, MAX_TEXT, check_ref, check_subdir, check_text, shown


def refuses_ref(ref: str) -> bool:
    """Tell whether `check_ref` refuses *ref*, saying which field it was."""
    error = None
    try:
        check_ref(ref)
    except InvalidSource as caught:
        error = caught
    assert error is None or ("ref", "invalid_ref", True) == (error.field, error.code, bool(error.hint))
    return error is not None


def refuses_subdir(subdir: str) -> bool:
    """Tell whether `check_subdir` refuses *subdir*, saying which field it was."""
    error = None
    try:
        check_subdir(subdir)
    except InvalidSource as caught:
        error = caught
    assert error is None or ("subdir", "invalid_subdir", True) == (error.field, error.code, bool(error.hint))
    return error is not None


@pytest.mark.parametrize("case", cases("ref"))
def test_every_ref_of_the_corpus_gets_its_verdict(case: Case) -> None:
    """The corpus of refs is accepted and refused as it says."""
    assert case.accepted != refuses_ref(case.value), case.why


@pytest.mark.parametrize("case", cases("subdir"))
def test_every_folder_of_the_corpus_gets_its_verdict(case: Case) -> None:
    """The corpus of folders is accepted and refused as it says."""
    assert case.accepted != refuses_subdir(case.value), case.why


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        pytest.param("feature/save_world", "feature/save_world", id="slash and underscore"),
        pytest.param("v1.0+build-2", "v1.0+build-2", id="version"),
        pytest.param("HEAD", "HEAD", id="HEAD"),
        pytest.param("A" * 40, "a" * 40, id="a commit is folded"),
        pytest.param("F" * 64, "f" * 64, id="a sha256 commit is folded"),
        pytest.param("A" * 41, "A" * 41, id="41 digits are a name"),
        pytest.param("a" * MAX_REF, "a" * MAX_REF, id="255 bytes"),
        pytest.param("ветка", "ветка", id="Cyrillic"),
        pytest.param("cafe\u0301", "cafe\u0301", id="a combining mark"),
    ],
)
def test_a_ref_is_returned(ref: str, expected: str) -> None:
    """What can be a ref comes back; only commits change, to lower case."""
    assert expected == check_ref(ref)


@pytest.mark.parametrize(
    "ref",
    [
        pytest.param("a" * (MAX_REF + 1), id="256 bytes"),
        pytest.param("é" * 128, id="256 bytes of 128 letters"),
        pytest.param("a//b", id="empty part"),
        pytest.param("a.lock/b", id="a part that ends with .lock"),
        pytest.param("a@b", id="at sign"),
        pytest.param("a#b", id="hash"),
        pytest.param("a%2fb", id="percent"),
        pytest.param("a\\b", id="backslash"),
        pytest.param("a*", id="glob"),
        pytest.param("a[b", id="bracket"),
        pytest.param("main\n", id="newline at the end"),
        pytest.param(f"{'a' * 40}\n", id="newline after a commit"),
        pytest.param("a\u202eb", id="right-to-left override"),
        pytest.param("a\u200bb", id="zero-width space"),
        pytest.param("a\u3164", id="a letter that draws nothing"),
        pytest.param("a\ufe0f", id="variation selector"),
        pytest.param("\ud800", id="half a pair"),
        pytest.param("a²", id="a digit that is not decimal"),
    ],
)
def test_what_cannot_be_a_ref_is_refused(ref: str) -> None:
    """Each rule of git, and each narrower one of ours, has a case."""
    assert refuses_ref(ref)


@pytest.mark.parametrize(
    ("subdir", "expected"),
    [
        pytest.param("", "", id="the repository itself"),
        pytest.param("docs", "docs", id="one"),
        pytest.param("docs/a b/", "docs/a b", id="a slash at the end goes"),
        pytest.param("données/été", "données/été", id="letters of any script"),
        pytest.param(".binder", ".binder", id="hidden folders are folders"),
        pytest.param("a..b", "a..b", id="dots within a name"),
    ],
)
def test_a_folder_is_returned(subdir: str, expected: str) -> None:
    """A relative path inside the repository comes back without a slash at its end."""
    assert expected == check_subdir(subdir)


@pytest.mark.parametrize(
    "subdir",
    [
        pytest.param("/", id="root"),
        pytest.param("a//b", id="empty part"),
        pytest.param("a/./b", id="dot"),
        pytest.param("a/../b", id="dot dot"),
        pytest.param("a/.GIT/hooks", id="git's folder in any case"),
        pytest.param("-x", id="option"),
        pytest.param("a/-x", id="option further in"),
        pytest.param("a/ b", id="space at an edge"),
        pytest.param("a\\b", id="backslash"),
        pytest.param("C:/x", id="drive"),
        pytest.param("$HOME/x`", id="shell"),
        pytest.param("{username}", id="format"),
        pytest.param("%2e%2e/x", id="percent-encoded"),
        pytest.param("a\u2066b", id="bidi isolate"),
        pytest.param("\udcff", id="half a pair"),
        pytest.param("a" * 256, id="a part of 256 bytes"),
        pytest.param("a/" * (MAX_PATH // 2) + "ab", id="more than 1024 bytes"),
    ],
)
def test_what_is_no_folder_of_a_repository_is_refused(subdir: str) -> None:
    """Whatever leaves the repository, or two people could read differently, is refused."""
    assert refuses_subdir(subdir)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("a" * (MAX_TEXT + 1), id="too long"),
        pytest.param(" a", id="space before"),
        pytest.param("a\n", id="newline after"),
        pytest.param("a\u00a0b", id="no-break space"),
        pytest.param("a\u0000b", id="NUL"),
        pytest.param("a\ufe0fb", id="variation selector"),
        pytest.param("a\\b", id="backslash"),
    ],
)
def test_text_that_no_address_can_hold_is_refused(text: str) -> None:
    """Spaces, controls, hidden characters and too much of anything are refused before anything is read."""
    with pytest.raises(InvalidSource) as caught:
        check_text(text)

    assert "source" == caught.value.field
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("main", "'main'", id="plain"),
        pytest.param("é\n", "'\\xe9\\n'", id="escaped"),
        pytest.param("a" * 61, f"'{'a' * 57}...'", id="cut"),
        pytest.param("user:secret@host", "(not shown)", id="may hold a password"),
        pytest.param("https://secret", "(not shown)", id="may hold a token"),
    ],
)
def test_text_is_shown_escaped_short_and_without_secrets(text: str, expected: str) -> None:
    """What a message repeats of a person's text is ASCII, short, and nothing that may hold credentials."""
    assert expected == shown(text)
