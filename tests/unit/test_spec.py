"""Launch specs: the form of every value, and the spellings of one wish."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest

from tests.bad_inputs import Case, cases
from versatilehub.errors import InvalidInput, InvalidSource, InvalidSpec
from versatilehub.sources import SourceRules
from versatilehub.spec import KEYS, LaunchSpec, Mount, check_image, parse_cpus, parse_memory
from versatilehub.spec_values import check_volume, parse_size

REPO = "https://github.com/owner/repo"
IMAGE = "quay.io/jupyter/base-notebook:2026-01-05"
MIB = 1024**2


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param("2G", 2048 * MIB, id="unit"),
        pytest.param("1.5G", 1536 * MIB, id="fraction"),
        pytest.param("512M", 512 * MIB, id="megabytes are binary"),
        pytest.param("131072K", 128 * MIB, id="kilobytes"),
        pytest.param("0.001T", 1099511627, id="rounded down to whole bytes"),
        pytest.param("536870912", 512 * MIB, id="digits are bytes"),
        pytest.param(536870912, 512 * MIB, id="number of bytes"),
        pytest.param(536870912.0, 512 * MIB, id="whole number spelled as a fraction"),
    ],
)
def test_memory_is_bytes(given: object, expected: int) -> None:
    """Every spelling of an amount of memory is a number of bytes, in JupyterHub's binary units."""
    assert expected == parse_memory(given)


