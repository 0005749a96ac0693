"""What `open` may be, and where it leads."""

from __future__ import annotations

import pytest

from tests.bad_inputs import Case, cases
from versatilehub.errors import InvalidSpec
from versatilehub.landing import check_filepath, check_open, check_urlpath, open_url


@pytest.mark.parametrize("case", cases("urlpath"))
def test_url_paths_of_the_corpus(case: Case) -> None:
    """Every hostile page gets its expected verdict, also where a spec takes it."""
    for check in (check_urlpath, check_open):
        try:
            check(case.value)
        except InvalidSpec:
            assert not case.accepted
        else:
            assert case.accepted


@pytest.mark.parametrize("case", cases("filepath"))
def test_file_paths_of_the_corpus(case: Case) -> None:
    """Every hostile file gets its expected verdict, also where a spec takes it."""
    for check in (check_filepath, check_open):
        try:
            check(case.value)
        except InvalidSpec:
            assert not case.accepted
        else:
            assert case.accepted


@pytest.mark.req("P19")
@pytest.mark.parametrize(
    ("typed", "stored", "url"),
    [
        pytest.param("", "", "lab/tree/repo", id="the repository's folder"),
        pytest.param("index.ipynb", "index.ipynb", "lab/tree/repo/index.ipynb", id="file"),
        pytest.param(
            "notebooks/01 intro.ipynb",
            "notebooks/01 intro.ipynb",
            "lab/tree/repo/notebooks/01%20intro.ipynb",
            id="space",
        ),
        pytest.param(
            "straße/é#1.ipynb",
            "straße/é#1.ipynb",
            "lab/tree/repo/stra%C3%9Fe/%C3%A9%231.ipynb",
            id="signs a URL escapes",
        ),
        pytest.param(
            "100%.ipynb", "100%.ipynb", "lab/tree/repo/100%25.ipynb", id="a percent sign that is none"
        ),
        pytest.param("docs/", "docs", "lab/tree/repo/docs", id="folder"),
        pytest.param("lab/x.ipynb", "lab/x.ipynb", "lab/tree/repo/lab/x.ipynb", id="a folder called lab"),
        pytest.param("notebooks", "notebooks", "lab/tree/repo/notebooks", id="a folder called notebooks"),
        pytest.param("lab", "/lab", "lab", id="JupyterLab"),
        pytest.param(
            "lab/tree/a/b.ipynb", "/lab/tree/a/b.ipynb", "lab/tree/a/b.ipynb", id="page with a path"
        ),
        pytest.param("/rstudio/", "/rstudio/", "rstudio/", id="a first slash makes a page"),
        pytest.param("rstudio", "/rstudio", "rstudio", id="known page"),
        pytest.param("/myapp", "/myapp", "myapp", id="a page of the site's own"),
        pytest.param("vscode", "/vscode", "vscode", id="editor"),
        pytest.param(
            "doc/tree/a%20b.ipynb", "/doc/tree/a%20b.ipynb", "doc/tree/a%20b.ipynb", id="escaped once already"
        ),
        pytest.param(
            "lab/tree/a b.ipynb", "/lab/tree/a%20b.ipynb", "lab/tree/a%20b.ipynb", id="not escaped yet"
        ),
        pytest.param("proxy/8080/", "/proxy/8080/", "proxy/8080/", id="port of the server's own"),
        pytest.param(
            "proxy/absolute/8080/x",
            "/proxy/absolute/8080/x",
            "proxy/absolute/8080/x",
            id="the other way to a port",
        ),
        pytest.param(
            "lab/tree/RTC:a.ipynb",
            "/lab/tree/RTC:a.ipynb",
            "lab/tree/RTC:a.ipynb",
            id="drive of real-time editing",
        ),
        pytest.param(
            "git-pull?repo=https%3A%2F%2Fgithub.com%2Fa%2Fb&urlpath=lab%2Ftree%2Fb%2Fx.ipynb&branch=main",
            "/git-pull?repo=https%3A%2F%2Fgithub.com%2Fa%2Fb&urlpath=lab%2Ftree%2Fb%2Fx.ipynb&branch=main",
            "git-pull?repo=https%3A%2F%2Fgithub.com%2Fa%2Fb&urlpath=lab%2Ftree%2Fb%2Fx.ipynb&branch=main",
            id="nbgitpuller survives as it is",
        ),
        pytest.param("/", "", "lab/tree/repo", id="nothing but a slash"),
        pytest.param("lab?", "/lab", "lab", id="empty query"),
        pytest.param("lab?reset", "/lab?reset", "lab?reset", id="query"),
    ],
)
def test_open_leads_to_one_place(typed: str, stored: str, url: str) -> None:
    """A file opens in JupyterLab below the repository's folder, a page is used as it is, both escaped exactly once."""
    opened = check_open(typed)

    assert stored == opened
    assert url == open_url(opened, "repo")


