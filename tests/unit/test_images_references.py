"""Names of images taken apart as Docker does, and registries that may be pulled from."""

from __future__ import annotations

import pytest

from versatilehub.errors import InvalidInput, Refusal
from versatilehub.images.references import check_prefix, check_registry, parse, published
from versatilehub.naming import ImageName

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("image", "host", "path", "version"),
    [
        ("busybox", "docker.io", "library/busybox", "latest"),
        ("jupyter/base:1", "docker.io", "jupyter/base", "1"),
        ("docker.io/library/busybox:1", "docker.io", "library/busybox", "1"),
        ("quay.io/a/b:x", "quay.io", "a/b", "x"),
        ("localhost/a:1", "localhost", "a", "1"),
        ("h:5000/a", "h:5000", "a", "latest"),
        (f"h:5000/a/b:t@{DIGEST}", "h:5000", "a/b", DIGEST),
        (f"[::1]:5000/a@{DIGEST}", "[::1]:5000", "a", DIGEST),
    ],
)
def test_parse(image: str, host: str, path: str, version: str) -> None:
    """Registry, path and what is pulled; a digest counts more than a tag."""
    found = parse(image)

    assert (host, path, version) == (found.host, found.path, found.version)


def test_a_digest_that_cannot_be_checked() -> None:
    """Only a whole sha256 is a digest."""
    for digest in ("sha256:abc", "sha512:" + "a" * 128, "md5:1"):
        with pytest.raises(InvalidInput):
            parse(f"quay.io/a@{digest}")


@pytest.mark.parametrize(
    "prefix", ["registry.example.org/hub", "localhost:5000", "127.0.0.1:5000/a/b/", "[::1]:5000"]
)
def test_prefixes(prefix: str) -> None:
    """A registry and a path below it."""
    assert prefix.rstrip("/") == check_prefix(prefix)
    assert f"{prefix.rstrip('/')}/vh-build/x" == published(
        check_prefix(prefix), ImageName(repository="vh-build/x", tag="1")
    )


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "hub",
        "hub/x",
        "https://r.example.org",
        "r.example.org/UP",
        "r.example.org/a:1",
        "u:p@r.example.org",
        "r.example.org/../x",
        "a b.c",
    ],
)
def test_what_is_no_prefix(prefix: str) -> None:
    """A word alone would lead to Docker's own registry; schemes, tags and passwords have no place in it."""
    with pytest.raises(InvalidInput):
        check_prefix(prefix)


@pytest.mark.parametrize(
    ("image", "allowed", "ok"),
    [
        ("quay.io/a/b:1", (), True),
        ("quay.io/a/b:1", ("quay.io",), True),
        ("quay.io/a/b:1", ("quay.io/a",), True),
        ("quay.io/ab/b:1", ("quay.io/a",), False),
        ("quay.io.evil.example/a/b:1", ("quay.io",), False),
        ("quay.io:5000/a/b:1", ("quay.io",), False),
        ("busybox:1", ("docker.io/library",), True),
        ("docker.io/x/y:1", ("docker.io/library", "docker.io/x/"), True),
        ("busybox:1", ("quay.io",), False),
    ],
)
def test_registries(image: str, allowed: tuple[str, ...], ok: bool) -> None:
    """An entry covers a registry or a path below it, never a longer name that begins alike."""
    if ok:
        check_registry(parse(image), allowed)
        return
    with pytest.raises(Refusal, match="are not pulled here"):
        check_registry(parse(image), allowed)
