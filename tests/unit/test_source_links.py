"""Binder's and nbgitpuller's links: the repository, ref and place to open that a person would have typed."""

from __future__ import annotations

import pytest

from versatilehub.errors import InvalidSource
from versatilehub.source_address import split_url
from versatilehub.source_links import BINDER_PROVIDERS, open_of, query_values, read_link
from versatilehub.sources import parse_source

SHA = "0123456789abcdef0123456789abcdef01234567"
HS = "142c59757ed54de1816777828c9716e7"
GIST = "8a658f7f63b13768d1e75fa2464f5092"
V2 = "https://mybinder.org/v2"
GH = "https://github.com/a/b"
PULL = "https://hub.example.edu/hub/user-redirect/git-pull?repo=https%3A%2F%2Fgithub.com%2Fa%2Fb"

LINKS = [
    (f"{V2}/gh/a/b/main", (GH, "main", "")),
    (f"{V2}/gh/a/b/main/", (GH, "main", "")),
    (f"{V2}/gh/A/B.git/HEAD", (GH, "HEAD", "")),
    (f"{V2}/gh/a/b/feature/x", (GH, "feature/x", "")),
    (f"{V2}/gh/a/b/feature%2Fx", (GH, "feature/x", "")),
    (f"{V2}/gist/someone/{GIST}", (f"https://gist.github.com/{GIST}.git", "", "")),
    (f"{V2}/gist/someone/{GIST}/master", (f"https://gist.github.com/{GIST}.git", "", "")),
    (f"{V2}/gist/someone/{GIST}/{SHA}", (f"https://gist.github.com/{GIST}.git", SHA, "")),
    (
        f"{V2}/git/https%3A%2F%2Fgit.example.org%2Fa%2Fb.git/main",
        ("https://git.example.org/a/b.git", "main", ""),
    ),
    (f"{V2}/git/https%3A%2F%2Fgithub.com%2FA%2FB/main", (GH, "main", "")),
    (f"{V2}/git/git%40github.com%3Aa%2Fb/main", (GH, "main", "")),
    (f"{V2}/gl/g%2Fs%2Fp/feature%2Fx", ("https://gitlab.com/g/s/p", "feature/x", "")),
    (f"{V2}/zenodo/10.5281/zenodo.3242074/", ("https://doi.org/10.5281/zenodo.3242074", "", "")),
    (
        f"{V2}/figshare/10.6084/m9.figshare.9782777.v1",
        ("https://doi.org/10.6084/m9.figshare.9782777", "v1", ""),
    ),
    (f"{V2}/dataverse/10.7910/DVN/TJCLKP", ("https://doi.org/10.7910/DVN/TJCLKP", "", "")),
    (
        f"{V2}/hydroshare/https%3A%2F%2Fwww.hydroshare.org%2Fresource%2F{HS}%2F",
        (f"https://www.hydroshare.org/resource/{HS}", "", ""),
    ),
    (f"{V2}/hydroshare/{HS}", (f"https://www.hydroshare.org/resource/{HS}", "", "")),
    (
        f"{V2}/ckan/https%3A%2F%2Fdemo.ckan.org%2Fdataset%2Fmy-sample-dataset-001",
        ("https://demo.ckan.org/dataset/my-sample-dataset-001", "", ""),
    ),
    ("https://binder.example.edu/services/binder/v2/gh/a/b/main", (GH, "main", "")),
    ("http://localhost:8585/v2/gh/a/b/main", (GH, "main", "")),
    ("mybinder.org/v2/gh/a/b/main", (GH, "main", "")),
    ("https://mybinder.org/repo/a/b", (GH, "", "")),
    ("https://mybinder.org/repo/a/b/?urlpath=lab", (GH, "", "/lab")),
    # what opens
    (f"{V2}/gh/a/b/main?labpath=a%20b.ipynb", (GH, "main", "a b.ipynb")),
    (f"{V2}/gh/a/b/main?filepath=docs%2F", (GH, "main", "docs")),
    (
        f"{V2}/gh/a/b/main?filepath=%2Fhas%20space%2F%C3%BCnicode.ipynb",
        (GH, "main", "has space/ünicode.ipynb"),
    ),
    (f"{V2}/gh/a/b/main?urlpath=tree&filepath=f&labpath=l", (GH, "main", "l")),
    (f"{V2}/gh/a/b/main?urlpath=tree&filepath=f", (GH, "main", "f")),
    (f"{V2}/gh/a/b/main?urlpath=%2Fdoc%2Ftree%2Ff.ipynb", (GH, "main", "f.ipynb")),
    (f"{V2}/gh/a/b/main?urlpath=lab/tree/a+b.ipynb", (GH, "main", "a b.ipynb")),
    (f"{V2}/gh/a/b/main?urlpath=lab%2Ftree%2Fa%2520b.ipynb", (GH, "main", "a b.ipynb")),
    (f"{V2}/gh/a/b/main?urlpath=rstudio", (GH, "main", "/rstudio")),
    (f"{V2}/gh/a/b/main?urlpath=%2Flab%2F", (GH, "main", "/lab")),
    (f"{V2}/gh/a/b/main?urlpath=", (GH, "main", "")),
    (
        f"{V2}/gh/a/b/main?urlpath=git-pull%3Frepo%3Dhttps%253A%252F%252Fgithub.com%252Fc%252Fd%26branch%3Dmain",
        (GH, "main", "/git-pull?repo=https%3A%2F%2Fgithub.com%2Fc%2Fd&branch=main"),
    ),
    # nbgitpuller
    (PULL, (GH, "", "")),
    (f"{PULL}&branch=dev", (GH, "dev", "")),
    (f"{PULL}.git&urlpath=lab%2Ftree%2Fb%2Fx.ipynb", (GH, "", "x.ipynb")),
    (f"{PULL}&urlpath=tree%2Fb%2F", (GH, "", "")),
    (f"{PULL}&urlpath=tree%2Fbooks%2Fx.ipynb", (GH, "", "books/x.ipynb")),
    (f"{PULL}&urlpath=lab%2Ftree%2Fcourse%2Fx.ipynb&targetPath=course", (GH, "", "x.ipynb")),
    (f"{PULL}&urlpath=rstudio%2F", (GH, "", "/rstudio")),
    (f"{PULL}&subPath=docs%2Fx.ipynb", (GH, "", "docs/x.ipynb")),
    (
        "https://hub.example.edu/user/me%40x/git-pull?repo=https://gitlab.com/g/p",
        ("https://gitlab.com/g/p", "", ""),
    ),
    ("https://hub.example.edu/git-pull?repo=https://github.com/a/b/tree/dev/x", (GH, "dev", "x")),
    # not links
    ("https://github.com/v2/gh", ("https://github.com/v2/gh", "", "")),
    ("https://github.com/a/git-pull", ("https://github.com/a/git-pull", "", "")),
]