def test_without_a_folder_of_its_own_the_repository_is_the_root() -> None:
    """Where the server works in the repository itself, no folder comes first."""
    assert "lab/tree/a.ipynb" == open_url("a.ipynb", "")
    assert "lab" == open_url("", "")


def test_a_landing_place_holds_no_braces() -> None:
    """JupyterHub formats `default_url`: a brace that came through would be read as a template."""
    assert "{" not in open_url("", "{username}")


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param("lab/../../hub", id="climbs"),
        pytest.param("/etc/passwd", id="file of the machine"),
        pytest.param("lab/%2E%2E/x", id="escaped dots"),
        pytest.param("lab/a%2fb", id="escaped slash"),
        pytest.param("lab/%00", id="escaped NUL"),
        pytest.param("lab/tree/%ff", id="escape that is no UTF-8"),
        pytest.param("lab/tree/%E2%80%AE", id="escaped bidi"),
        pytest.param("lab/tree/100%", id="half an escape"),
        pytest.param("/lab#token=a", id="fragment"),
        pytest.param("lab?TOKEN=a", id="token in capitals"),
        pytest.param("lab?%74oken=a", id="escaped token"),
        pytest.param("git-pull?urlpath=lab%3Ftoken%3Da", id="token in a nested address"),
        pytest.param("git-pull?urlpath=%2F%2Fevil.example", id="nested address of another host"),
        pytest.param("git-pull?repo=file%3A%2F%2F%2Fetc", id="nested repository that is a file"),
        pytest.param("/login?next=//evil.example", id="login page"),
        pytest.param("/hub/logout", id="page of the hub"),
        pytest.param("/user/bob/lab", id="somebody else's server"),
        pytest.param("proxy/localhost:22", id="proxy to a name"),
        pytest.param("proxy/absolute/10.0.0.1:80/", id="proxy to a host, the other way"),
        pytest.param("proxy/%31%30.0.0.1:80/", id="proxy to an escaped host"),
        pytest.param("/@evil.example", id="user part of a host"),
        pytest.param("/:80/", id="port of a host"),
        pytest.param("lab/tree/" + "é" * 600, id="too long once escaped"),
        pytest.param("x" * 1025, id="too long"),
        pytest.param("?x=1", id="query without a page"),
        pytest.param("x" * 256, id="file name longer than Linux allows"),
        pytest.param(".ssh/config", id="hidden"),
        pytest.param("~/x", id="home"),
        pytest.param("a%20b.ipynb", id="file spelled as a URL"),
        pytest.param("a/.GIT/config", id="git's folder on a disk that ignores case"),
        pytest.param("{username}.ipynb", id="template"),
        pytest.param("$(id)", id="shell"),
        pytest.param("\ud800", id="half of a pair"),
        pytest.param(7, id="number"),
    ],
)
def test_open_never_leads_elsewhere(typed: str) -> None:
    """What climbs, names a host, carries a token or hides something is refused, with the field and an example."""
    with pytest.raises(InvalidSpec) as refused:
        check_open(typed)

    assert "open" == refused.value.field
    assert "notebooks/intro.ipynb" in refused.value.hint


def test_an_address_with_a_password_is_not_repeated() -> None:
    """Messages reach logs."""
    with pytest.raises(InvalidSpec) as refused:
        check_open("https://me:secret@example.org/a")

    assert "secret" not in refused.value.message
