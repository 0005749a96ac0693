"""Properties of policy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.property.spec_strategies import policies, usages, valid_specs
from versatilehub.errors import Refusal, VersatileHubError
from versatilehub.policy import Policy, Usage, check, check_new_server, grant
from versatilehub.spec import LaunchSpec


def refusal(spec: LaunchSpec, policy: Policy, usage: Usage) -> Refusal | None:
    """Return why *spec* may not start, None if it may; any error but a refusal fails the test."""
    try:
        check(spec, policy, usage)
    except Refusal as refused:
        return refused
    return None


def consents(spec: LaunchSpec, policy: Policy, usage: Usage) -> bool:
    """Tell whether *spec* may start."""
    return refusal(spec, policy, usage) is None


@given(valid_specs, policies, usages)
def test_every_refusal_says_what_to_do(obj: dict[str, Any], policy: Policy, usage: Usage) -> None:
    """A refusal has a code of its own, a field, a limit and a next step."""
    refused = refusal(LaunchSpec.from_json(obj), policy, usage)

    assert refused is None or (refused.code != "refused" and refused.field and refused.limit and refused.hint)


def may_make(name: str, policy: Policy, usage: Usage) -> bool:
    """Tell whether a server of that name may be made."""
    try:
        check_new_server(name, "", policy, usage)
    except VersatileHubError:
        return False
    return True


@given(valid_specs, policies, usages, st.lists(st.text("xyz", min_size=1, max_size=3)), st.integers(0, 9))
def test_more_servers_never_turn_a_refusal_into_consent(
    obj: dict[str, Any], policy: Policy, usage: Usage, more: list[str], running: int
) -> None:
    """Whoever is refused with few servers is refused with more."""
    spec = LaunchSpec.from_json(obj)
    larger = Usage(named_servers=(*usage.named_servers, *more), running=usage.running + running)

    assert consents(spec, policy, usage) >= consents(spec, policy, larger)
    assert may_make("new-one", policy, usage) >= may_make("new-one", policy, larger)


@given(valid_specs, policies)
def test_what_is_granted_is_within_the_range(obj: dict[str, Any], policy: Policy) -> None:
    """A spec that passed never gets more than the policy's most, nor less than its least."""
    spec = LaunchSpec.from_json(obj)
    if not consents(spec, policy, Usage()):
        return
    granted = grant(spec, policy)

    assert policy.memory_min <= granted.memory <= policy.memory_max
    assert policy.cpus_min <= granted.cpus <= policy.cpus_max


@given(valid_specs, policies, usages)
def test_a_narrower_policy_never_allows_more(obj: dict[str, Any], policy: Policy, usage: Usage) -> None:
    """Taking away what a policy names takes away consent, never a refusal."""
    spec = LaunchSpec.from_json(obj)
    narrower = replace(policy, offers=(), images=(), named_servers=0, memory_max=policy.memory_default)

    assert consents(spec, policy, usage) >= consents(spec, narrower, usage)
