"""`parse_source`: what people paste, and the one source it is; the readers have tables of their own beside this file."""

from __future__ import annotations

import pytest

from tests.bad_inputs import Case, cases
from versatilehub.errors import InvalidSource
from versatilehub.sources import PROVIDERS, Source, SourceRules, longer_refs, parse_source

SHA = "0123456789abcdef0123456789abcdef01234567"


def git(url: str, ref: str = "", path: str = "", provider: str = "github") -> Source:
    """Return the expected source, short enough for a table."""
    return Source(provider=provider, url=url, ref=ref, open=path)


def refusal(text: str, ref: str | None = None, rules: SourceRules | None = None) -> InvalidSource | None:
    """Return why *text* is no source, None if it is one."""
    try:
        parse_source(text, ref, rules=rules or SourceRules())
    except InvalidSource as error:
        return error
    return None


@pytest.mark.parametrize("case", cases("repo_url"))
@pytest.mark.req("V2")
def test_every_url_of_the_corpus_gets_its_verdict(case: Case) -> None:
    """The corpus holds for pasted text too; only ``git@host:path``, which no git is given, is read as https."""
    expected = case.accepted or case.value.startswith("git@github.com:")

    assert expected == (refusal(case.value) is None), case.why


@pytest.mark.parametrize(
    "text",
    [
        "https://github.com/Jupyter/Docker-Stacks",
        "https://github.com/jupyter/docker-stacks/",
        "https://github.com/jupyter/docker-stacks.git",
        "HTTPS://WWW.GITHUB.COM/jupyter/docker-stacks",
        "github.com/jupyter/docker-stacks",
        "www.github.com/jupyter/docker-stacks",
        "jupyter/docker-stacks",
        "Jupyter/Docker-Stacks.git",
        "git@github.com:jupyter/docker-stacks.git",
        "https://github.com/jupyter/docker-stacks?tab=readme-ov-file#readme",
        "https://mybinder.org/repo/jupyter/docker-stacks",
    ],
)
@pytest.mark.req("V2", "P19")
def test_one_repository_has_one_identity(text: str) -> None:
    """Case, suffix, scheme and form do not make another repository of it."""
    assert git("https://github.com/jupyter/docker-stacks") == parse_source(text)


@pytest.mark.parametrize(
    ("text", "ref", "expected"),
    [
        pytest.param("https://github.com/a/b/tree/dev/docs", None, ("dev", "docs"), id="the text's"),
        pytest.param(
            "https://github.com/a/b/tree/dev/docs", "", ("dev", "docs"), id="an empty one says nothing"
        ),
        pytest.param("https://github.com/a/b/tree/dev/docs", "v1", ("v1", "docs"), id="the given one wins"),
        pytest.param(
            "https://github.com/a/b/tree/dev/docs", "HEAD", ("HEAD", "docs"), id="the default branch"
        ),
        pytest.param(
            "https://github.com/a/b/tree/dev/x/docs", "dev/x", ("dev/x", "docs"), id="where it ends"
        ),
        pytest.param("https://github.com/a/b/tree/dev/x", "dev/x", ("dev/x", ""), id="all of it"),
        pytest.param(
            "https://github.com/a/b/tree/dev/xy", "dev/x", ("dev/x", "xy"), id="not where a word goes on"
        ),
        pytest.param("https://github.com/a/b", SHA.upper(), (SHA, ""), id="a commit is folded"),
        pytest.param("https://github.com/a/b/pull/3", "main", ("main", ""), id="over a pull request"),
        pytest.param("10.5281/zenodo.3242074", "HEAD", ("", ""), id="a record has no HEAD, forms send it"),
        pytest.param("10.6084/m9.figshare.1234", "v2", ("v2", ""), id="a version of a record"),
        pytest.param(
            "https://mybinder.org/v2/gh/a/b/main?urlpath=rstudio",
            "dev",
            ("dev", "/rstudio"),
            id="over a link's",
        ),
    ],
)
@pytest.mark.req("P19")
def test_a_given_ref_wins(text: str, ref: str | None, expected: tuple[str, str]) -> None:
    """A ref of its own wins over the one in the text, and says where a branch with "/" ends."""
    source = parse_source(text, ref)

    assert expected == (source.ref, source.open)


