"""Builds the project's images, each only when what goes into it changed.

``python images/make.py [--ca-bundle FILE] [--list] [NAME…]``. Standard library only: it runs before anything is
installed. One printed line for each image, with its duration. Ends with 1 when an image could not be made.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))  # run by path, before anything is installed

from images.build_base import make_base  # noqa: E402  # needs the line above
from images.build_command import BuildFailed, build_command, run  # noqa: E402  # as above

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SKIPPED = frozenset({"__pycache__", "tests", ".mypy_cache", ".ruff_cache", "measure_boot.py", "README.md"})
BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
LABEL = "versatilehub.source-hash"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One image: what it is made from, and whether it is made without being named."""

    name: str
    parent: str = ""
    extra: tuple[str, ...] = ()
    default: bool = True

    @property
    def image(self) -> str:
        """The image's name without a tag."""
        return f"versatilehub/{self.name}"


RECIPES = (
    Recipe(name="base"),
    Recipe(name="builder", parent="base"),
    Recipe(name="singleuser", parent="base"),
    Recipe(name="test-server", parent="base"),
    Recipe(
        name="hub",
        parent="base",
        extra=("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "versatilehub"),
        default=False,
    ),
)


def files_of(recipe: Recipe, bundle: bytes) -> dict[str, tuple[bytes, int]]:
    """Return the build context of *recipe*: path → content and mode, sorted by path."""
    found: dict[str, tuple[bytes, int]] = {}
    roots = [(HERE / recipe.name, "")] + [(ROOT / extra, f"project/{extra}") for extra in recipe.extra]
    for root, prefix in roots:
        for path in _walk(root):
            below = "" if path == root else path.relative_to(root).as_posix()
            name = "/".join(part for part in (prefix, below) if part)
            found[name] = (path.read_bytes(), 0o755 if path.stat().st_mode & 0o100 else 0o644)
    found[".site/trust-ca"] = ((HERE / "trust-ca").read_bytes(), 0o755)
    found[".site/ca-bundle.crt"] = (bundle, 0o644)
    return dict(sorted(found.items()))


def _walk(root: Path) -> Iterator[Path]:
    if root.is_file() and (root.name not in SKIPPED or root.parent == ROOT):
        yield root
    elif root.is_dir() and root.name not in SKIPPED:
        for child in root.iterdir():
            yield from _walk(child)


def archive(files: Mapping[str, tuple[bytes, int]]) -> bytes:
    """Return *files* as a tar stream that depends on nothing but them, so that build caches hold."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, (content, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def source_hashes(bundle: bytes) -> dict[str, str]:
    """Return for each recipe the hash of all that goes into it, its parent's included."""
    hashes: dict[str, str] = {}
    for recipe in RECIPES:
        digest = hashlib.sha256(hashes.get(recipe.parent, "").encode())
        files = files_of(recipe, bundle)
        if recipe.name == "base":
            files = {"build_base.py": ((HERE / "build_base.py").read_bytes(), 0)}
        for name, (content, mode) in files.items():
            digest.update(f"{name}\0{mode}\0{len(content)}\0".encode() + content)
        hashes[recipe.name] = digest.hexdigest()
    return hashes


def hashes_present() -> dict[str, str]:
    """Return the hash label of each of our images the engine has; one call, so that "up to date" is instant."""
    names = [f"{recipe.image}:latest" for recipe in RECIPES]
    form = "{{json .RepoTags}} {{json .Config.Labels}}"
    code, out, err = run(["docker", "image", "inspect", f"--format={form}", "--", *names])
    if code and "no such image" not in err.lower():
        raise BuildFailed(f"the engine does not answer: {err.strip()}")
    present: dict[str, str] = {}
    for line in filter(None, out.splitlines()):
        tags, end = json.JSONDecoder().raw_decode(line)
        labels = json.loads(line[end:]) or {}
        present |= {name: labels.get(LABEL, "") for name in names if name in (tags or ())}
    return {recipe.name: present.get(f"{recipe.image}:latest", "") for recipe in RECIPES}


def labels_of(recipe: Recipe, source_hash: str) -> dict[str, str]:
    """Return the provenance labels of an image made now."""
    text = (ROOT / "versatilehub" / "__init__.py").read_text(encoding="utf-8")
    version = re.search(r'__version__ = "([^"]+)"', text)
    code, revision, _ = run(["git", "-C", str(ROOT), "rev-parse", "HEAD"])
    return {
        "versatilehub.kind": "image",
        LABEL: source_hash,
        "org.opencontainers.image.title": recipe.image,
        "org.opencontainers.image.version": version[1] if version else "",
        "org.opencontainers.image.revision": "" if code else revision.strip(),
        "org.opencontainers.image.created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def make(recipe: Recipe, bundle: bytes, source_hash: str) -> str:
    """Make one image and return how, in a word or two."""
    labels = labels_of(recipe, source_hash)
    tags = [f"{recipe.image}:latest", f"{recipe.image}:{labels['org.opencontainers.image.created'][:10]}"]
    if recipe.name == "base":
        return make_base(tags, labels)
    how, command, environment = build_command(usable_builder=recipe.name != "builder")
    argv = [*command, *(f"--tag={tag}" for tag in tags)]
    argv += [f"--label={key}={value}" for key, value in labels.items()] + ["-"]
    code, out, err = run(argv, stdin=archive(files_of(recipe, bundle)), environment=environment)
    if code:
        tail = "\n".join((out + err).splitlines()[-40:])
        raise BuildFailed(f"{recipe.image} could not be built; the log ends:\n{tail}")
    return how


def make_all(names: list[str], bundle: bytes) -> None:
    """Bring the named images, and the ones they are made from, up to date; print a line for each."""
    wanted = {recipe.name for recipe in RECIPES if recipe.name in names or (not names and recipe.default)}
    wanted |= {recipe.parent for recipe in RECIPES if recipe.name in wanted and recipe.parent}
    began = time.monotonic()
    hashes, present = source_hashes(bundle), hashes_present()
    for recipe in RECIPES:
        if recipe.name not in wanted:
            continue
        how = "up to date"
        if present[recipe.name] != hashes[recipe.name]:
            how = make(recipe, bundle, hashes[recipe.name])
        print(f"{recipe.image:26} {how:28} {time.monotonic() - began:6.1f} s", flush=True)
        began = time.monotonic()


def read_bundle(path: str) -> bytes:
    """Return the certificates that go into the images' trust stores; empty when this machine has none."""
    if path:
        return Path(path).read_bytes()
    return next((Path(one).read_bytes() for one in BUNDLES if Path(one).is_file()), b"")


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Build the project's images, each only when needed.")
    parser.add_argument(
        "--ca-bundle", default="", metavar="FILE", help="certificates to trust; default: this machine's"
    )
    parser.add_argument("--list", action="store_true", help="print the names and leave")
    parser.add_argument("names", nargs="*", metavar="NAME", help="images to make; default: all but hub")
    options = parser.parse_args(argv)
    known = [recipe.name for recipe in RECIPES]
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"no image is called {unknown[0]!r}; there are {', '.join(known)}")
    return options


def main(argv: list[str]) -> int:
    """Make the images; two of these at once wait for each other."""
    options = parse(argv)
    if options.list:
        print("\n".join(recipe.name for recipe in RECIPES))
        return 0
    with Path(__file__).open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            make_all(options.names, read_bundle(options.ca_bundle))
        except (BuildFailed, OSError, subprocess.SubprocessError) as error:
            print(f"images: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
