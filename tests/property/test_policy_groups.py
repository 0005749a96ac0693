"""Properties of policies of several groups."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from versatilehub.policy_clashes import clashes, fitted
from versatilehub.policy_explain import explain
from versatilehub.policy_groups import Layer, PolicySet, defaults
from versatilehub.policy_keys import KEYS
from versatilehub.policy_types import Profile

GIB = 1024**3
_count = st.none() | st.integers(0, 20)
_memory = st.integers(1, 64).map(lambda n: n * GIB // 4)
_cpus = st.sampled_from([0.05, 0.1, 0.5, 1.0, 1.5, 2.0, 4.0])
_profile = st.builds(
    Profile, name=st.sampled_from("abc"), label=st.sampled_from(["A", "B"]), memory=_memory, cpus=_cpus
)
_words = st.lists(st.sampled_from(["a", "b", "c"]), max_size=3, unique=True).map(tuple)
#: A value of the form each key's reader gives, by the type of its default.
_BY_KEY: dict[str, st.SearchStrategy[Any]] = {
    "profiles": st.lists(_profile, max_size=3, unique_by=lambda p: p.name).map(tuple),
    "source_ports": st.lists(st.integers(1, 9), max_size=3).map(tuple),
    "name_pattern": st.sampled_from(["", "a.*", "b.*"]),
    **{f"memory_{end}": _memory for end in ("min", "max", "default")},
    **{f"cpus_{end}": _cpus for end in ("min", "max", "default")},
    **{key: st.none() | st.floats(0, 1e6) for key in KEYS if key.startswith("budget")},
}


def _strategy(key: str) -> st.SearchStrategy[Any]:
    usual = defaults()[key]
    if key in _BY_KEY:
        return _BY_KEY[key]
    if isinstance(usual, bool):
        return st.booleans()
    if isinstance(usual, tuple):
        return _words
    return _count if usual is None or key == "named_servers" else st.integers(1, 20)


_values = st.fixed_dictionaries({}, optional={key: _strategy(key) for key in KEYS})
_groups = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), _values, max_size=4)


def policies(site: dict[str, Any], groups: dict[str, dict[str, Any]]) -> PolicySet:
    """Return the policies these values make."""
    return PolicySet(
        site=(Layer(origin="site", values=site),),
        groups={name: Layer(origin=name, values=values) for name, values in groups.items()},
    )


@given(_values, _groups, st.data())
def test_the_order_of_groups_never_matters(
    site: dict[str, Any], groups: dict[str, dict[str, Any]], data: st.DataObject
) -> None:
    """However a person's groups are listed, in which order they were written and how often each is named: one answer."""
    order = data.draw(st.permutations(list(groups)))
    written = {name: groups[name] for name in data.draw(st.permutations(list(groups)))}

    assert policies(site, groups).of(list(groups)) == policies(site, written).of([*order, *order])


@given(_values, _groups)
def test_every_answer_holds_together(site: dict[str, Any], groups: dict[str, dict[str, Any]]) -> None:
    """Whatever meets, no default or size is outside its range afterwards, and nothing grew to fit."""
    found = policies(site, groups).of(list(groups)).policy
    values = {key: getattr(found, key) for key in KEYS if not key.startswith("source_")}

    assert [] == clashes(values)
    assert {} == fitted(values)
    stated = [values["memory_max"] for values in groups.values() if "memory_max" in values]
    assert found.memory_max == max(stated, default=site.get("memory_max", defaults()["memory_max"]))


@given(
    _values, _groups, st.sampled_from(["named_servers", "running_max", "builds_per_day", "server_volume_max"])
)
def test_one_more_group_never_takes_away_what_another_gave(
    site: dict[str, Any], groups: dict[str, dict[str, Any]], key: str
) -> None:
    """Counts and caps of two groups that name them are never less than those of one alone."""
    both = policies(site, groups)
    named = [name for name in groups if key in groups[name]]
    if not named:
        return
    alone, together = getattr(both.of(named[:1]).policy, key), getattr(both.of(named).policy, key)

    assert together is None or (alone is not None and together >= alone)


@given(_values, _groups)
def test_a_group_that_says_nothing_changes_nothing(
    site: dict[str, Any], groups: dict[str, dict[str, Any]]
) -> None:
    """Groups no policy speaks of do not matter, and every value has an origin to show."""
    found = policies(site, groups)

    assert found.of(list(groups)) == found.of([*groups, "unheard-of"])
    assert all(row.origin and row.value for row in explain("ann", found.of(list(groups))).rows)