@pytest.mark.parametrize(
    "given",
    [
        "", "G", "-1", "-1G", "+1G", " 1G", "1G ", "1G\n", "1g", "1GB", "1 G", "1.G", ".5G", "1.5", "1.5555G", "01G", "１G",
        "٢G", "1e3G", "infG", "nan", "0", "0G", "0.0M", "9" * 400 + "G", "9" * 19 + "T", True, False, None, 0, -5, 1.5,
        math.nan, math.inf, -math.inf, 1e300, 10**400, [], {}, [1], b"1G",
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_no_amount_of_memory(given: object) -> None:
    """Everything JupyterHub's own reader would misread, and everything else, is refused in one way."""
    with pytest.raises(InvalidSpec) as refused:
        parse_memory(given)

    assert ("memory", True) == (refused.value.field, "2G" in refused.value.hint)


@pytest.mark.parametrize(
    ("given", "expected"),
    [("1", 1.0), ("0.5", 0.5), ("2.0", 2.0), ("0.05", 0.05), (1, 1.0), (0.25, 0.25), (0.1 + 0.2, 0.3)],
    ids=repr,
)
def test_cpus_are_a_number(given: object, expected: float) -> None:
    """Texts with a decimal point and numbers, in steps of a thousandth."""
    assert expected == parse_cpus(given)


@pytest.mark.parametrize(
    "given",
    [
        "", "0", "-1", "+1", " 1", "1 ", "1\n", ".5", "1.", "01", "1,5", "1e0", "1_0", "½", "٢", "nan", "inf", "true", "0x1",
        True, None, 0, 0.0004, -1, math.nan, math.inf, 1e300, 10**400, [], {},
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_no_number_of_cpus(given: object) -> None:
    """Nothing that Docker would read as "no limit" comes through."""
    with pytest.raises(InvalidSpec) as refused:
        parse_cpus(given)

    assert "cpus" == refused.value.field


@pytest.mark.parametrize(
    "image",
    [
        IMAGE,
        "quay.io/a/b@sha256:" + "0" * 64,
        "quay.io/a/b:v1@sha256:" + "0" * 64,
        "registry.example.org:5000/a/b__c-d--e.f:V_1.x-",
        "versatilehub/singleuser:latest",
        "docker.io/library/debian:bookworm-slim",
        "quay.io/a/b:" + "t" * 128,
        "quay.io/" + "a" * 247 + ":1",
    ],
)
def test_exact_image_names_have_a_form(image: str) -> None:
    """Docker's grammar with a tag, a digest or both; whether the registry is allowed is not asked here."""
    assert image == check_image(image)


@pytest.mark.parametrize(
    "image",
    [
        "", "debian", "quay.io/a/b", "quay.io/a/b:", "quay.io/a/b:" + "t" * 129, "quay.io/A/b:1", "quay.io/a/b:-1", "quay.io/a__-b:1",
        "quay.io/a..b:1", "quay.io/a___b:1", "quay.io/-a/b:1", "quay.io/a/:1", "quay.io:/a:1", "quay.io/a/b@sha256:abc",
        "quay.io/a/b@md5:" + "0" * 64, "quay.io/a/b@sha256:" + "A" * 64, "quay.io/a/b:1@", "quay.io/a/b:1#x", "https://quay.io/a:1",
        "user@quay.io/a:1", "sha256:" + "0" * 64, "vh-build/a-b:1", "docker.io/vh-build/a-b:1", "DOCKER.IO/vh-build/a:1",
        "index.docker.io/vh-build/a-b:1", "quay.io/" + "a" * 248 + ":1", "quay.io/é:1", " quay.io/a:1", "quay.io/a:1\n", "$(id):1",
    ],
)  # fmt: skip
def test_what_names_no_image_exactly(image: str) -> None:
    """Bare names, ids, other people's builds and anything outside the grammar are refused."""
    with pytest.raises(InvalidSpec) as refused:
        check_image(image)

    assert ("image", True) == (refused.value.field, bool(refused.value.hint))


def test_a_full_spec() -> None:
    """Every key has a value of its own type."""
    spec = LaunchSpec.from_json(
        {
            "source": "https://github.com/Owner/Repo.git",
            "ref": "main",
            "subdir": "docs",
            "open": "a.ipynb",
            "profile": "small",
            "memory": "1G",
            "cpus": "0.5",
            "idle_timeout": 7200,
            "mounts": [{"volume": "data", "at": "/home/jovyan/data/", "mode": "ro"}],
            "collaborators": ["Bob", "alice", "bob"],
            "credentials": "file",
            "placement": "image",
        }
    )

    assert spec.source is not None
    assert (REPO, "main", "docs") == (spec.source.url, spec.source.ref, spec.source.subdir)
    assert (1024 * MIB, 0.5, 7200) == (spec.memory, spec.cpus, spec.idle_timeout)
    assert (Mount(volume="data", at="/home/jovyan/data", mode="ro"),) == spec.mounts
    assert ("alice", "bob") == spec.collaborators
    assert ("file", "image") == (spec.credentials, spec.placement)


def test_defaults_are_the_safe_ones() -> None:
    """Nothing but a start: no credentials, files in the home, sizes left to the policy."""
    spec = LaunchSpec.from_json({"image": IMAGE})

    assert LaunchSpec(image=IMAGE) == spec
    assert {"image": IMAGE} == spec.to_json()


@pytest.mark.req("V19")
@pytest.mark.parametrize(
    "spelling",
    [
        pytest.param({"source": "https://github.com/OWNER/Repo"}, id="case"),
        pytest.param({"source": "https://github.com/owner/repo.git"}, id=".git"),
        pytest.param({"source": "git@github.com:owner/repo.git"}, id="git@"),
        pytest.param({"source": "github.com/owner/repo/"}, id="no scheme"),
        pytest.param({"source": REPO, "ref": "HEAD"}, id="HEAD is the default branch"),
        pytest.param({"source": REPO, "ref": "", "memory": None, "mounts": []}, id="empty values"),
        pytest.param({"source": REPO, "credentials": "none", "placement": "home"}, id="defaults"),
        pytest.param({"placement": "home", "source": REPO}, id="order"),
    ],
)
def test_equal_spellings_have_one_digest(spelling: dict[str, Any]) -> None:
    """However one wish is spelled, it is one spec."""
    plain = LaunchSpec.from_json({"source": REPO})

    assert plain.digest == LaunchSpec.from_json(spelling).digest
    assert re.fullmatch("[0-9a-f]{64}", plain.digest)


@pytest.mark.parametrize(
    ("link", "keys"),
    [
        pytest.param(
            f"{REPO}/blob/main/docs/a.ipynb", {"ref": "main", "open": "docs/a.ipynb"}, id="page of a file"
        ),
        pytest.param(
            "https://mybinder.org/v2/gh/owner/repo/main?urlpath=rstudio",
            {"ref": "main", "open": "rstudio"},
            id="Binder",
        ),
        pytest.param(
            "https://mybinder.org/v2/gh/owner/repo/main?urlpath=lab/tree/a.ipynb",
            {"ref": "main", "open": "a.ipynb"},
            id="Binder's file",
        ),
    ],
)
def test_what_a_link_says_is_a_key_of_its_own(link: str, keys: dict[str, str]) -> None:
    """A link with ref and file, and the same in keys, are one spec."""
    assert (
        LaunchSpec.from_json({"source": REPO, **keys}).digest == LaunchSpec.from_json({"source": link}).digest
    )


def test_an_open_of_its_own_wins_over_the_links() -> None:
    """A person who says what to open means it."""
    spec = LaunchSpec.from_json({"source": f"{REPO}/blob/main/a.ipynb", "open": "b.ipynb"})

    assert "b.ipynb" == spec.open


def test_specs_that_differ_have_different_digests() -> None:
    """Each key alone makes another spec."""
    base: dict[str, Any] = {"source": REPO}
    others: list[dict[str, Any]] = [
        {"ref": "main"}, {"subdir": "a"}, {"open": "a"}, {"profile": "small"}, {"memory": "1G"}, {"cpus": 1}, {"idle_timeout": 5},
        {"mounts": [{"volume": "data", "at": "/data"}]}, {"collaborators": ["bob"]}, {"credentials": "env"}, {"placement": "image"},
    ]  # fmt: skip
    digests = {LaunchSpec.from_json(base | other).digest for other in others} | {
        LaunchSpec.from_json(base).digest
    }

    assert len(others) + 1 == len(digests)


@pytest.mark.parametrize(
    ("given", "field", "message"),
    [
        pytest.param([], "", "is an object", id="list"),
        pytest.param("https://github.com/a/b", "", "is an object", id="text"),
        pytest.param(None, "", "is an object", id="null"),
        pytest.param({}, "source", "exactly one of source, image and workspace; this one has none", id="nothing"),
        pytest.param({"source": REPO, "image": IMAGE}, "image", "source and image", id="two starts"),
        pytest.param({"image": IMAGE, "workspace": "w"}, "workspace", "image and workspace", id="two other starts"),
        pytest.param({"image": IMAGE, "ref": "main"}, "ref", "belongs to a source", id="ref of an image"),
        pytest.param({"image": IMAGE, "subdir": "a"}, "subdir", "belongs to a source", id="subdir of an image"),
        pytest.param({"source": 7}, "source", "is a text", id="number as source"),
        pytest.param({"source": REPO, "ref": 7}, "ref", "is a text", id="number as ref"),
        pytest.param({"source": REPO, "ref": ["main"]}, "ref", "is a text; this one is a list", id="list as ref"),
        pytest.param({"image": {}}, "image", "is a text; this one is an object", id="object as image"),
        pytest.param({"image": IMAGE, "open": 5}, "open", "is a text", id="number as open"),
        pytest.param({"image": IMAGE, "memory": ""}, "memory", "no amount", id="an empty amount is a slip"),
        pytest.param({"image": IMAGE, "cpus": ""}, "cpus", "no number", id="an empty number is a slip"),
        pytest.param({"image": IMAGE, "idle_timeout": 0}, "idle_timeout", "from 1 to", id="no time"),
        pytest.param({"image": IMAGE, "idle_timeout": True}, "idle_timeout", "from 1 to", id="flag as time"),
        pytest.param({"image": IMAGE, "profile": "A b"}, "profile", "no profile called", id="name of a profile"),
        pytest.param({"image": IMAGE, "profile": "x" * 64}, "profile", "at most 63 characters; this one has 64", id="long profile"),
        pytest.param({"image": IMAGE, "credentials": "all"}, "credentials", "none, env, file", id="credentials"),
        pytest.param({"image": IMAGE, "placement": ["home"]}, "placement", "home, image", id="placement"),
        pytest.param({"image": IMAGE, "mounts": "data:/data"}, "mounts", "is a list", id="mounts as text"),
        pytest.param({"image": IMAGE, "mounts": ["data:/data"]}, "mounts", "is an object", id="mount as text"),
        pytest.param({"image": IMAGE, "mounts": [{}]}, "mounts", "no name of a volume", id="mount without a volume"),
        pytest.param({"image": IMAGE, "mounts": [{"volume": "vh-x", "at": "/a"}]}, "mounts", "no name", id="Docker's volume"),
        pytest.param({"image": IMAGE, "mounts": [{"volume": "data"}]}, "mounts", "is a text", id="mount without a place"),
        pytest.param({"image": IMAGE, "mounts": [{"volume": "data", "at": "x"}]}, "mounts", "no path", id="relative place"),
        pytest.param({"image": IMAGE, "mounts": [{"volume": "data", "at": "/a/../b"}]}, "mounts", "no path", id="climbing place"),
        pytest.param({"image": IMAGE, "mounts": [{"volume": "data", "at": "/{a}"}]}, "mounts", "one of the", id="template"),
        pytest.param({"image": IMAGE, "mounts": [{"volume": "data", "at": "/a", "size": 1}]}, "mounts", "no key 'size'", id="key"),
        pytest.param({"image": IMAGE, "mounts": [{"volume": "data", "at": "/a"}] * 33}, "mounts", "at most 32", id="many"),
        pytest.param({"image": IMAGE, "collaborators": "bob"}, "collaborators", "is a list", id="name instead of names"),
        pytest.param({"image": IMAGE, "collaborators": [7]}, "collaborators", "is a text", id="number as name"),
        pytest.param({"image": IMAGE, "collaborators": ["a\u200bb"]}, "collaborators", "cannot be seen", id="hidden"),
        pytest.param({"image": IMAGE, 7: "x"}, "", "no key 7", id="number as key"),
    ],
)  # fmt: skip
def test_a_refused_spec_names_field_and_fault(given: object, field: str, message: str) -> None:
    """Each wrong value is refused with the key it belongs to."""
    with pytest.raises(InvalidSpec, match=re.escape(message)) as refused:
        LaunchSpec.from_json(given)

    assert field == refused.value.field


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("memori", "Did you mean memory?"),
        ("Image", "Did you mean image?"),
        ("zzz", ", ".join(KEYS)),
        ("x" * 10_000, "source"),
    ],
    ids=["slip", "case", "no near key", "very long"],
)
def test_an_unknown_key_is_refused_by_name(key: str, hint: str) -> None:
    """The nearest known key is offered, or all of them; the message stays short."""
    with pytest.raises(InvalidSpec) as refused:
        LaunchSpec.from_json({"image": IMAGE, key: 1})

    assert "unknown_key" == refused.value.code
    assert hint in refused.value.hint
    assert len(refused.value.message) < 120


def test_the_sites_own_rules_for_sources_hold() -> None:
    """An internal forge is a source where the site allows it, and nowhere else."""
    rules = SourceRules(extra=("http://forge.lan:3000/",))
    given = {"source": "http://forge.lan:3000/a/b"}

    assert LaunchSpec.from_json(given, rules).source is not None
    with pytest.raises(InvalidSource):
        LaunchSpec.from_json(given)


@pytest.mark.req("V4")
def test_a_form_is_another_spelling() -> None:
    """Lists of texts with spaces around and empty fields are the same spec as the JSON without them."""
    form = {
        "source": [f"  {REPO} "], "ref": [""], "subdir": [], "open": ["a.ipynb"], "image": ["", ""], "profile": ["small"],
        "memory": ["1.5G"], "cpus": ["0.5"], "placement": ["home"], "_xsrf": ["2|x"], "display_name": ["My server"],
    }  # fmt: skip
    spec = LaunchSpec.from_json(
        {"source": REPO, "open": "a.ipynb", "profile": "small", "memory": "1.5G", "cpus": 0.5}
    )

    assert spec == LaunchSpec.from_form(form)


@pytest.mark.parametrize(
    ("form", "field"),
    [
        pytest.param({"source": [REPO], "workspace": ["x"]}, "workspace", id="a key the form has not"),
        pytest.param({"source": [REPO], "mounts": ["x"]}, "mounts", id="no mount"),
        pytest.param({"source": [REPO, f"{REPO}2"]}, "source", id="two values"),
        pytest.param({"source": [b"x"]}, "source", id="bytes"),
        pytest.param(
            {"source": [REPO], "source_file": [{"body": b"", "filename": "a"}]}, "source_file", id="file"
        ),
        pytest.param({"image": [{"filename": "a"}]}, "image", id="file in place of a text"),
    ],
)
def test_a_form_is_read_as_strictly(form: dict[str, list[Any]], field: str) -> None:
    """Unknown fields, repeated values and uploads are refused by name."""
    with pytest.raises(InvalidInput) as refused:
        LaunchSpec.from_form(form)

    assert field == refused.value.field


def test_the_canonical_json_is_sorted_and_has_no_empty_key() -> None:
    """The same object goes into the database, a link and the digest."""
    found = LaunchSpec.from_json({"cpus": 1, "source": REPO, "memory": 1024, "ref": ""}).to_json()

    assert '{"cpus": 1.0, "memory": 1024, "source": "https://github.com/owner/repo"}' == json.dumps(found)


def outcome(given: object) -> LaunchSpec | InvalidInput:
    """Return the spec that a JSON value is, or why it is none."""
    try:
        return LaunchSpec.from_json(given)
    except InvalidInput as error:
        return error


def outcome_of_form(form: dict[str, list[Any]]) -> LaunchSpec | InvalidInput:
    """Return the spec that a form is, or why it is none."""
    try:
        return LaunchSpec.from_form(form)
    except InvalidInput as error:
        return error


@pytest.mark.parametrize(
    "case", cases("repo_url", "ref", "subdir", "image", "memory", "cpu", "urlpath", "filepath")
)
def test_the_corpus_never_surprises_a_spec(case: Case) -> None:
    """Each hostile value, in its key of a REST body and of a form, is read or refused; nothing else happens."""
    key = {"repo_url": "source", "cpu": "cpus", "urlpath": "open", "filepath": "open"}.get(
        case.kind, case.kind
    )
    given = {key: case.value} if key in {"source", "image"} else {"source": REPO, key: case.value}

    for spec in (outcome(given), outcome_of_form({name: [value] for name, value in given.items()})):
        if isinstance(spec, LaunchSpec):
            assert spec == LaunchSpec.from_json(spec.to_json())
        else:
            assert spec.hint


@pytest.mark.parametrize("key", ["plain", "site/image"])
def test_names_an_administrator_gave_stand_for_their_images(key: str) -> None:
    """A listed name is read as its image, in REST and form, and need not be exact; any other name still must be."""
    images = {"plain": "site/image", "site/image": "site/image"}

    assert "site/image" == LaunchSpec.from_json({"image": key}, images=images).image
    assert "site/image" == LaunchSpec.from_form({"image": [key]}, images=images).image
    with pytest.raises(InvalidSpec, match="neither a tag"):
        LaunchSpec.from_json({"image": "other/image"}, images=images)


@pytest.mark.req("V5")
@pytest.mark.parametrize("case", cases("volume_name"))
def test_volume_names_of_the_corpus(case: Case) -> None:
    """A volume's name is one Docker and a path can carry, and never a template, a path or Docker's own name."""
    try:
        check_volume(case.value)
        accepted = True
    except InvalidSpec:
        accepted = False

    assert case.accepted == accepted


@pytest.mark.req("P10")
@pytest.mark.parametrize("case", cases("storage_size"))
def test_storage_sizes_of_the_corpus(case: Case) -> None:
    """A size is a number with a unit between the least and the cap: 16M to 2G here."""
    said: tuple[str, bool] | None = None
    try:
        parse_size(case.value, high=2 * 1024**3)
    except InvalidSpec as error:
        said = error.field, bool(error.hint)

    assert (None if case.accepted else ("size", True)) == said


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "::",
        "a",
        "data",
        "data:/a:ro:x",
        "data:/a:",
        "data:/a:RO",
        "data:a",
        " data:/a",
        "data :/a",
        3,
        None,
    ],
)
def test_texts_that_are_no_mount(text: Any) -> None:
    """The short spelling has two or three parts, and each is checked as in JSON."""
    with pytest.raises(InvalidSpec):
        Mount.from_text(text)


def test_mounts_in_a_form() -> None:
    """A form may name any number of mounts, one text each, in any order."""
    spec = LaunchSpec.from_form({"image": [IMAGE], "mounts": ["b2:/b:ro", " a1:/a ", ""]})

    assert (Mount(volume="a1", at="/a"), Mount(volume="b2", at="/b", mode="ro")) == spec.mounts
