"""A month's budget: used up, it refuses the next start; what runs goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from versatilehub.errors import Refusal

if TYPE_CHECKING:
    from versatilehub.accounting import Figures, Month
    from versatilehub.policy import Policy

#: Policy key → figure it bounds, and what people call it.
BUDGETS = {
    "budget_server_hours": ("server_hours", "server-hours"),
    "budget_cpu_hours": ("cpu_hours", "CPU-hours"),
    "budget_gb_hours": ("gb_hours", "GB-hours of memory"),
}


def has_budget(policy: Policy) -> bool:
    """Tell whether *policy* bounds anything by the month."""
    return any(getattr(policy, key) is not None for key in BUDGETS)


def check_budget(used: Figures, policy: Policy, month: Month) -> None:
    """Return if one more server may start in *month*; raise `Refusal` with the figure and the day it begins anew."""
    for key, (figure, name) in BUDGETS.items():
        limit, actual = getattr(policy, key), getattr(used, figure)
        if limit is not None and actual >= limit:
            raise Refusal(
                f"You have used {actual:.1f} of {limit:g} {name} in {month.begin:%B %Y}.",
                hint=f"The budget begins anew on {month.end:%Y-%m-%d} (UTC). Servers that run go on.",
                code="budget_used_up",
                limit=f"{limit:g}",
                actual=f"{actual:.1f}",
            )
