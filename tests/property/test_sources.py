"""What holds for every text: `parse_source` is total, its result parses to itself, and no rule can be got around."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.property.strategies import PASTED, git_sources, mangled
from versatilehub.errors import InvalidSource
from versatilehub.sources import (
    Source,
    SourceRules,
    check_ref,
    check_subdir,
    check_url,
    longer_refs,
    parse_source,
)

TEXT = st.one_of(st.text(), mangled(), st.text("/:@.%?#-abAB01~+ \u00e9\u202e", max_size=60))
REF = st.one_of(st.none(), st.text(), st.text("abAB01./_-+~^:@{}\\* ", max_size=50))
FORGE = SourceRules(extra=("http://forge.lan:3000/",), hosts=("github.com", ".org"))


def read(text: str, ref: str | None = None, rules: SourceRules | None = None) -> Source | None:
    """Return the source, None if it is refused; any other error fails the test."""
    try:
        return parse_source(text, ref, rules=rules or SourceRules())
    except InvalidSource as error:
        assert error.message  # noqa: PT017  # part of what "refused" means for every text
        assert error.hint  # noqa: PT017
        return None


@pytest.mark.req("V2", "P19")
@pytest.mark.parametrize("rules", [SourceRules(), FORGE], ids=["public", "a site's own"])
@given(text=TEXT, ref=REF)
@example(text="https://h.org/a/b/%2D/tree/main", ref=None)
@example(text="https://h.org/a/b/tree/x/-/tree/main", ref=None)
@example(text="git@mybinder.org:v2/gh/a/b/main", ref=None)
def test_any_text_is_a_source_or_refused(text: str, ref: str | None, rules: SourceRules) -> None:
    """On any text and ref, `parse_source` returns or raises `InvalidSource`, and what it returns is stable."""
    source = read(text, ref, rules)

    if source:
        again = parse_source(source.url, source.ref, rules=rules)
        assert replace(source, open="") == again
        assert "" == source.subdir


@pytest.mark.parametrize("text", PASTED)
def test_every_pasted_form_is_read(text: str) -> None:
    """The forms the other properties start from are real ones."""
    assert read(text)


@given(text=mangled())
def test_no_result_breaks_the_rules_of_its_parts(text: str) -> None:
    """Whatever the text, URL, ref and file of the result have passed the rule of each."""
    source = read(text)

    if source:
        assert source.ref == check_ref(source.ref)
        assert not source.is_git or source.url == check_url(source.url)
        assert not re.search(r"(^|/)\.\.(/|$)", source.open.partition("?")[0])
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", source.name)


@given(source=git_sources())
def test_a_canonical_source_reads_as_itself(source: Source) -> None:
    """Parsing the URL and ref of a source gives that source."""
    assert source == parse_source(source.url, source.ref)


@given(source=git_sources())
def test_the_suffix_and_githubs_case_change_nothing(source: Source) -> None:
    """On the known forges ".git" is no part of an identity; on GitHub neither is case."""
    variant = source.url + ".git" if source.provider != "git" else source.url + "/"
    if source.provider == "github":
        variant = variant.upper().replace("HTTPS", "https")

    assert source == parse_source(variant, source.ref)


@given(url=TEXT)
def test_canonical_urls_are_fixed_points(url: str) -> None:
    """`check_url` is total, and its result is its own canonical form, in visible ASCII, https, without a user."""
    try:
        found = check_url(url)
    except InvalidSource:
        return

    assert found == check_url(found)
    assert re.fullmatch(r"https://[a-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~+%-]+)+", found)


@given(ref=REF)
def test_refs_are_total_and_stable(ref: str | None) -> None:
    """`check_ref` returns or refuses; what it returns passes again, and is no option and no revision expression."""
    try:
        found = check_ref(ref or "")
    except InvalidSource:
        return

    assert found == check_ref(found)
    assert not found.startswith("-")
    assert not set(found) & set(" ~^:?*[\\@{}$`;|&<>'\"")


@given(path=st.one_of(st.text(), st.text("ab/.- \\%", max_size=30)))
def test_folders_are_total_and_stay_inside(path: str) -> None:
    """`check_subdir` returns or refuses; what it returns passes again and is inside the repository."""
    try:
        found = check_subdir(path)
    except InvalidSource:
        return

    assert found == check_subdir(found)
    assert not found.startswith(("/", "-"))
    assert ".." not in found.split("/")


@given(source=git_sources(), path=st.lists(st.text("abc", min_size=1, max_size=3), max_size=4))
def test_longer_refs_lose_nothing(source: Source, path: list[str]) -> None:
    """Each longer ref and what is left of the path are together what the link said."""
    tree = replace(source, ref="feature", open="/".join(path))

    found = list(longer_refs(tree))
    assert len(path) == len(found)
    assert {"/".join(("feature", *path))} >= {f"{longer.ref}/{longer.open}".rstrip("/") for longer in found}


@given(secret=st.text("ABCDEFGHJKMNP23456789", min_size=12, max_size=20), text=st.sampled_from(PASTED))
def test_credentials_are_refused_and_never_repeated(secret: str, text: str) -> None:
    """A user and password before any host are refused, and no part of the answer repeats the password."""
    pasted = text.replace("://", f"://user:{secret}@").replace("%3A%2F%2F", f"%3A%2F%2Fuser%3A{secret}%40")
    if pasted == text:
        return
    try:
        source = parse_source(pasted)
    except InvalidSource as error:
        assert secret not in str(error.to_json())  # noqa: PT017  # the property is about this error
    else:
        assert secret not in repr(source)
