"""The rules a Dockerfile must keep, in every way an engine may read it."""

from __future__ import annotations

import pytest
from versatilehub_builder.lines import Failure
from versatilehub_builder.lint import LintRules, check_dockerfile

LOCAL = (
    "physics/base:2026",
    "secret:latest",
    "registry.example.com/lab/tools:1",
    "cut",
    "versatilehub/singleuser:x",
)
RULES = LintRules(images=("versatilehub/singleuser", "local/base:1"), local=LOCAL, cache="vh-mine")
S = "FROM versatilehub/singleuser\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("FROM vh-build/victim:1", "from", id="another-persons-image"),
        pytest.param("from VH-BUILD/x", "from", id="upper-case"),
        pytest.param("FROM docker.io/vh-build/victim:1", "from", id="the-same-by-its-long-name"),
        pytest.param("FROM index.docker.io/library/vh-build/x", "from", id="and-longer"),
        pytest.param("FROM versatilehub/hub", "from", id="our-other-images"),
        pytest.param("FROM versatilehub/singleuser-private", "from", id="a-prefix-is-not-the-name"),
        pytest.param("FROM physics/base:2026", "from", id="this-machines-own-image"),
        pytest.param("FROM docker.io/physics/base:2026", "from", id="the-same-as-if-of-a-registry"),
        pytest.param("FROM secret", "from", id="this-machines-own-latest"),
        pytest.param("FROM registry.example.com/lab/tools:1", "from", id="never-pushed"),
        pytest.param("FROM cut:9", "from", id="too-many-to-name-their-tags"),
        pytest.param(S + "COPY --from=physics/base:2026 / /x", "from", id="copy-from-this-machines-own"),
        pytest.param("FROM sha256:" + "a" * 64, "from", id="image-id"),
        pytest.param("FROM " + "a" * 12, "from", id="short-image-id"),
        pytest.param("FROM localhost:5000/x", "from", id="localhost"),
        pytest.param("FROM 127.0.0.1:5000/x", "from", id="loopback"),
        pytest.param("FROM 10.0.0.5:5000/x", "from", id="private"),
        pytest.param("FROM registry.internal/x", "from", id="internal-name"),
        pytest.param("FROM host:5000/x", "from", id="name-without-dot"),
        pytest.param("ARG B=vh-build/victim\nFROM $B", "from", id="by-argument"),
        pytest.param("ARG B\nFROM ${B:-vh-build/victim}", "from", id="by-default"),
        pytest.param("ARG B=x\nFROM ${B:+vh-build/victim}", "from", id="by-alternative"),
        pytest.param("ARG B=vh-build\nFROM ${B}/victim", "from", id="in-parts"),
        pytest.param("FROM ${B#x}", "from", id="pattern-we-cannot-resolve"),
        pytest.param('FROM "vh-build/victim"', "from", id="quoted"),
        pytest.param("FROM vh-\\\nbuild/victim", "from", id="continued"),
        pytest.param("FROM vh-\\\n# comment\n\nbuild/victim", "from", id="continued-over-a-comment"),
        pytest.param("FROM --platform=linux/amd64 vh-build/victim", "from", id="after-a-flag"),
        pytest.param(S + "COPY --from=vh-build/victim / /x", "from", id="copy-from"),
        pytest.param(S + 'COPY --from="vh-build/victim" / /x', "from", id="copy-from-quoted"),
        pytest.param(S + "COPY --chown=1 --from=$X / /x", "from", id="copy-from-variable"),
        pytest.param(S + "COPY --from=1 / /x", "from", id="a-stage-that-is-not-there"),
        pytest.param(S + "ONBUILD COPY --from=vh-build/victim / /x", "from", id="onbuild"),
        pytest.param(S + "RUN --mount=from=vh-build/victim,target=/x true", "from", id="mount-from"),
        pytest.param(
            S + "RUN --mount=type=bind,source=/,from=vh-build/victim,target=/x true", "from", id="bind-from"
        ),
        pytest.param(
            S + "RUN <<EOF\nFROM vh-build/victim\nEOF", "from", id="heredoc-that-old-engines-do-not-know"
        ),
        pytest.param(
            S + "RUN x \\\\\nFROM vh-build/victim", "from", id="two-backslashes-that-new-engines-end"
        ),
        pytest.param(S + "RUN --mount=type=cache,id=pip,target=/c true", "mount", id="cache"),
        pytest.param(S + "RUN --mount=type=cache,target=/c true", "mount", id="cache-without-id"),
        pytest.param(S + 'RUN --mount="type=cache",target=/c true', "mount", id="cache-quoted"),
        pytest.param(S + "RUN --mount=TYPE=Cache,target=/c true", "mount", id="cache-in-other-case"),
        pytest.param(S + "RUN --mount=target=/c,type=$T true", "mount", id="type-by-variable"),
        pytest.param(S + "RUN --network=none --mount=type=cache,target=/c true", "mount", id="second-flag"),
        pytest.param(S + "RUN --mount=type=secret,id=x cat /run/secrets/x", "mount", id="secret"),
        pytest.param(S + "RUN --mount=type=ssh true", "mount", id="ssh"),
        pytest.param(S + "RUN --security=insecure true", "security", id="insecure"),
        pytest.param(S + "RUN --network=host true", "security", id="network-host"),
        pytest.param(S + "RUN --network=\\\nhost true", "security", id="network-host-continued"),
        pytest.param(S + "ADD http://127.0.0.1:8001/api /x", "add", id="add-loopback"),
        pytest.param(S + "ADD http://169.254.169.254/latest /x", "add", id="add-metadata"),
        pytest.param(S + "ADD http://[::1]:8001/ /x", "add", id="add-loopback-6"),
        pytest.param(S + "ADD http://2130706433/ /x", "add", id="add-decimal"),
        pytest.param(S + "ADD https://evil.example.org/redirect /x", "add", id="a-host-that-may-redirect"),
        pytest.param(S + "ADD http://github.com/a/b /x", "add", id="without-tls"),
        pytest.param(S + 'ADD ["http://127.0.0.1/", "/x"]', "add", id="add-json"),
        pytest.param(S + "ADD h'tt'p://127.0.0.1/ /x", "add", id="add-quoted-within"),
        pytest.param(S + "ADD a.txt http://127.0.0.1/ /x", "add", id="add-second-source"),
        pytest.param(S + "ARG U=http://127.0.0.1\nADD $U/x /x", "add", id="add-variable"),
        pytest.param(S + "ADD http${S}://127.0.0.1/ /x", "add", id="add-part-variable"),
        pytest.param(S + "ADD https://github.com$X/ /x", "add", id="add-host-by-variable"),
        pytest.param(S + "ADD git@github.com:a/b.git /x", "add", id="add-git"),
        pytest.param(S + "ADD github.com/a/b.git /x", "add", id="add-git-without-scheme"),
        pytest.param(S + "ONBUILD ADD http://127.0.0.1/ /x", "add", id="onbuild-add"),
        pytest.param("# syntax=evil/frontend\n" + S, "syntax", id="frontend"),
        pytest.param(
            "#!/bin/x\n# Syntax = docker/dockerfile-evil\n" + S, "syntax", id="frontend-after-shebang"
        ),
        pytest.param("#\vx\n# syntax=evil/frontend\n" + S, "syntax", id="frontend-after-odd-space"),
        pytest.param("// syntax=evil/frontend\n" + S, "syntax", id="frontend-other-comment"),
        pytest.param('{"syntax": "evil/frontend"}', "syntax", id="frontend-json"),
        pytest.param("\ufeff# syntax=evil/frontend\n" + S, "syntax", id="frontend-after-bom"),
        pytest.param("# escape=`\n" + S, "syntax", id="escape"),
        pytest.param(S + "RUN true \\", "syntax", id="ends-within"),
        # Each of these let a build read another person's image, or the engine the host's loopback: seen on 20.10.
        pytest.param(S + "RUN true \\\n\x1c\nFROM vh-build/v", "syntax", id="no-blank-line-for-go"),
        pytest.param(S + "RUN true \\\n\x1c# x\nFROM vh-build/v", "syntax", id="no-comment-for-go"),
        pytest.param(S + "RUN true \\\r\r\nFROM vh-build/v", "syntax", id="two-carriage-returns"),
        pytest.param(S + "RUN true \\\f\nFROM vh-build/v", "syntax", id="form-feed-after-backslash"),
        pytest.param(S + "RUN true \\\v\nFROM vh-build/v", "syntax", id="vertical-tab-after-backslash"),
        pytest.param(S + "\u00a0# x \\\nFROM vh-build/v", "syntax", id="comment-after-odd-space"),
        pytest.param(S + "\x85# x \\\nFROM vh-build/v", "syntax", id="comment-after-next-line"),
        pytest.param('ARG B=vh-build/v\nARG A="x B=debian y"\nFROM $B', "from", id="argument-in-quotes"),
        pytest.param("ARG B=vh-build/v\nARG A=x\\ B=debian\nFROM $B", "from", id="argument-after-escape"),
        pytest.param(S + 'ADD ["http:\\u002f\\u002f127.0.0.1/","/y"] z', "add", id="add-json-and-more"),
        pytest.param(S + 'ADD ["h\\\\ttp:\\\\/\\\\/127.0.0.1/","/y"]', "add", id="add-json-escaped"),
        pytest.param(S + 'ADD ["h\'ttp:\'//127.0.0.1/","/y"]', "add", id="add-json-quoted"),
        # And these would on engines that read further.
        pytest.param('ARG B=x\nARG "B"=vh-build/v\nFROM $B', "from", id="argument-of-a-quoted-name"),
        pytest.param("ARG B\nFROM vh${B--build/v}", "from", id="argument-without-value"),
        pytest.param("FROM vh${TARGETSTAGE:+-build/v}", "from", id="argument-the-engine-knows"),
        pytest.param(S + "ONBU\u0130LD ADD http://127.0.0.1/ /x", "add", id="letter-that-go-lowers"),
        pytest.param(S + "RUN <<'A\\'\nx\nA\\\nFROM vh-build/v\nA", "syntax", id="heredoc-of-odd-name"),
        pytest.param(
            S + "RUN <<A \"\nRUN <<'#'\nx \\\n#\nFROM vh-build/v\nA", "syntax", id="heredoc-within-another"
        ),
        pytest.param(S + "RUN true\n" * 2001, "syntax", id="too-many"),
    ],
)
def test_refused(text: str, code: str) -> None:
    """What reads other people's images, caches or the host's network is refused with its line."""
    with pytest.raises(Failure) as caught:
        check_dockerfile(text, RULES)
    assert f"dockerfile_{code}_refused" == caught.value.code
    assert caught.value.file.startswith("Dockerfile:")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(S, id="base"),
        pytest.param("FROM versatilehub/singleuser:2026-11-21", id="base-with-date"),
        pytest.param("FROM docker.io/versatilehub/singleuser:latest", id="base-by-its-long-name"),
        pytest.param("FROM local/base:1", id="a-name-the-site-allows"),
        pytest.param("FROM python:3.13-slim AS build\nFROM build\nCOPY --from=build /a /b", id="stages"),
        pytest.param(
            "FROM python:3.13 as Build\nFROM debian\nCOPY --from=BUILD / /b\nCOPY --from=0 /a /b", id="case"
        ),
        pytest.param("FROM quay.io/jupyter/base-notebook@sha256:" + "a" * 64, id="digest"),
        pytest.param("FROM ghcr.io:443/a/b_c.d-e:V1", id="port"),
        pytest.param("FROM scratch\nCOPY a /", id="scratch"),
        pytest.param('ARG TAG="3.13"\nARG BASE=python:$TAG\nFROM ${BASE}', id="arguments"),
        pytest.param("ARG V\nFROM --platform=$BUILDPLATFORM debian:${V:-12}", id="platform-and-default"),
        pytest.param('ARG A="x y" B=debian\nFROM $B', id="argument-with-a-blank"),
        pytest.param(S + 'ADD ["a b", "https://github.com/a/b", "/x"]', id="add-json-from-a-known-host"),
        pytest.param(S + "RUN <<'END' <<-\"E.2\"\na \\\nEND\nb\n\tE.2\nRUN true", id="quoted-heredocs"),
        pytest.param(S + "RUN echo a\u00a0b \\\n\t&& true", id="odd-space-in-a-command"),
        pytest.param("# syntax=docker/dockerfile:1\n" + S, id="official-frontend"),
        pytest.param("# a comment\n\n# check=skip=all\n" + S, id="comments"),
        pytest.param(
            S + "RUN <<EOF\nset -e\nfrom numpy import x\necho $((1<<n))\nEOF\nRUN true", id="heredoc"
        ),
        pytest.param(S + "RUN echo $((1 << 3)) && cat <<< word", id="shifts-and-here-strings"),
        pytest.param(S + "RUN apt-get update \\\n  # why\n  && apt-get install -y x", id="comment-within"),
        pytest.param(S + "ADD app-${VERSION}.tar.gz data/ /srv/", id="add-file"),
        pytest.param(S + "ADD https://github.com/a/b/releases/download/v$V/x /x", id="add-from-a-known-host"),
        pytest.param(S + "COPY --chown=1000:1000 . /srv/repo/", id="copy"),
        pytest.param(
            S + "RUN --mount=type=tmpfs,target=/t --mount=type=bind,target=/src true", id="harmless-mounts"
        ),
        pytest.param(S + "RUN --mount=type=cache,id=vh-mine,target=/c true", id="our-own-cache"),
        pytest.param(S + "RUN --network=none --security=sandbox true", id="stricter-flags"),
        pytest.param(S + "RUN echo --network=host FROM vh-build/x", id="words-of-a-command"),
        pytest.param(S.replace("\n", "\r\n") + "RUN true\r\n", id="crlf"),
    ],
)
def test_accepted(text: str) -> None:
    """What builds from the base, from stages and from public registries passes."""
    check_dockerfile(text, RULES)


def test_build_argument_wins() -> None:
    """An image name is resolved with the arguments the build is given, not with the file's default."""
    text = "ARG B=debian\nFROM $B"
    with pytest.raises(Failure):
        check_dockerfile(text, LintRules(images=(), args={"B": "vh-build/x"}))
