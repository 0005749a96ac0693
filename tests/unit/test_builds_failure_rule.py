"""One row of the table of causes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from versatilehub.builds.failure_table import RULES

if TYPE_CHECKING:
    from versatilehub.builds.failure_rule import Rule


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_row_is_well_made(rule: Rule) -> None:
    """Its pattern is a regular expression with the names its sentence uses; it ends in a full stop and says what to do."""
    groups = {name.rstrip("0123456789") for name in re.compile(rule.pattern).groupindex}
    assert groups <= {"what", "other", "file", "line", "v"}
    assert ("{}" in rule.message) <= ("what" in groups)
    assert ("{other}" in rule.message) <= ("other" in groups)
    assert all(
        form.endswith((".", ".”", "{}")) or form.rstrip("”").endswith("“{}")
        for form in rule.message.split("|")
    )
    assert rule.hint
