"""The base of every image: Debian 13 slim, pulled, or made on this machine where no registry answers."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from images.build_command import BuildFailed, run

if TYPE_CHECKING:
    from collections.abc import Mapping

SUITE = "trixie"
PUBLISHED = f"debian:{SUITE}-slim"
PULL_SECONDS = 45
#: What Debian's own container images leave out too.
DROPPED = (
    "var/cache/apt",
    "var/lib/apt/lists",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "var/log",
)
APT_SETTINGS = """\
APT::Install-Recommends "false";
Acquire::Languages "none";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
"""


def make_base(tags: list[str], labels: Mapping[str, str]) -> str:
    """Make the base image under all *tags* and return how, in a word or two."""
    how = "pulled"
    if pull():
        options = [f"--tag={tags[0]}", *(f"--label={key}={value}" for key, value in labels.items())]
        recipe = f"FROM {PUBLISHED}\n".encode()
        code, _, err = run(
            ["docker", "build", *options, "-"], stdin=recipe, environment={"DOCKER_BUILDKIT": "0"}
        )
        if code:
            raise BuildFailed(f"the pulled base image could not be labelled: {err.strip()}")
    else:
        debootstrap(tags[0], labels)
        how = "made (debootstrap)"
    for tag in tags[1:]:
        code, _, err = run(["docker", "tag", tags[0], tag])
        if code:
            raise BuildFailed(f"the base image could not be tagged {tag}: {err.strip()}")
    return how


def pull() -> bool:
    """Return whether a registry gave the published image within the time limit."""
    try:
        return run(["docker", "pull", "--quiet", PUBLISHED], timeout=PULL_SECONDS)[0] == 0
    except subprocess.TimeoutExpired:
        return False


def need_debootstrap() -> str:
    """Return the path of debootstrap, installing it where this process may."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    if os.geteuid() != 0:
        raise BuildFailed(
            f"no registry gave {PUBLISHED}, and making it here needs root: run this once as root, "
            f"or `docker load` an image and tag it {PUBLISHED}"
        )
    if not shutil.which("debootstrap", path=path) and shutil.which("apt-get"):
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update", "-q"], environment=quiet)
        run(["apt-get", "install", "-yq", "--no-install-recommends", "debootstrap"], environment=quiet)
    found = shutil.which("debootstrap", path=path)
    if not found:
        raise BuildFailed(
            f"no registry gave {PUBLISHED}, and debootstrap is not installed: install it and try again"
        )
    return found


def debootstrap(tag: str, labels: Mapping[str, str]) -> None:
    """Install a minimal Debian into a scratch folder and import it as *tag*."""
    program = need_debootstrap()
    with tempfile.TemporaryDirectory(prefix="versatilehub-base-") as folder:
        tree = Path(folder, "tree")
        code, out, err = run([program, "--variant=minbase", SUITE, str(tree)])
        if code:
            tail = "\n".join((out + err).splitlines()[-10:])
            raise BuildFailed(f"debootstrap of {SUITE} failed; its log ends:\n{tail}")
        slim(tree)
        changes = [f"LABEL {key}={value}" for key, value in labels.items() if value]
        changes += [
            "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            'CMD ["/bin/bash"]',
        ]
        load(tree, tag, changes)


def slim(tree: Path) -> None:
    """Remove what no container needs from the Debian in *tree* and keep apt from bringing it back."""
    for name in DROPPED:
        folder = tree / name
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    (tree / "etc/apt/apt.conf.d/90versatilehub").write_text(APT_SETTINGS, encoding="utf-8")
    for name in ("etc/resolv.conf", "etc/hostname", "etc/machine-id"):
        (tree / name).unlink(missing_ok=True)


def load(tree: Path, tag: str, changes: list[str]) -> None:
    """Give *tree* to the engine as the image *tag*."""
    archiver = subprocess.Popen(
        ["tar", "--numeric-owner", "-C", str(tree), "-c", "."], stdout=subprocess.PIPE
    )
    importer = subprocess.run(
        ["docker", "import", *(f"--change={line}" for line in changes), "-", tag],
        check=False,
        stdin=archiver.stdout,
        capture_output=True,
    )
    if archiver.wait() or importer.returncode:
        raise BuildFailed(
            f"the engine did not import the base: {importer.stderr.decode(errors='replace').strip()}"
        )
