"""The plan of one version of a record, and where archives are asked."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import replace

import pytest
from traitlets import TraitError

from versatilehub.builds.attempt import Attempt
from versatilehub.errors import InvalidInput
from versatilehub.record_plan import ArchiveHosts, RecordFile, RecordPlan
from versatilehub.runtime import VersatileHub
from versatilehub.sources import ResolvedSource

FILE = RecordFile(path="a/b.csv", url="https://zenodo.org/x", size=3, checksum="md5:" + "0" * 32)
PLAN = RecordPlan(version="record 1", files=(FILE,), unpack=True, hosts=(".zenodo.org",))


def test_a_plan_survives_being_written() -> None:
    """A hub that comes back, and the fetch container, read the plan that was made."""
    assert PLAN == RecordPlan.from_json(json.loads(json.dumps(PLAN.to_json())))
    assert PLAN.to_json() == json.loads(zlib.decompress(base64.b64decode(PLAN.packed())))


def test_an_attempt_keeps_the_plan() -> None:
    """A hub that comes back to a build of a record goes on with the very plan it was begun with."""
    source = ResolvedSource(
        provider="zenodo", url="https://doi.org/10.5281/zenodo.1", commit="0" * 40, record=PLAN
    )
    attempt = Attempt(id="a", identity="b", source=source, builder="c", base="d", created=1.0)

    assert attempt == Attempt.from_json(json.loads(json.dumps(attempt.to_json())))


def test_a_wrong_mirror_ends_the_start() -> None:
    """An administrator learns of a mistyped archive when the hub starts, not a person who pastes a DOI."""
    with pytest.raises(TraitError, match="it may have doi, zenodo"):
        VersatileHub(archive_hosts={"zendo": "https://zenodo.org/"})


@pytest.mark.req("V2")
def test_the_commit_is_what_is_there_and_not_where() -> None:
    """Another checksum, size, name, version or record is another commit; another address of the file is not."""
    commit = PLAN.commit("zenodo", "1")
    moved = replace(PLAN, files=(replace(FILE, url="https://mirror.lan/x"),), hosts=())
    others = [
        replace(PLAN, version="record 2"),
        *(
            replace(PLAN, files=(file,))
            for file in (replace(FILE, size=4), replace(FILE, path="b"), replace(FILE, checksum=""))
        ),
    ]

    assert commit == moved.commit("zenodo", "1")
    assert 40 == len(commit) == len(bytes.fromhex(commit)) * 2
    commits = {
        commit,
        PLAN.commit("zenodo", "2"),
        PLAN.commit("figshare", "1"),
        *(one.commit("zenodo", "1") for one in others),
    }
    assert 3 + len(others) == len(commits)


def test_a_site_names_its_mirrors() -> None:
    """Addresses are completed; a key nobody reads and an address that is none are told at once."""
    hosts = ArchiveHosts.of({"zenodo": "https://sandbox.zenodo.org"})

    assert ("https://sandbox.zenodo.org/", "https://doi.org/") == (hosts.zenodo, hosts.doi)
    with pytest.raises(InvalidInput, match="has the key 'dataverse'; it may have doi, zenodo"):
        ArchiveHosts.of({"dataverse": "https://example.edu/"})
    for wrong in ("zenodo.org", "", None, "ftp://zenodo.org/"):
        with pytest.raises(InvalidInput, match="the address of zenodo is no URL"):
            ArchiveHosts.of({"zenodo": wrong})
