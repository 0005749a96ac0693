"""Strategies of more than one property test: text that people paste, as it is and with something wrong in it."""

from __future__ import annotations

import string

from hypothesis import strategies as st

from versatilehub.sources import Source

SHA = "0123456789abcdef0123456789abcdef01234567"

#: One of every form that `parse_source` reads.
PASTED = (
    "jupyter/docker-stacks",
    "github.com/jupyter/docker-stacks",
    "https://github.com/Jupyter/docker-stacks.git",
    "https://github.com/a/b/tree/feature/x/docs?tab=readme-ov-file#readme",
    "https://github.com/a/b/blob/main/donn%C3%A9es/x%20y.ipynb#L1-L20",
    "https://github.com/a/b/pull/12/commits/" + SHA,
    "https://github.com/a/b/releases/tag/v1.0",
    "git@github.com:a/b.git",
    "git@git.example.org:a/b/c.git",
    "https://gitlab.com/g/s/p/-/tree/main/x?ref_type=heads",
    "https://gitlab.com/g/p/-/merge_requests/11",
    "https://gitlab.wikimedia.org/a/b/-/blob/main/x",
    "https://codeberg.org/a/b/src/branch/main/x.ipynb",
    "https://git.example.org/a/b/src/tag/v1/x",
    "https://bitbucket.org/a/b/src/main/x.ipynb",
    "https://gist.github.com/someone/8a658f7f63b13768d1e75fa2464f5092/" + SHA,
    "https://dev.azure.com/org/My%20Project/_git/Repo",
    "https://git.sr.ht/~user/repo",
    "10.5281/zenodo.3242074",
    "doi:10.6084/m9.figshare.9782777.v3",
    "http://dx.doi.org/10.7910/DVN/TJCLKP",
    "https://zenodo.org/records/3242074/files/x.zip",
    "https://figshare.com/articles/dataset/title/9782777/3",
    "https://su.figshare.com/articles/dataset/title/9782777",
    "https://dataverse.harvard.edu/dataset.xhtml?persistentId=doi:10.7910/DVN/TJCLKP",
    "https://www.hydroshare.org/resource/142c59757ed54de1816777828c9716e7/",
    f"swh:1:rev:{SHA};origin=https://github.com/a/b",
    f"https://archive.softwareheritage.org/swh:1:dir:{SHA}",
    "https://open.canada.ca/data/en/dataset/90fed587-1364-4f33-a9ee-208181dc0b97",
    "https://mybinder.org/v2/gh/a/b/main?labpath=a%20b.ipynb",
    "https://mybinder.org/v2/git/https%3A%2F%2Fgit.example.org%2Fa%2Fb/main?urlpath=rstudio",
    "https://mybinder.org/v2/gl/g%2Fs%2Fp/feature%2Fx",
    "https://mybinder.org/v2/zenodo/10.5281/zenodo.3242074/",
    "https://mybinder.org/v2/gh/a/b/main?urlpath=git-pull%3Frepo%3Dhttps%253A%252F%252Fgithub.com%252Fc%252Fd",
    "https://hub.example.edu/hub/user-redirect/git-pull?repo=https%3A%2F%2Fgithub.com%2Fa%2Fb&urlpath=lab%2Ftree%2Fb%2Fx.ipynb",
)

_PIECES = st.one_of(
    st.sampled_from(
        (
            *(
                "/",
                "//",
                "/../",
                "/./",
                ".git",
                ".git/",
                "%2e",
                "%2F",
                "%00",
                "%",
                "%25",
                "@",
                "user:pw@",
                ":",
                "?",
                "#",
            ),
            *(
                "?x=1",
                "#x",
                "-",
                "--",
                "/-/",
                "/tree/main",
                "/-/tree/main/x",
                "/src/branch/main",
                "/blob/a/b",
                "\\",
                " ",
            ),
            *(
                "\n",
                "\u202e",
                "é",
                "ｇ",
                "①",
                "{0}",
                "$(id)",
                "`",
                ";",
                "&repo=x",
                "https://",
                "/v2/gh/",
                "/dataset/x",
            ),
            *(
                "127.0.0.1",
                "localhost",
                ":22",
                "refs/heads/x",
                ".v2",
                "/git-pull?repo=",
                "swh:1:",
                "10.5281/",
            ),
        ),
    ),
    st.text(max_size=3),
)


@st.composite
def mangled(draw: st.DrawFn) -> str:
    """Draw a text a person may paste, with up to three pieces put in, cut out, or put in the place of others."""
    text = draw(st.sampled_from(PASTED))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        until = draw(st.integers(at, min(len(text), at + 12)))
        text = text[:at] + draw(_PIECES) + text[until:]
    return text


_WORD = st.text(string.ascii_letters + string.digits, min_size=1, max_size=8)
_REF = st.one_of(st.just(""), _WORD, st.just("feature/x"), st.just("refs/pull/12/head"), st.just(SHA))


@st.composite
def git_sources(draw: st.DrawFn) -> Source:
    """Draw a source as `parse_source` gives it, of a forge or of any other host."""
    provider, host = draw(
        st.sampled_from(
            (
                *(("github", "github.com"), ("gitlab", "gitlab.com"), ("codeberg", "codeberg.org")),
                *(
                    ("bitbucket", "bitbucket.org"),
                    ("git", "git.example.org"),
                    ("git", "git.example.org:8443"),
                ),
            ),
        ),
    )
    owner = draw(_WORD).lower() + "0"  # "0" so that it is no word a forge keeps for its own pages
    return Source(provider=provider, url=f"https://{host}/{owner}/{draw(_WORD).lower()}", ref=draw(_REF))