@pytest.mark.parametrize(
    ("text", "ref", "code"),
    [
        pytest.param("https://github.com/a/b", "-x", "invalid_ref", id="an option"),
        pytest.param("https://github.com/a/b/tree/a@b", None, "invalid_ref", id="a wrong ref in the text"),
        pytest.param("10.5281/zenodo.3242074", "main", "invalid_ref", id="a branch of a record"),
        pytest.param("10.6084/m9.figshare.1234", "main", "invalid_ref", id="no version"),
        pytest.param(
            "https://github.com/a/b/blob/main/a%3Fb", None, "invalid_open", id="a file nobody can open"
        ),
        pytest.param(
            "https://mybinder.org/v2/gh/a/b/main?urlpath=hub/home", None, "invalid_open", id="hub page"
        ),
        pytest.param("https://db.internal/x", None, "source_not_allowed", id="a private name"),
    ],
)
def test_an_error_has_the_code_of_its_part(text: str, ref: str | None, code: str) -> None:
    """Scripts can tell a wrong ref from a wrong file and from a host that is not allowed."""
    error = refusal(text, ref)

    assert error is not None
    assert (code, True) == (error.code, bool(error.hint))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("README", id="a word"),
        pytest.param("a/b/c", id="three parts"),
        pytest.param("evil.org/repo", id="a host we do not know, without scheme"),
        pytest.param("a/..", id="dots for a name"),
        pytest.param("a/.git", id="a suffix for a name"),
        pytest.param("C:/x", id="a drive"),
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param("git+ssh://git@github.com/a/b", id="git+ssh"),
        pytest.param("host:path", id="ssh without git@"),
        pytest.param("root@github.com:a/b", id="another ssh user"),
        pytest.param("git@github.com:/etc/passwd", id="an absolute path over ssh"),
        pytest.param("git@localhost:a/b", id="ssh to a private name"),
        pytest.param("hdl:1902.1/21919", id="a handle that is no DOI"),
        pytest.param(
            "https://mybinder.org/v2/git/https%3A%2F%2F127.0.0.1%2Fx/main", id="a private name in a link"
        ),
        pytest.param(
            "https://mybinder.org/v2/git/%20https%3A%2F%2Fgithub.com%2Fa%2Fb/main", id="a space in a link"
        ),
        pytest.param(
            "https://mybinder.org/v2/git/https%3A%2F%2Fmybinder.org%2Fv2%2Fgh%2Fa%2Fb%2Fmain/main",
            id="a link in a link",
        ),
        pytest.param("https://h.org/a/b/%2D/tree/main", id="a page once its encoding is gone"),
        pytest.param(" https://github.com/a/b", id="a space before"),
        pytest.param("https://github.com/a/b\n", id="a line end after"),
    ],
)
@pytest.mark.req("P19")
def test_what_names_no_repository_is_refused_with_an_example(text: str) -> None:
    """Whatever cannot be a repository is refused, and the hint shows what can."""
    error = refusal(text)

    assert error is not None
    assert error.hint


@pytest.mark.parametrize(
    "text",
    [
        "https://user:ghp_secret@github.com/a/b",
        "user:ghp_secret@github.com/a/b",
        "https://ghp_secret@gist.github.com/a",
        "https://github.com/a/b?access_token=ghp_secret",
        "https://github.com/a/b#ghp_secret",
        "git+https://ghp_secret@github.com/a/b",
        "ssh://git:ghp_secret@github.com/a/b",
        "https://mybinder.org/v2/git/https%3A%2F%2Fu%3Aghp_secret%40h.org%2Fx/main",
        "https://mybinder.org/v2/gh/a/b/main?urlpath=lab%3Ftoken%3Dghp_secret",
        "https://mybinder.org/v2/gh/a/b/main?urlpath=git-pull%3Frepo%3Dhttps%253A%252F%252Fu%253Aghp_secret%2540h.org%252Fx",
        "https://hub.uni.edu/git-pull?repo=https://u:ghp_secret@h.org/x",
        "https://hub.uni.edu/git-pull?repo=https://github.com/a/b&branch=https://u:ghp_secret@h.org",
    ],
)
def test_no_message_repeats_credentials(text: str) -> None:
    """Whatever is wrong with a text, what it may hold in secrets stays out of the answer."""
    error = refusal(text)

    assert error is not None
    assert "ghp_secret" not in str(error.to_json())


