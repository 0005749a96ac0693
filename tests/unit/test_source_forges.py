"""Pages of git forges: what each stands for, and which pages are of no repository's files."""

from __future__ import annotations

import pytest

from versatilehub.errors import InvalidSource
from versatilehub.source_address import split_url
from versatilehub.source_forges import FORGES, check_idle
from versatilehub.sources import parse_source

SHA = "0123456789abcdef0123456789abcdef01234567"
GH = "https://github.com/a/b"
GL = "https://gitlab.com/g/s/p"
CB = "https://codeberg.org/a/b"
BB = "https://bitbucket.org/a/b"
GIST = "8a658f7f63b13768d1e75fa2464f5092"

PAGES = [
    # GitHub
    (f"{GH}/tree/main", ("github", GH, "main", "")),
    (f"{GH}/tree/main/", ("github", GH, "main", "")),
    (f"{GH}/tree/main/docs/x", ("github", GH, "main", "docs/x")),
    (f"{GH}.git/tree/main", ("github", GH, "main", "")),
    (f"{GH}/blob/{SHA}/README.md", ("github", GH, SHA, "README.md")),
    (f"{GH}/blob/main/donn%C3%A9es/a%20b.ipynb#L3-L5", ("github", GH, "main", "données/a b.ipynb")),
    (f"{GH}/blob/main/données/é.ipynb?plain=1#L10", ("github", GH, "main", "données/é.ipynb")),
    (f"{GH}/raw/refs/heads/main/x.csv", ("github", GH, "refs/heads/main", "x.csv")),
    (f"{GH}/edit/main/x.md", ("github", GH, "main", "x.md")),
    (f"{GH}/blame/main/x.md", ("github", GH, "main", "x.md")),
    (f"{GH}/tree/feature%2Fx/docs", ("github", GH, "feature/x", "docs")),
    (f"{GH}/commit/{SHA.upper()}", ("github", GH, SHA, "")),
    (f"{GH}/commit/0123abc", ("github", GH, "0123abc", "")),
    (f"{GH}/commits", ("github", GH, "", "")),
    (f"{GH}/commits/dev", ("github", GH, "dev", "")),
    (f"{GH}/pull/2194", ("github", GH, "refs/pull/2194/head", "")),
    (f"{GH}/pull/2194/files#diff-0a1b", ("github", GH, "refs/pull/2194/head", "")),
    (f"{GH}/pull/2194/commits", ("github", GH, "refs/pull/2194/head", "")),
    (f"{GH}/pull/2194/commits/{SHA}", ("github", GH, SHA, "")),
    (f"{GH}/releases/tag/v1.0", ("github", GH, "v1.0", "")),
    (f"{GH}/releases/tag/release%2F1.0", ("github", GH, "release/1.0", "")),
    ("https://github.com/a/.github", ("github", "https://github.com/a/.github", "", "")),
    # GitLab
    (GL, ("gitlab", GL, "", "")),
    (f"{GL}/-/tree/main?ref_type=heads", ("gitlab", GL, "main", "")),
    (f"{GL}/-/tree/main/x/y", ("gitlab", GL, "main", "x/y")),
    (f"{GL}/-/blob/main/x.ipynb", ("gitlab", GL, "main", "x.ipynb")),
    (f"{GL}/blob/main/x.ipynb", ("gitlab", GL, "main", "x.ipynb")),
    (f"{GL}/-/", ("gitlab", GL, "", "")),
    (f"{GL}/-/commit/{SHA}", ("gitlab", GL, SHA, "")),
    (f"{GL}/-/commits/main", ("gitlab", GL, "main", "")),
    (f"{GL}/-/merge_requests/11", ("gitlab", GL, "refs/merge-requests/11/head", "")),
    (f"{GL}/-/merge_requests/11/diffs#note_12", ("gitlab", GL, "refs/merge-requests/11/head", "")),
    (f"{GL}/-/tags/v1.0", ("gitlab", GL, "v1.0", "")),
    (f"{GL}/-/releases/v1.0", ("gitlab", GL, "v1.0", "")),
    # Codeberg, Gitea, Forgejo
    (f"{CB}/src/branch/main/x.ipynb", ("codeberg", CB, "main", "x.ipynb")),
    (f"{CB}/src/tag/v1", ("codeberg", CB, "v1", "")),
    (f"{CB}/src/commit/{SHA}/x", ("codeberg", CB, SHA, "x")),
    (f"{CB}/raw/branch/main/x", ("codeberg", CB, "main", "x")),
    (f"{CB}/commit/{SHA}", ("codeberg", CB, SHA, "")),
    (f"{CB}/pulls/7", ("codeberg", CB, "refs/pull/7/head", "")),
    (f"{CB}/releases/tag/v1", ("codeberg", CB, "v1", "")),
    # Bitbucket
    (f"{BB}/src/main/x.ipynb?at=main#lines-3:5", ("bitbucket", BB, "main", "x.ipynb")),
    (f"{BB}/src/", ("bitbucket", BB, "", "")),
    (f"{BB}/branch/feature/x", ("bitbucket", BB, "feature/x", "")),
    (f"{BB}/commits/{SHA}", ("bitbucket", BB, SHA, "")),
    # gists
    (f"https://gist.github.com/someone/{GIST}", ("gist", f"https://gist.github.com/{GIST}.git", "", "")),
    (f"https://gist.github.com/{GIST}.git", ("gist", f"https://gist.github.com/{GIST}.git", "", "")),
    (
        f"https://gist.github.com/someone/{GIST}/{SHA}",
        ("gist", f"https://gist.github.com/{GIST}.git", SHA, ""),
    ),
    (
        f"https://gist.github.com/someone/{GIST}/raw/{SHA}#file-x-py",
        ("gist", f"https://gist.github.com/{GIST}.git", SHA, ""),
    ),
    ("https://gist.github.com/someone/1234567", ("gist", "https://gist.github.com/1234567.git", "", "")),
    # any other host
    ("https://gitlab.example.org/a/b/-/blob/main/x", ("git", "https://gitlab.example.org/a/b", "main", "x")),
    ("https://gitlab.example.org/a/b/c/-/tree/main", ("git", "https://gitlab.example.org/a/b/c", "main", "")),
    ("https://git.example.org/a/b/src/branch/main/x", ("git", "https://git.example.org/a/b", "main", "x")),
    ("https://git.example.org/a/b/tree/main/x", ("git", "https://git.example.org/a/b", "main", "x")),
    ("https://git.example.org/a/b/pull/3", ("git", "https://git.example.org/a/b", "refs/pull/3/head", "")),
    ("https://git.example.org/a/b/src/x", ("git", "https://git.example.org/a/b/src/x", "", "")),
    ("https://git.example.org/a/b/tree/x.git", ("git", "https://git.example.org/a/b/tree/x.git", "", "")),
    ("https://git.example.org/x", ("git", "https://git.example.org/x", "", "")),
    ("https://github.com:8443/A/B", ("git", "https://github.com:8443/A/B", "", "")),
]


