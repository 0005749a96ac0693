"""Policies as administrators write them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from versatilehub.errors import InvalidInput
from versatilehub.policy import Policy, Profile
from versatilehub.presets import KEYS, PRESETS, load, parse_policy, preset_text
from versatilehub.sources import SourceRules

GIB = 1024**3


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_holds_together(name: str) -> None:
    """The five files are read without complaint and have an image everybody may run."""
    assert "versatilehub/singleuser:latest" in load(name).images


@pytest.mark.req("P1", "P3", "P17")
def test_the_research_labs_figures() -> None:
    """Names of 20, five named servers, 1 CPU and 2 GB for everybody."""
    policy = load("ska")

    assert (20, 20, 5) == (policy.name_max, policy.display_name_max, policy.named_servers)
    assert (2 * GIB, 2 * GIB, 1.0, 1.0) == (
        policy.memory_default,
        policy.memory_max,
        policy.cpus_default,
        policy.cpus_max,
    )


def test_a_course_builds_nothing() -> None:
    """On a course's machine everybody runs the course's image."""
    assert not load("conjuring").allow_sources


def test_overrides_win_and_extra_sources_are_allowed() -> None:
    """A site changes single keys, written as in a preset file."""
    policy = load(
        "versatile",
        {"memory_max": "9G", "named_servers": "unlimited"},
        extra_sources=("http://forge.lan:3000/",),
    )

    assert (9 * GIB, None) == (policy.memory_max, policy.named_servers)
    assert SourceRules(extra=("http://forge.lan:3000/",)) == policy.sources


def test_every_key_of_a_policy_file() -> None:
    """Each key is read into the field of its name; hosts and ports make the rules for sources."""
    policy = parse_policy("""
        allow_sources = true
        source_hosts = ["github.com", ".example.org"]
        source_ports = [443]
        images = ["quay.io/jupyter/*", "registry.lan:5000/a/*", "a/b:1"]
        memory_min = "256M"
        memory_max = 4294967296
        memory_default = "1.5G"
        cpus_min = 0.1
        cpus_max = 4
        cpus_default = "0.5"
        name_max = 25
        display_name_max = 50
        named_servers = 3
        offers = ["mounts"]
        [[profiles]]
        name = "small"
        label = "Small"
        memory = "1G"
        cpus = 1
    """)

    assert policy == Policy(
        allow_sources=True,
        sources=SourceRules(hosts=("github.com", ".example.org"), ports=(443,)),
        images=("quay.io/jupyter/*", "registry.lan:5000/a/*", "a/b:1"),
        memory_min=GIB // 4,
        memory_max=4 * GIB,
        memory_default=3 * GIB // 2,
        cpus_min=0.1,
        cpus_max=4.0,
        cpus_default=0.5,
        name_max=25,
        display_name_max=50,
        named_servers=3,
        offers=("mounts",),
        profiles=(Profile(name="small", label="Small", memory=GIB, cpus=1.0),),
    )


def test_an_empty_policy_denies() -> None:
    """What a file does not say has the safe value."""
    assert Policy() == parse_policy("")


SMALL = '[[profiles]]\nname = "small"\nlabel = "Small"\nmemory = "{}"\ncpus = {}\n'


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        pytest.param("memory_max", "", "is not TOML", id="no TOML"),
        pytest.param('mxmory_max = "1G"', "mxmory_max", "unknown key 'mxmory_max'", id="slip in a key"),
        pytest.param(
            'allow_sources = "yes"', "allow_sources", "must be true or false, and is 'yes'", id="flag"
        ),
        pytest.param('images = "a/b:1"', "images", "must be a list", id="one instead of many"),
        pytest.param('images = ["debian"]', "images", "neither a tag nor a digest", id="image without a tag"),
        pytest.param('images = ["*"]', "images", "must be registry/prefix/*", id="every image there is"),
        pytest.param('images = ["quay.io/jup*"]', "images", "must be registry/prefix/*", id="half a name"),
        pytest.param('memory_max = "lots"', "memory_max", "no amount of memory", id="memory"),
        pytest.param("memory_max = -1", "memory_max", "no amount of memory", id="no limit in disguise"),
        pytest.param("cpus_max = nan", "cpus_max", "no number of CPUs", id="CPUs"),
        pytest.param(
            "name_max = 31", "name_max", "from 1 to 30, and is 31", id="longer than JupyterHub allows"
        ),
        pytest.param("name_max = true", "name_max", "must be a whole number", id="flag as number"),
        pytest.param("named_servers = -1", "named_servers", "from 0 to", id="negative count"),
        pytest.param(
            'source_hosts = ["https://github.com"]', "source_hosts", "must be a host name", id="URL as host"
        ),
        pytest.param("source_ports = [0]", "source_ports", "from 1 to 65535", id="port"),
        pytest.param('offers = ["everything"]', "offers", "must be one of workspace", id="offer"),
        pytest.param("profiles = [1]", "profiles", "must be a table", id="profile that is none"),
        pytest.param(
            '[[profiles]]\nname = "a"', "profiles", "must be a table with name, label", id="half a profile"
        ),
        pytest.param(
            SMALL.format("9G", 1),
            "profiles",
            "profile small: 9G of memory is outside",
            id="profile too large",
        ),
        pytest.param(
            SMALL.format("1G", 9), "profiles", "profile small: 9 CPUs are outside", id="profile too fast"
        ),
        pytest.param(SMALL.format("1G", 1) * 2, "profiles", "two profiles are called small", id="twins"),
        pytest.param(
            'memory_default = "9G"',
            "memory_default",
            "outside memory_min to memory_max, 128M to 2G",
            id="default",
        ),
    ],
)
def test_a_malformed_policy_names_key_and_reason(text: str, field: str, message: str) -> None:
    """An administrator reads at start which key is wrong, and why."""
    with pytest.raises(InvalidInput, match=re.escape(message)) as refused:
        parse_policy(text, "policy.toml")

    assert ("invalid_policy", field) == (refused.value.code, field and refused.value.field)
    assert refused.value.message.startswith("policy.toml")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"name": "skk"}, "no preset 'skk'", id="slip in a preset"),
        pytest.param({"name": "../ska"}, "no preset", id="path"),
        pytest.param(
            {"name": "ska", "overrides": {"max_memory": "1G"}}, "unknown key 'max_memory'", id="override"
        ),
        pytest.param(
            {"name": "ska", "extra_sources": ("forge.lan",)}, "extra_sources", id="prefix that is no URL"
        ),
    ],
)
def test_a_wrong_choice_is_refused_at_start(arguments: dict[str, Any], message: str) -> None:
    """Presets, overrides and prefixes are checked before anybody starts anything."""
    with pytest.raises(InvalidInput, match=re.escape(message)) as refused:
        load(**arguments)

    assert "invalid_policy" == refused.value.code


def test_keys_are_the_policys_fields() -> None:
    """A key added to the policy is a key of the file."""
    fields = set(Policy.__slots__) - {"sources"} | {"source_hosts", "source_ports"}

    assert fields == set(KEYS)
    assert "allow_sources = true" in preset_text("ska")
