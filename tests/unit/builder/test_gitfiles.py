"""What .gitmodules, .lfsconfig and apt.txt may say."""

from __future__ import annotations

import pytest
from versatilehub_builder.aptfile import read_apt
from versatilehub_builder.gitfiles import check_gitmodules, check_lfsconfig, read_config
from versatilehub_builder.lines import Failure

URL = "https://github.com/owner/repo"


def module(name: str = "x", path: str = "x", url: str = "https://github.com/a/b", more: str = "") -> str:
    """Return one submodule's section."""
    return f'[submodule "{name}"]\n\tpath = {path}\n\turl = {url}\n{more}'


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(module(name="../../x"), id="name-leaves"),
        pytest.param(module(name="a/../../x"), id="name-leaves-later"),
        pytest.param(module(path="../x"), id="path-leaves"),
        pytest.param(module(path="/etc"), id="path-absolute"),
        pytest.param(module(path=".git/hooks"), id="path-git"),
        pytest.param(module(path="a/.GIT/x"), id="path-git-other-case"),
        pytest.param(module(path="-x"), id="path-option"),
        pytest.param(module(path='"x\r"'), id="path-carriage-return-CVE-2025-48384"),
        pytest.param(module(path="a\\\\b"), id="path-backslash"),
        pytest.param(module(url="-oProxyCommand=x"), id="url-option"),
        pytest.param(module(url="--upload-pack=x"), id="url-long-option"),
        pytest.param(module(url="ext::sh -c id"), id="url-ext"),
        pytest.param(module(url="fd::17"), id="url-fd"),
        pytest.param(module(url="file:///etc"), id="url-file"),
        pytest.param(module(url="/etc"), id="url-path"),
        pytest.param(module(url="http://github.com/a/b"), id="url-http"),
        pytest.param(module(url="https://127.0.0.1/x"), id="url-loopback"),
        pytest.param(module(url="https://169.254.169.254/x"), id="url-metadata"),
        pytest.param(module(url="https://user:pw@github.com/a/b"), id="url-login"),
        pytest.param(module(url="ssh://-oProxyCommand=x/y"), id="url-ssh-option"),
        pytest.param(module(url="ssh://git@10.0.0.1/x"), id="url-ssh-private"),
        pytest.param(module(url="git@localhost:a/b"), id="url-scp-localhost"),
        pytest.param(module(url="-x@github.com:a/b"), id="url-scp-option"),
        pytest.param(module(url='"https://a.org/x\\ny"'), id="url-newline"),
        pytest.param(module(more="\tupdate = !touch /tmp/x\n"), id="update-command"),
        pytest.param("[submodule]\n\turl = https://a.org/b\n", id="no-name"),
        pytest.param("not a configuration", id="unreadable"),
    ],
)
def test_submodule_refused(text: str) -> None:
    """What attacks git, or the host behind it, when somebody initialises the submodules."""
    with pytest.raises(Failure) as caught:
        check_gitmodules(text)
    assert "submodule_refused" == caught.value.code


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(module(), id="https"),
        pytest.param(module(url="../other.git"), id="relative"),
        pytest.param(module(url="git@github.com:a/b.git"), id="scp"),
        pytest.param(module(url="ssh://git@github.com/a/b.git"), id="ssh"),
        pytest.param(
            module(more="\tbranch = main\n\tshallow = true\n\tupdate = rebase\n"), id="harmless-keys"
        ),
        pytest.param("# nothing\n[core]\n\tx\n", id="other-sections"),
        pytest.param(module(url="http://forge.lan:3000/a/b"), id="a-prefix-of-the-site"),
    ],
)
def test_submodule_accepted(text: str) -> None:
    """What public repositories say in earnest."""
    check_gitmodules(text, ("http://forge.lan:3000/",))


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        pytest.param("[lfs]\n\turl = https://github.com/owner/repo.git/info/lfs\n", True, id="own"),
        pytest.param("[lfs]\n\tfetchexclude = *.bin\n\tlocksverify = false\n", True, id="no-address"),
        pytest.param("[lfs]\n url=http://169.254.169.254/", False, id="metadata"),
        pytest.param("[lfs]\n\turl = https://evil.example.org/x\n", False, id="elsewhere"),
        pytest.param('[remote "origin"]\n\tlfsurl = https://evil.example.org/x\n', False, id="remote"),
        pytest.param(
            '[url "https://evil.org/"]\n\tinsteadOf = https://github.com/\n', False, id="instead-of"
        ),
        pytest.param("[lfs]\n\tstandalonetransferagent = x\n", False, id="agent"),
        pytest.param('[lfs "customtransfer.x"]\n\tpath = /bin/sh\n', False, id="custom-transfer"),
        pytest.param(
            "[lfs]\n\turl = https://github.com/owner/repo.evil.org/\n", False, id="a-prefix-is-not-it"
        ),
    ],
)
def test_lfsconfig(text: str, *, accepted: bool) -> None:
    """Large files come from the repository's own endpoint or not at all."""
    if accepted:
        check_lfsconfig(text, URL)
        return
    with pytest.raises(Failure) as caught:
        check_lfsconfig(text, URL)
    assert "lfs_endpoint_refused" == caught.value.code


def test_config_is_read_as_git_reads_it() -> None:
    """Quotes, escapes, comments, continued lines and a key behind its section head."""
    text = '[A "b\\"c"] d = "x # y" # z\n\te = 1\\\n2\n'
    assert [("a", 'b"c', "d", "x # y"), ("a", 'b"c', "e", "12")] == [
        (each.section, each.name, each.key, each.value) for each in read_config(text)
    ]


def test_apt_is_read() -> None:
    """Names, versions, comments and blank lines, each package once, in order."""
    text = "\ufeff# tools\ngraphviz\n\nlibstdc++6  # why\ng++\nfoo:amd64=1:2.0~rc1-3+b1\ngraphviz\r\n"
    assert ("graphviz", "libstdc++6", "g++", "foo:amd64=1:2.0~rc1-3+b1") == read_apt(text)


@pytest.mark.parametrize(
    "line", ["curl; id", "a b", "-y", "foo-", "foo+", "$(id)", "Foo", "é", "a\tb", "./x.deb", "a/b"]
)
def test_apt_refused(line: str) -> None:
    """Anything but one package name is refused with its line."""
    with pytest.raises(Failure, match=r"Line 2 of apt\.txt"):
        read_apt(f"curl\n{line}\n")
