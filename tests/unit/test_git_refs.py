"""A ref is one commit, found by its whole name, or an error that says what there is."""

from __future__ import annotations

import pytest

from versatilehub.errors import RefAmbiguous, RefNotFound
from versatilehub.git_refs import RemoteRefs, find, parse_refs
from versatilehub.sources import Source

A, B, C, D = ("a" * 40, "b" * 40, "c" * 40, "d" * 40)

OUTPUT = f"""ref: refs/heads/main\tHEAD
{A}\tHEAD
{B}\trefs/heads/aaa/main
{A}\trefs/heads/main
{C}\trefs/heads/feature/x
{D}\trefs/heads/feature/x/deep
{C}\trefs/heads/both
{C}\trefs/heads/same
{B}\trefs/pull/1/head
{D}\trefs/tags/both
{C}\trefs/tags/same
{D}\trefs/tags/v1
{"e" * 40}\trefs/tags/v2
{B}\trefs/tags/v2^{{}}
"""


def asked(ref: str, path: str = "") -> Source:
    """What a person asked for."""
    return Source(provider="git", url="https://forge.example/a", ref=ref, open=path)


@pytest.fixture
def offered() -> RemoteRefs:
    """What the repository above offers."""
    return parse_refs(OUTPUT)


class TestParse:
    """The output of git becomes names and commits."""

    def test_default_branch(self, offered: RemoteRefs) -> None:
        """The branch HEAD points to and its commit are read."""
        assert (offered.default, offered.head) == ("main", A)

    def test_names(self, offered: RemoteRefs) -> None:
        """Branches and tags are listed by their short names, each once."""
        assert offered.branches == ("aaa/main", "main", "feature/x", "feature/x/deep", "both", "same")
        assert offered.tags == ("both", "same", "v1", "v2")

    @pytest.mark.parametrize(
        "output",
        [
            pytest.param("", id="nothing"),
            pytest.param("warning: something\n", id="no ref line"),
            pytest.param(f"{A} refs/heads/main\n", id="blank in place of tab"),
            pytest.param(f"{A[:-1]}\trefs/heads/main\n", id="39 digits"),
            pytest.param(f"{A.upper()}\trefs/heads/main\n", id="upper case"),
        ],
    )
    def test_other_lines(self, output: str) -> None:
        """Lines of another form are ignored."""
        assert parse_refs(output) == RemoteRefs(head="", default="", refs={})

    def test_detached(self) -> None:
        """A HEAD that is a commit names no branch."""
        refs = parse_refs(f"{A}\tHEAD\n{B}\trefs/heads/main\n")
        assert (refs.head, refs.default) == (A, "")


@pytest.mark.parametrize(
    ("ref", "commit"),
    [
        pytest.param("", A, id="empty"),
        pytest.param("HEAD", A, id="HEAD"),
        pytest.param("main", A, id="branch beside aaa/main"),
        pytest.param("aaa/main", B, id="branch with a slash"),
        pytest.param("refs/heads/main", A, id="full branch name"),
        pytest.param("refs/pull/1/head", B, id="pull request"),
        pytest.param("v1", D, id="lightweight tag"),
        pytest.param("v2", B, id="annotated tag is peeled"),
        pytest.param("refs/tags/v2", B, id="full tag name is peeled"),
        pytest.param("same", C, id="branch and tag of one commit"),
        pytest.param("refs/heads/both", C, id="branch named in full beside a tag"),
        pytest.param("refs/tags/both", D, id="tag named in full beside a branch"),
        pytest.param(
            "0123456789abcdef0123456789abcdef01234567", "0123456789abcdef0123456789abcdef01234567", id="sha"
        ),
        pytest.param("F" * 40, "f" * 40, id="commit in upper case"),
        pytest.param("aB" * 20, "ab" * 20, id="commit in mixed case"),
    ],
)
def test_found(offered: RemoteRefs, ref: str, commit: str) -> None:
    """Every way to write a ref gives its one commit."""
    assert find(offered, asked(ref)).commit == commit


