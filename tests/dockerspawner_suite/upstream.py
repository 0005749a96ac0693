"""DockerSpawner's own tests, from its source distribution: fetched by pip, held to one sha256, kept between runs.

They are under its licence (BSD-3) and stay in the state folder. The distribution has no conftest; `plugin` stands in.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.dockerspawner_suite.table import Change

VERSION: Final = "14.0.0"
SHA256: Final = "5641d4763ecc78c1b1c3c7621bfe88c055596893e43be7f66ee0dccac06c1d2a"
NAME: Final = f"dockerspawner-{VERSION}.tar.gz"


class SuiteUnavailable(Exception):
    """The tests cannot be had, or are not the ones that were pinned; the message says what to do."""


def fetch(cache: Path) -> Path:
    """Return the source distribution below *cache*, asking pip for it the first time.

    Raises `SuiteUnavailable` when pip gets none, or one whose digest is another.
    """
    kept = cache / NAME
    if kept.exists() and digest(kept) == SHA256:
        return kept
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        pins = Path(scratch) / "pins.txt"
        pins.write_text(f"dockerspawner=={VERSION} --hash=sha256:{SHA256}\n")
        # Without build isolation pip reads the metadata with the setuptools that is here and fetches one file only.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        options = ["--no-build-isolation", "--dest", scratch, "--requirement", str(pins)]
        done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
        fresh = Path(scratch) / NAME
        if done.returncode or not fresh.exists():
            said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
            raise SuiteUnavailable(
                f"pip could not download the source distribution of dockerspawner {VERSION}; it said: {said} "
                f"Let pip reach a package index (PIP_INDEX_URL, PIP_CERT), or put {NAME} into {cache}."
            )
        if digest(fresh) != SHA256:
            raise SuiteUnavailable(f"{NAME} has sha256 {digest(fresh)}, the pinned one is {SHA256}.")
        shutil.move(fresh, kept)
    return kept


def digest(path: Path) -> str:
    """Return the sha256 of a file in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def unpack(sdist: Path, folder: Path, changes: Iterable[Change]) -> None:
    """Write the test files into *folder* with *changes* made; a change that does not fit is `SuiteUnavailable`."""
    with tarfile.open(sdist) as tar:
        for member in tar.getmembers():
            path = Path(member.name)
            if path.parts[1:2] == ("tests",) and path.suffix == ".py":
                content = tar.extractfile(member)
                if content is not None:
                    (folder / path.name).write_bytes(content.read())
    for change in changes:
        path = folder / change.file
        text = path.read_text()
        if text.count(change.old) != change.times:
            found = text.count(change.old)
            raise SuiteUnavailable(f"{change.file} has {change.old!r} {found} times, not {change.times}.")
        path.write_text(text.replace(change.old, change.new))
