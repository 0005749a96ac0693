"""Archives of strangers: what they may hold, and what they may not do."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest
from versatilehub_builder.lines import Failure
from versatilehub_builder.tree import TreeRules, check_tree
from versatilehub_builder.unpack import Bounds, Unpacked, is_archive, safe_path, unpack

from tests.archives import tar_of, zip_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _unpack(
    folder: Path,
    packed: bytes,
    *,
    most_bytes: int = 10**6,
    most_files: int = 100,
    free: int = 0,
    inside: str = "",
) -> Unpacked:
    source = folder / "packed"
    source.write_bytes(packed)
    (folder / "out").mkdir()
    bounds = Bounds(bytes=most_bytes, files=most_files, free=free)
    return unpack(source, folder / "out", bounds, inside)


def _all(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if not path.is_dir() or path.is_symlink()
    }


@pytest.mark.parametrize("pack", [zip_of, tar_of])
@pytest.mark.req("V2")
def test_a_good_archive_comes_out_whole(tmp_path: Path, pack: Callable[[dict[str, str]], bytes]) -> None:
    """Files and folders come out under their names."""
    _unpack(tmp_path, pack({"a.txt": "1", "b/c/d.txt": "2", "./e": "3"}))

    assert {"a.txt", "b/c/d.txt", "e"} == _all(tmp_path / "out")
    assert "2" == (tmp_path / "out/b/c/d.txt").read_text()


def test_what_could_be_run_still_can(tmp_path: Path) -> None:
    """The right to execute is kept, no other special bit is."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, mode in (("run", 0o104755), ("plain", 0o100600)):
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, "x")
    _unpack(tmp_path, packed.getvalue())

    assert [0o755, 0o644] == [
        stat.S_IMODE((tmp_path / "out" / name).stat().st_mode) for name in ("run", "plain")
    ]


@pytest.mark.parametrize(
    "name", ["../out.txt", "a/../../out.txt", "/etc/cron.d/x", "a\\..\\b", "C:/x", "a\nb"]
)
@pytest.mark.parametrize("pack", [zip_of, tar_of])
@pytest.mark.req("V2")
def test_no_path_leads_out(tmp_path: Path, pack: Callable[[dict[str, str]], bytes], name: str) -> None:
    """A path that is absolute, climbs or hides something ends it; nothing is written beside the folder."""
    before = _all(tmp_path)
    with pytest.raises(Failure) as raised:
        _unpack(tmp_path, pack({name: "x"}))

    assert "archive_path_refused" == raised.value.code
    assert before | {"packed"} == _all(tmp_path)


def test_links_are_made_last_and_looked_at(tmp_path: Path) -> None:
    """Nothing is written through a link, whichever comes first, and a link out of the tree is refused by the tree's check."""
    packed = zip_of({"sub/real.txt": "x"}, links={"alias": "sub/real.txt", "out": "../../secret"})
    _unpack(tmp_path, packed)

    assert "x" == (tmp_path / "out/alias").read_text()
    with pytest.raises(Failure) as raised:
        check_tree(tmp_path / "out", TreeRules(url="https://doi.org/x", bytes=10**6, files=100))
    assert "link_leaves_tree" == raised.value.code


@pytest.mark.parametrize("kind", ["file below a link", "link below a link", "link in place of a folder"])
def test_no_link_carries_a_file_away(tmp_path: Path, kind: str) -> None:
    """An archive that makes a link and then names a path through it is refused, or keeps the folder."""
    away = tmp_path / "away"
    away.mkdir()
    link = tarfile.TarInfo("dir")
    link.type, link.linkname = tarfile.SYMTYPE, str(away)
    inner = tarfile.TarInfo("dir/inner")
    inner.type, inner.linkname = tarfile.SYMTYPE, "/etc/passwd"
    packed = {
        "file below a link": lambda: _tar_with(link, "dir/file"),
        "link below a link": lambda: tar_of({}, more=[link, inner]),
        "link in place of a folder": lambda: tar_of({"dir/file": "x"}, more=[link]),
    }[kind]()
    with pytest.raises((Failure, FileExistsError)):
        _unpack(tmp_path, packed)

    assert not list(away.iterdir())


