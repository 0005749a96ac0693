"""What members of groups have instead of the site's policy."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from versatilehub.errors import InvalidInput
from versatilehub.policy_explain import Use, explain
from versatilehub.policy_groups import BUILT_IN, Entitlement
from versatilehub.policy_keys import KEYS, TOPICS, format_seconds
from versatilehub.policy_rules import RULES
from versatilehub.policy_types import Profile
from versatilehub.presets import load_all

GIB = 1024**3
DOCS = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "policies.md"


def entitled(groups: dict[str, dict[str, Any]], *of: str, **site: Any) -> Entitlement:
    """Return what a member of *of* may on a hub of preset ska."""
    return load_all("ska", overrides=site, groups=groups).of(of)


@pytest.mark.req("P26")
@pytest.mark.parametrize(
    ("key", "first", "second", "combined"),
    [
        pytest.param("named_servers", 2, 9, 9, id="largest"),
        pytest.param("named_servers", 2, "unlimited", None, id="no limit is largest"),
        pytest.param("memory_min", "1G", "512M", GIB // 2, id="smallest"),
        pytest.param("allow_sources", False, True, True, id="any"),
        pytest.param("images", ["a/b:1"], ["c/d:1", "a/b:1"], ("a/b:1", "c/d:1"), id="union"),
        pytest.param("name_pattern", "a.*", "b.*", "(?:a.*)|(?:b.*)", id="either"),
        pytest.param("name_pattern", "a.*", "", "", id="no pattern allows any"),
        pytest.param("budget_cpu_hours", 10, 0.5, 10.5, id="sum"),
        pytest.param("budget_cpu_hours", 10, "unlimited", None, id="no limit in a sum"),
        pytest.param("idle_timeout_max", "3h", "4h", 4 * 3600, id="time"),
        pytest.param("server_volume_max", "1G", "3G", 3 * GIB, id="cap"),
    ],
)
def test_two_groups_by_the_rule_of_the_key(key: str, first: Any, second: Any, combined: Any) -> None:
    """A key that two groups name is combined by its rule, whichever comes first; the origin names both and the rule."""
    groups = {"one": {key: first}, "two": {key: second}}
    found = entitled(groups, "two", "one")

    assert combined == getattr(found.policy, key) == getattr(entitled(groups, "one", "two").policy, key)
    assert f"groups one, two: {KEYS[key].rule.name}" == found.origins[key]


def test_hosts_of_two_groups() -> None:
    """A list of hosts and none at all, which allows any: any."""
    groups: dict[str, dict[str, Any]] = {
        "one": {"source_hosts": ["github.com"]},
        "two": {"source_hosts": []},
        "three": {"source_hosts": ["a.org"]},
    }

    assert () == entitled(groups, "one", "two").policy.sources.hosts
    assert ("a.org", "github.com") == entitled(groups, "one", "three").policy.sources.hosts


def test_profiles_of_two_groups() -> None:
    """Sizes are merged by name; of two with one name the larger stands."""
    row = {"label": "L", "cpus": 1}
    groups: dict[str, dict[str, Any]] = {
        "one": {"profiles": [{"name": "a", "memory": "1G", **row}, {"name": "b", "memory": "1G", **row}]},
        "two": {"profiles": [{"name": "a", "memory": "2G", **row}]},
    }

    assert (
        Profile(name="b", label="L", memory=GIB, cpus=1),
        Profile(name="a", label="L", memory=2 * GIB, cpus=1),
    ) == entitled(groups, "one", "two").policy.profiles


def test_one_group_may_allow_less() -> None:
    """A key that one group alone names has its value, also when it is less than the site's; a second group that is silent adds nothing."""
    groups: dict[str, dict[str, Any]] = {"students": {"named_servers": 1}, "physics": {"memory_max": "9G"}}

    assert (1, 9 * GIB) == (
        entitled(groups, "students", "physics").policy.named_servers,
        entitled(groups, "students", "physics").policy.memory_max,
    )


def test_what_a_group_does_not_name_fits_itself() -> None:
    """A group that lowers the memory need not repeat the default, which is held within; the page says so."""
    found = entitled({"small": {"memory_max": "1G"}}, "small")

    assert (GIB, GIB) == (found.policy.memory_max, found.policy.memory_default)
    assert "preset ska, held within the limits beside it" == found.origins["memory_default"]