@pytest.mark.parametrize(("text", "expected"), [pytest.param(*row, id=row[0][8:]) for row in PAGES])
@pytest.mark.req("V2", "V3")
def test_a_page_is_its_repository_ref_and_file(text: str, expected: tuple[str, str, str, str]) -> None:
    """What a browser's address bar shows is read into what it shows: repository, ref and file."""
    source = parse_source(text)

    assert expected == (source.provider, source.url, source.ref, source.open)


@pytest.mark.parametrize(
    "text",
    [
        "https://github.com/pyOpenSci",
        "https://github.com/settings/profile",
        "https://github.com/orgs/jupyter/repositories",
        f"{GH}/settings",
        f"{GH}/actions/runs/1/job/2",
        f"{GH}/issues/3",
        f"{GH}/wiki",
        f"{GH}/tree",
        f"{GH}/releases",
        f"{GH}/releases/latest",
        f"{GH}/pull",
        f"{GH}/pull/abc",
        f"{GH}/pull/3/commits/xyz",
        f"{GH}/commit/xyz",
        f"{GH}/blob/main/%ff",
        f"{GH}//tree/main",
        "https://github.com/a%2fb/c",
        "https://github.com/-a/b",
        "https://github.com/a/b@main",
        "https://github.com/a/..",
        f"https://github.com/{'a' * 40}/b",
        "https://gitlab.com/groups/mosaik/-/packages",
        "https://gitlab.com/g/-/tree/main",
        "https://gitlab.com/g",
        f"{GL}/-/packages",
        f"{GL}/-/merge_requests",
        f"{GL}/-/merge_requests/x",
        "https://codeberg.org/explore/repos",
        f"{CB}/src/main/x",
        f"{CB}/src",
        f"{BB}/pull-requests/3",
        f"{BB}/branch",
        "https://bitbucket.org/dashboard/overview",
        "https://gist.github.com/yuvipanda",
        "https://gist.github.com/",
        "https://gist.github.com/discover/x",
        "https://gitlab.example.org/a/b/-/packages",
        "https://git.example.org/a/b?x=1",
        "https://git.example.org/a/b#readme",
    ],
)
def test_a_page_about_something_else_is_refused_with_an_example(text: str) -> None:
    """A page that shows no files is named as such, and the hint shows an address that works."""
    with pytest.raises(InvalidSource) as caught:
        parse_source(text)

    assert caught.value.hint
    assert "source" == caught.value.field


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"{GH}#main", id="a branch, in the way of other tools"),
        pytest.param(f"{GH}?ref=main", id="a ref nobody would look for"),
        pytest.param(f"{GH}?tab=readme&token=x", id="a secret"),
        pytest.param(f"{GH}.git?tab=readme", id="a clone URL has none"),
        pytest.param(f"{GH}.git#readme", id="a clone URL has no fragment"),
        pytest.param(f"{GH}#@127.0.0.1/", id="a second host"),
        pytest.param(f"{GH}#readme\u2044x", id="a slash that is none"),
    ],
)
def test_what_may_matter_is_not_dropped(text: str) -> None:
    """Only what browsers add is left out; what may mean a branch or a secret is refused."""
    with pytest.raises(InvalidSource):
        parse_source(text)


@pytest.mark.parametrize(
    "rest", ["", "?tab=readme-ov-file", "?tab=x&utm_source=y", "#L10", "?plain=1#L10C1-L12C3"]
)
def test_what_browsers_add_is_idle(rest: str) -> None:
    """Tabs, line numbers and campaign marks say nothing about what to run."""
    check_idle(split_url(f"{GH}{rest}"), idle=True)


def test_every_forge_has_an_example_that_it_reads() -> None:
    """The example in a refusal is itself a right answer."""
    for forge in FORGES.values():
        assert (forge.provider, "main") == (
            parse_source(forge.example).provider,
            parse_source(forge.example).ref,
        )
