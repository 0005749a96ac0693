"""The part of `VersatileHub` that knows what people may do: the policy traits, and the policy of one person."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from traitlets import Dict, HasTraits, List, Unicode

from versatilehub import presets
from versatilehub.errors import Refusal
from versatilehub.events import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from logging import Logger

    from versatilehub.errors import VersatileHubError
    from versatilehub.ledger import Ledger
    from versatilehub.policy import Entitlement, Policy, PolicySet


class PolicyTraits(HasTraits):
    """Policy traits of a deployment, and the policies they make."""

    if TYPE_CHECKING:  # a trait of `VersatileHub` itself
        log: Logger

        @property
        def ledger(self) -> Ledger:
            """The record of what happened."""

    preset = Unicode(
        "versatile",
        config=True,
        help="""Name of the preset policy: ska, conjuring, versatile, kooplex or binder.

        Default: ``versatile``. Example: ``c.VersatileHub.preset = "ska"``
        """,
    )
    policy_overrides = Dict(
        config=True,
        help="""Policy keys that replace the preset's, as written in a preset file.

        Default: none. Example: ``c.VersatileHub.policy_overrides = {"memory_max": "4G"}``
        """,
    )
    policy_file = Unicode(
        config=True,
        help="""TOML file of policy keys that replace the preset's, with a table ``[groups.<name>]`` for each group that differs.

        What `policy_overrides` and `policy_groups` say wins over it. Default: none. Example: ``"/etc/versatilehub/policy.toml"``
        """,
    )
    policy_groups = Dict(
        config=True,
        help="""What members of a JupyterHub group have instead: policy keys by group name, as in a policy file.

        A key that several groups of a person name is combined by its rule (docs/how-to/policies.md). Default: none.
        Example: ``c.VersatileHub.policy_groups = {"staff": {"named_servers": 20, "memory_max": "16G"}}``
        """,
    )
    extra_sources = List(
        Unicode(),
        config=True,
        help="""URL prefixes of git hosts allowed beside the public forges; plain http is allowed for these only.

        Default: none. Example: ``c.VersatileHub.extra_sources = ["http://forge.example.org:3000/"]``
        """,
    )

    @cached_property
    def policies(self) -> PolicySet:
        """The site's policy and what single groups have instead; raises `InvalidInput` when one is malformed."""
        return presets.load_all(
            self.preset,
            file=Path(self.policy_file) if self.policy_file else None,
            overrides=self.policy_overrides,
            groups=self.policy_groups,
            extra_sources=tuple(self.extra_sources),
        )

    def check_policies(self) -> None:
        """Return if every policy can hold; raise `InvalidInput` with file, line and reason."""
        _ = self.policies

    @cached_property
    def _entitlements(self) -> dict[frozenset[str], Entitlement]:
        return {}

    def entitlement(self, groups: Iterable[str]) -> Entitlement:
        """Return what a member of *groups* may, and where each value comes from."""
        known = frozenset(name for name in groups if name in self.policies.groups)
        if known not in self._entitlements:
            self._entitlements[known] = self.policies.of(known)
        return self._entitlements[known]

    @property
    def policy(self) -> Policy:
        """The site's policy, as somebody in no group has it; what concerns a person is `policy_of` them."""
        return self.entitlement(()).policy

    def policy_of(self, owner: Any) -> Policy:
        """Return the policy of *owner*, a user of JupyterHub: it holds whoever acts for them."""
        return self.entitlement(group.name for group in owner.groups).policy

    def note_refusal(self, owner: str, server: str, error: VersatileHubError) -> None:
        """Write down that policy said no to *owner*: what was typed wrongly is no refusal."""
        if isinstance(error, Refusal):
            self.log.info("%s:%s refused: %s (%s)", owner, server, error.message, error.code)
            self.ledger.append(Kind.REFUSED, owner=owner, server=server, code=error.code)