@pytest.mark.parametrize(("text", "expected"), [pytest.param(*row, id=row[0][8:]) for row in LINKS])
@pytest.mark.req("V2", "V3", "V39")
def test_a_link_is_the_source_it_launches(text: str, expected: tuple[str, str, str]) -> None:
    """A link of another launcher is read by that launcher's grammar and decoded exactly once."""
    source = parse_source(text)

    assert expected == (source.url, source.ref, source.open)


@pytest.mark.parametrize(
    "text",
    [
        f"{V2}/gh/userrep/main/",
        f"{V2}/gh/a",
        f"{V2}/git/https%3A%2F%2Fgithub.com%2Fa%2Fb",
        f"{V2}/git/ssh%3A%2F%2Fgit%40github.com%2Fa%2Fb/main",
        f"{V2}/git/ftp%3A%2F%2Fh.org%2Fa/main",
        f"{V2}/git/not%20a%20repo/main",
        f"{V2}/git/%2Fetc/main",
        f"{V2}/git/--upload-pack%3Dx/main",
        f"{V2}/git/https%253A%252F%252Fgithub.com%252Fa%252Fb/main",
        f"{V2}/gist/yuvipanda",
        f"{V2}/hydroshare/none",
        f"{V2}/svn/a/b/main",
        f"{V2}/gh/a/b/%ff",
        f"{V2}/gh/a/b/main?urlpath=%ff",
        f"{V2}/gh/a/b/main?urlpath=lab/tree/%252e%252e/x",
        f"{V2}/gh/a/b/main?urlpath=%2F%2Fevil.org",
        f"{V2}/gh/a/b/main?urlpath=https%3A%2F%2Fevil.org",
        f"{V2}/gh/a/b/main?urlpath=lab%3Ftoken%3Dabc",
        f"{V2}/gh/a/b/main?filepath=..%2F..%2Fetc",
        "https://mybinder.org/",
        "https://mybinder.org/badge_logo.svg",
        "https://hub.example.edu/git-pull?repo=",
        "https://hub.example.edu/git-pull?repo=/etc",
        "https://hub.example.edu/git-pull?repo=https%3A%2F%2F127.0.0.1%2Fx",
        f"{PULL}&branch=--upload-pack%3Dx",
    ],
)
def test_a_link_with_anything_wrong_in_it_is_refused(text: str) -> None:
    """What a link says passes the rules of what a person types, and is not decoded a second time."""
    with pytest.raises(InvalidSource) as caught:
        parse_source(text)

    assert caught.value.hint


@pytest.mark.parametrize(
    ("urlpath", "expected"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("/", "", id="root"),
        pytest.param("lab", "/lab", id="a page"),
        pytest.param("lab/tree/x", "x", id="Lab"),
        pytest.param("lab/workspaces/auto-1/tree/x", "x", id="a workspace of Lab"),
        pytest.param("notebooks/x.ipynb", "x.ipynb", id="Notebook"),
        pytest.param("retro/notebooks/x.ipynb", "x.ipynb", id="RetroLab"),
        pytest.param("tree", "/tree", id="the file list"),
        pytest.param("voila/render/x.ipynb", "/voila/render/x.ipynb", id="an app is no file"),
        pytest.param("lab/tree/x?reset", "/lab/tree/x?reset", id="a query keeps it a page"),
    ],
)
def test_a_server_path_is_a_file_or_a_page(urlpath: str, expected: str) -> None:
    """Where other servers hold the repository as their home, ours holds it in a folder, so files are told from pages."""
    assert expected == open_of(urlpath)


def test_the_nine_providers_of_binder_are_read() -> None:
    """BinderHub's documented providers, all of them."""
    assert set(BINDER_PROVIDERS) == {
        "gh",
        "gist",
        "git",
        "gl",
        "zenodo",
        "figshare",
        "dataverse",
        "hydroshare",
        "ckan",
    }


def test_the_first_value_of_a_name_counts() -> None:
    """A link that names two repositories is not read as whichever comes last."""
    assert {"repo": "a b", "x": ""} == query_values("repo=a+b&repo=c&x")


def test_other_addresses_are_no_links() -> None:
    """A plain address is left to the providers."""
    assert read_link(split_url(GH)) is None