def test_origins() -> None:
    """Each value says where it stands: built in, preset, the hub's configuration, a group."""
    found = entitled({"staff": {"name_max": 30}}, "staff", cpus_max=2)

    assert [BUILT_IN, "preset ska", "this hub's configuration", "group staff"] == [
        found.origins[key] for key in ("pids_max", "named_servers", "cpus_max", "name_max")
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("name_max = 20\nnmae_max = 3", "policy.toml, line 2: nmae_max: unknown key", id="slip"),
        pytest.param("[groups.staff]\nmemory_max = 5x", "(at line 2, column 15)", id="no TOML"),
        pytest.param(
            "[groups.staff]\n\nidle_timeout = '2 h'",
            "policy.toml, group staff, line 3: idle_timeout: must be a time",
            id="group",
        ),
        pytest.param(
            "[groups.staff]\nmemory_max = '1G'\nmemory_default = '2G'",
            "policy.toml, group staff, line 3: memory_default: 2G of memory is outside",
            id="contradiction",
        ),
        pytest.param(
            "\nidle_timeout = '3h'",
            "policy.toml, line 2: idle_timeout: 3 hours is more than idle_timeout_max, 2 hours",
            id="against the preset",
        ),
        pytest.param("memory_min = '9G'", "memory_min: 9G of memory is more than memory_max, 2G", id="least"),
        pytest.param("server_volume_max = '1M'", "line 1: server_volume_max: must be at least 16M", id="cap"),
        pytest.param("max_age = 0", "line 1: max_age: must be a time", id="no time"),
        pytest.param(
            "name_pattern = '('", "line 1: name_pattern: must be a regular expression", id="pattern"
        ),
        pytest.param("groups = 3", "groups: must be a table", id="groups"),
        pytest.param("groups.staff = 3", "'staff' must be a table", id="group that is none"),
        pytest.param("trust = ['http://u:p@x/']", "line 1: trust: must be a host name", id="trust"),
        pytest.param("budget_cpu_hours = -1", "budget_cpu_hours: must be a number of hours", id="budget"),
        pytest.param("running_max = 0", "running_max: must be a whole number from 1", id="nobody runs"),
    ],
)
def test_a_malformed_file_names_the_line(tmp_path: Path, text: str, message: str) -> None:
    """An administrator reads file, line, key and reason."""
    file = tmp_path / "policy.toml"
    file.write_text(text)

    with pytest.raises(InvalidInput, match=re.escape(message)) as refused:
        load_all("ska", file=file)

    assert refused.value.message.startswith("policy.toml")


def test_a_file_below_the_configuration(tmp_path: Path) -> None:
    """Preset, file, overrides: the later wins; a group of both is the file's with the configuration's keys on top."""
    file = tmp_path / "policy.toml"
    file.write_text('name_max = 10\nnamed_servers = 4\n[groups."a b"]\nname_max = 11\npids_max = 100\n')
    found = load_all("ska", file=file, overrides={"named_servers": 3}, groups={"a b": {"name_max": 12}})

    assert (10, 3) == (found.of(()).policy.name_max, found.of(()).policy.named_servers)
    assert (12, 100) == (found.of(["a b"]).policy.name_max, found.of(["a b"]).policy.pids_max)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    """A policy file that is not there stops the hub rather than leave the preset."""
    with pytest.raises(InvalidInput, match=r"none\.toml cannot be read"):
        load_all("ska", file=tmp_path / "none.toml")


def test_limits_of_the_spawner() -> None:
    """`mem_limit` and `cpu_limit` are in the place of the site's; a lower one that a group has stays."""
    plain = entitled({}).with_limits(memory=4 * GIB, cpus=0.5, origin="the spawner's {name}")
    group = entitled({"small": {"memory_max": "1G"}}, "small").with_limits(memory=4 * GIB, cpus=0, origin="x")

    assert (4 * GIB, 4 * GIB, 0.5) == (
        plain.policy.memory_max,
        plain.policy.memory_default,
        plain.policy.cpus_max,
    )
    assert "the spawner's mem_limit" == plain.origins["memory_max"]
    assert (GIB, GIB) == (group.policy.memory_max, group.policy.memory_default)


@pytest.mark.req("P25")
def test_the_page_has_every_key_with_its_use() -> None:
    """Each key of a policy is a row below a heading, in words, with use and origin beside it."""
    limits = explain("ann", entitled({}), {"named_servers": Use(amount=2, names=("a", "b"))})
    rows = {row.key: row for row in limits.rows}

    assert set(KEYS) == set(rows)
    assert ("5", "2: a, b", 2, "preset ska") == (
        rows["named_servers"].value,
        rows["named_servers"].use,
        rows["named_servers"].used,
        rows["named_servers"].origin,
    )
    assert ("2G", "2 hours", "no limit", "no") == tuple(
        rows[key].value for key in ("memory_max", "idle_timeout", "home_max", "scratch")
    )
    assert "380M: lab1" == str(Use(amount=380 * 2**20, names=("lab1",), size=True))
    assert list(TOPICS) == [topic for topic, of in limits.topics if of]


@pytest.mark.parametrize(
    ("seconds", "words"), [(1, "1 second"), (90, "90 seconds"), (5400, "90 minutes"), (86400, "1 day")]
)
def test_times_in_words(seconds: int, words: str) -> None:
    """The largest unit that is exact."""
    assert words == format_seconds(seconds)


def test_the_documented_table_is_the_one_that_holds() -> None:
    """docs/how-to/policies.md has each key with its rule, and each rule with its sentence."""
    text = DOCS.read_text("utf-8")
    rows = dict(re.findall(r"^\| `([a-z_]+)` \|.*\| ([a-z ]+) \|$", text, re.MULTILINE))

    assert {key.name: key.rule.name for key in KEYS.values()} == {k: v for k, v in rows.items() if v in RULES}
    assert [] == [rule.name for rule in RULES.values() if f"| {rule.name} | {rule.sentence} |" not in text]