@pytest.mark.parametrize(
    ("ref", "message", "hint"),
    [
        pytest.param(
            "mian", "No branch or tag `mian`; there is `main`.", "default branch, `main`", id="misspelt"
        ),
        pytest.param("Main", "No branch or tag `Main`; there is `main`.", "", id="case"),
        pytest.param("master", "No branch or tag `master`; there is `main`.", "", id="old default name"),
        pytest.param("x", "No branch or tag `x`; there is `feature/x`", "", id="tail of a name"),
        pytest.param("v3", "No branch or tag `v3`; there is", "", id="tag"),
        pytest.param("zzzzzzzz", "No branch or tag `zzzzzzzz`.", "default branch, `main`", id="nothing near"),
        pytest.param("pull/1/head", "there is `refs/pull/1/head`", "", id="without refs/"),
        pytest.param(
            "heads/main",
            "No branch or tag `heads/main`; there is `refs/heads/main`",
            "",
            id="git's half name",
        ),
        pytest.param(
            "refs/heads/mian", "No ref `refs/heads/mian`; there is `refs/heads/main`", "", id="full name"
        ),
        pytest.param("refs/pull/9/head", "there is `refs/pull/1/head`", "", id="no such pull request"),
        pytest.param(A + "a", "No branch or tag `" + A + "a`", "", id="41 digits are a name"),
        pytest.param("a" * 8, "in full only", f"`main`, write `{A}`", id="abbreviated commit"),
        pytest.param("refs/tags/v2^{}", "No ref", "", id="peeling is not a name"),
        pytest.param("f" * 64, "have 40 hex digits, and this one has 64", "", id="commit of another format"),
        pytest.param("*", "No branch or tag `*`", "", id="a pattern is a name"),
        pytest.param("mai?", "No branch or tag `mai?`; there is `main`", "", id="another pattern"),
    ],
)
def test_not_found(offered: RemoteRefs, ref: str, message: str, hint: str) -> None:
    """A ref that does not exist is answered with what is like it."""
    with pytest.raises(RefNotFound) as caught:
        find(offered, asked(ref))
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.field == "ref"


def test_ambiguous(offered: RemoteRefs) -> None:
    """A branch and a tag of one name at two commits are refused with both full names."""
    with pytest.raises(RefAmbiguous, match=r"branch at c{12} and also a tag at d{12}") as caught:
        find(offered, asked("both"))
    assert "`refs/heads/both`" in caught.value.hint
    assert "`refs/tags/both`" in caught.value.hint


@pytest.mark.parametrize(
    ("ref", "path", "found"),
    [
        pytest.param("feature", "x/a.ipynb", (C, "feature/x", "a.ipynb"), id="one part"),
        pytest.param("feature", "x/deep/a/b", (D, "feature/x/deep", "a/b"), id="longest wins"),
        pytest.param("feature", "x", (C, "feature/x", ""), id="nothing left to open"),
        pytest.param("main", "x/deep", (A, "main", "x/deep"), id="an existing ref stays"),
        pytest.param("", "x/deep", (A, "", "x/deep"), id="no ref"),
        pytest.param(A, "x", (A, A, "x"), id="commit"),
        pytest.param("main", "/lab", (A, "main", "/lab"), id="a page of the server"),
    ],
)
def test_branch_with_slashes_in_a_pasted_link(
    offered: RemoteRefs, ref: str, path: str, found: tuple[str, str, str]
) -> None:
    """Where a link does not say where the branch ends, the longest branch that exists is taken."""
    resolved = find(offered, asked(ref, path))
    assert (resolved.commit, resolved.ref, resolved.open) == found


@pytest.mark.parametrize("ref", ["", "HEAD", "main", A], ids=["default", "HEAD", "name", "commit"])
def test_empty_repository(ref: str) -> None:
    """A repository without a commit says so, whatever was asked for."""
    with pytest.raises(RefNotFound, match="repository is empty") as caught:
        find(parse_refs(""), asked(ref))
    assert caught.value.code == "source_empty"


def test_default_branch_that_does_not_exist() -> None:
    """A HEAD that points to no branch is answered with the branches there are."""
    offered = parse_refs(f"{A}\trefs/heads/dev\n{A}\trefs/heads/work\n")
    with pytest.raises(RefNotFound, match="default branch does not exist") as caught:
        find(offered, asked(""))
    assert caught.value.hint == "Name a branch as the ref: `dev` and `work`."


def test_sha256_repository() -> None:
    """In a repository of 64-digit ids a 64-digit commit is one, and a 40-digit one is refused."""
    offered = parse_refs(f"{'a' * 64}\tHEAD\n{'a' * 64}\trefs/heads/main\n")
    assert find(offered, asked("B" * 64)).commit == "b" * 64
    with pytest.raises(RefNotFound, match="have 64 hex digits"):
        find(offered, asked("b" * 40))


def test_name_git_cannot_print() -> None:
    """A name that is not text is never offered as a near match."""
    offered = parse_refs(f"{A}\tHEAD\n{A}\trefs/heads/ma\udcff\n")
    with pytest.raises(RefNotFound) as caught:
        find(offered, asked("main"))
    assert "\udcff" not in caught.value.message + caught.value.hint