def _tar_with(link: tarfile.TarInfo, name: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.addfile(link)
        archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    return packed.getvalue()


def _special(kind: bytes) -> bytes:
    info = tarfile.TarInfo("special")
    info.type, info.linkname = kind, "../../etc/passwd"
    return tar_of({}, more=[info])


def _zip_device() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        info = zipfile.ZipInfo("pipe")
        info.external_attr = (stat.S_IFIFO | 0o644) << 16
        archive.writestr(info, "")
    return packed.getvalue()


def _locked_zip() -> bytes:
    packed = bytearray(zip_of({"a": "x"}))
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        packed[packed.index(magic) + at] |= 1
    return bytes(packed)


@pytest.mark.parametrize(
    ("packed", "code"),
    [
        pytest.param(_special(tarfile.CHRTYPE), "special_file", id="device"),
        pytest.param(_special(tarfile.FIFOTYPE), "special_file", id="pipe"),
        pytest.param(_special(tarfile.LNKTYPE), "special_file", id="hard link out"),
        pytest.param(_zip_device(), "special_file", id="pipe in a zip"),
        pytest.param(zip_of({"bomb": b"\0" * 3_000_000}), "tree_too_large", id="bomb"),
        pytest.param(tar_of({"bomb": "\0" * 3_000_000}), "tree_too_large", id="bomb in a tar"),
        pytest.param(zip_of({f"{n}": "" for n in range(101)}), "too_many_files", id="many files"),
        pytest.param(zip_of({"a": "x" * 1000})[:-90], "source_damaged", id="cut off"),
        pytest.param(tar_of({"a": os.urandom(3000).hex()})[:-900], "source_damaged", id="cut off tar"),
        pytest.param(_locked_zip(), "source_damaged", id="password"),
    ],
)
@pytest.mark.req("V2")
def test_bombs_devices_and_rubble_are_refused(tmp_path: Path, packed: bytes, code: str) -> None:
    """Limits hold for what comes out, whatever the archive declares."""
    with pytest.raises(Failure) as raised:
        _unpack(tmp_path, packed, most_bytes=2_000_000)

    assert code == raised.value.code
    assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file()) <= 2_000_000


def test_what_must_stay_free_stays_free(tmp_path: Path) -> None:
    """A disk that others need is not filled by what comes out."""
    with pytest.raises(Failure) as raised:
        _unpack(tmp_path, zip_of({"a": "x"}), free=1 << 60)
    assert "no_space" == raised.value.code


def test_git_folders_stay_behind(tmp_path: Path) -> None:
    """Settings of git name programs it runs: a .git that came in an archive is left out, and that is told."""
    unpacked = _unpack(
        tmp_path, zip_of({"p/.git/config": "[core]\nfsmonitor=evil", "p/.GIT/hooks/x": "", "p/a": "1"})
    )

    assert unpacked.left_out
    assert {"p/a"} == _all(tmp_path / "out")


def test_only_the_wanted_folder_comes_out(tmp_path: Path) -> None:
    """Of a bag the content comes out; the texts beside it are at hand for the checksums."""
    packed = zip_of(
        {"id/data/contents/a": "1", "id/manifest-md5.txt": "sums", "id/data/resource.xml": "", "x": ""}
    )
    unpacked = _unpack(tmp_path, packed, inside="id/data/contents")

    assert {"a"} == _all(tmp_path / "out")
    assert {"manifest-md5.txt": "sums"} == unpacked.beside


def test_what_an_archive_is(tmp_path: Path) -> None:
    """A zip is told by its content, a tar by its name as well: a tar is easily mistaken for text."""
    for content, name, expected in (
        (zip_of({"a": "1"}), "data", True),
        (tar_of({"a": "1"}), "data.tar.gz", True),
        (tar_of({"a": "1"}), "data.bin", False),
        (b"PK is how this text begins", "notes.zip", False),
    ):
        (tmp_path / "x").write_bytes(content)
        assert expected is is_archive(tmp_path / "x", name)


@pytest.mark.parametrize("name", ["", ".", "..", "/", "a/..", "a/../b", "\\", "a\x00b"])
def test_no_name_is_no_path(name: str) -> None:
    """A path has a part, and none of them climbs."""
    assert safe_path(name) is None