@pytest.mark.parametrize(
    ("urlpath", "accepted"),
    [
        pytest.param("git-pull%3Frepo%3Dhttps%253A%252F%252Fgithub.com%252Fc%252Fd", True, id="public"),
        pytest.param("git-pull%3Frepo%3Dhttps%253A%252F%252F10.0.0.1%252Fd", False, id="private"),
        pytest.param(
            "git-pull%2F%3Frepo%3Dhttps%253A%252F%252F10.0.0.1%252Fd", False, id="private, with a slash"
        ),
        pytest.param("git-pull%3Fbranch%3Dmain", False, id="nothing to pull"),
    ],
)
def test_what_a_link_pulls_is_an_allowed_repository_too(urlpath: str, *, accepted: bool) -> None:
    """A Binder link may make the server pull a second repository; the same rules hold for that one."""
    assert accepted == (refusal(f"https://mybinder.org/v2/gh/a/b/main?urlpath={urlpath}") is None)


@pytest.mark.parametrize(
    ("text", "host", "accepted"),
    [
        pytest.param("10.5281/zenodo.1", "zenodo.org", True, id="Zenodo by its name"),
        pytest.param("10.5281/zenodo.1", "github.com", False, id="Zenodo not listed"),
        pytest.param("10.7910/DVN/TJCLKP", "doi.org", True, id="Dataverse by doi.org"),
        pytest.param(f"swh:1:dir:{SHA}", "archive.softwareheritage.org", True, id="Software Heritage"),
        pytest.param(f"swh:1:dir:{SHA}", "github.com", False, id="Software Heritage not listed"),
        pytest.param("https://demo.ckan.org/dataset/abc", "demo.ckan.org", True, id="CKAN by its own"),
        pytest.param("https://demo.ckan.org/dataset/abc", "github.com", False, id="CKAN not listed"),
        pytest.param(
            "https://mybinder.org/v2/gh/a/b/main", "github.com", True, id="a link's own host is not asked"
        ),
    ],
)
def test_the_list_of_hosts_holds_for_archives(text: str, host: str, *, accepted: bool) -> None:
    """Where a site narrows its hosts, a record counts by its archive."""
    assert accepted == (refusal(text, rules=SourceRules(hosts=(host,))) is None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "http://forge.lan:3000/a/b.git", git("http://forge.lan:3000/a/b.git", provider="git"), id="repo"
        ),
        pytest.param(
            "http://forge.lan:3000/a/b/src/branch/main/x.ipynb",
            git("http://forge.lan:3000/a/b", "main", "x.ipynb", provider="git"),
            id="page",
        ),
    ],
)
def test_a_sites_own_forge_is_read_like_any(text: str, expected: Source) -> None:
    """Under a prefix the site added, repositories and their pages are read as elsewhere."""
    assert expected == parse_source(text, rules=SourceRules(extra=("http://forge.lan:3000/",)))


def test_a_hidden_file_opens_the_repository() -> None:
    """Jupyter opens no hidden file, and that is no reason to refuse the link."""
    source = parse_source("https://github.com/a/b/blob/main/.binder/environment.yml")

    assert ("main", "") == (source.ref, source.open)


def test_longer_refs_take_the_path_part_by_part() -> None:
    """For ``tree/feature/x/docs`` the branch may be feature, feature/x or feature/x/docs."""
    source = git("https://github.com/a/b", "feature", "x/docs")

    expected = [("feature/x", "docs"), ("feature/x/docs", "")]
    assert expected == [(longer.ref, longer.open) for longer in longer_refs(source)]


@pytest.mark.parametrize(
    "path",
    [pytest.param("", id="nothing"), pytest.param("/lab", id="page"), pytest.param("a b", id="no ref")],
)
def test_no_longer_refs_without_a_path_that_can_be_one(path: str) -> None:
    """Nothing, a page of the server, and a path no ref can hold give none."""
    assert [] == list(longer_refs(git("https://github.com/a/b", "main", path)))


def test_every_provider_has_a_name_of_its_own() -> None:
    """The table of providers is read top down and ends with the one that claims everything."""
    names = [provider.name for provider in PROVIDERS]

    assert len(set(names)) == len(names)
    assert "git" == names[-1]
