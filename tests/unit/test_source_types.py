"""The values of a source: folder names, kinds, and rules that are right from the start."""

from __future__ import annotations

import pytest

from versatilehub.errors import InvalidInput
from versatilehub.source_types import ResolvedSource, Source, SourceRules, folder_name


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("https://github.com/owner/repo", "repo", id="plain"),
        pytest.param("https://h.org/repo.git", "repo", id="without .git"),
        pytest.param("https://h.org/.ssh", "ssh", id="never a hidden folder of the home"),
        pytest.param("https://h.org/-rf", "rf", id="never an option"),
        pytest.param("https://h.org/...", "repository", id="nothing left"),
        pytest.param("https://h.org/My%20Project", "My-Project", id="a space"),
        pytest.param("https://h.org/%C3%A9t%C3%A9", "t", id="letters a shell may not show"),
        pytest.param("swh:1:dir:abc", "swh-1-dir-abc", id="a SWHID"),
        pytest.param("https://doi.org/10.5281/zenodo.1", "zenodo.1", id="a DOI"),
        pytest.param(f"https://h.org/{'a' * 300}", "a" * 100, id="long"),
    ],
)
def test_content_gets_a_safe_folder(url: str, expected: str) -> None:
    """The folder is the last part of the URL, in letters that are safe everywhere and never hidden."""
    names = (folder_name(url), Source(provider="git", url=url).name)

    assert (expected, expected) == names
    assert expected == ResolvedSource(provider="git", url=url, commit="0" * 40).name


def test_git_and_archives_are_told_apart() -> None:
    """Only what git can fetch says so."""
    assert Source(provider="gist", url="").is_git
    assert not Source(provider="zenodo", url="").is_git


@pytest.mark.parametrize(
    "prefix", ["", "forge.lan", "ftp://forge.lan/", "http://user:secret@forge.lan/", "http:///x"]
)
def test_a_prefix_that_is_no_url_fails_when_it_is_configured(prefix: str) -> None:
    """An administrator's mistake shows at start and not in a person's form; it repeats no credentials."""
    with pytest.raises(InvalidInput) as caught:
        SourceRules(extra=(prefix,))

    assert "sources" == caught.value.field
    assert "secret" not in caught.value.message
