"""`make requirements`: each requirement ID with its passing tests, from the report of the last test runs."""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from pathlib import Path

REPORT = Path(__file__).resolve().parents[1] / ".artifacts" / "requirements.json"


def main() -> None:
    """Print the table; the exit code is 1 when an ID has a failing test or none that passes."""
    try:
        tests = json.loads(REPORT.read_text("utf-8"))["tests"]
    except FileNotFoundError:
        raise SystemExit("No test has run yet: `make test` first.") from None
    outcomes: dict[str, dict[str, str]] = defaultdict(dict)
    for node, record in tests.items():
        for identifier in record["requirements"]:
            outcomes[identifier][node] = record["outcome"]
    for identifier in sorted(outcomes, key=_natural):
        print(f"{identifier:<6}{_summary(outcomes[identifier])}")
        for node, outcome in sorted(outcomes[identifier].items()):
            print(f"      {node}" if outcome == "passed" else f"      {outcome.upper()}  {node}")
    shown = [identifier for identifier, nodes in outcomes.items() if set(nodes.values()) == {"passed"}]
    print(f"\n{len(shown)} of {len(outcomes)} requirements named by tests are shown by passing tests only")
    sys.exit(len(shown) != len(outcomes))


def _summary(nodes: dict[str, str]) -> str:
    passed = sum(outcome == "passed" for outcome in nodes.values())
    rest = len(nodes) - passed
    return f"{passed} passing" + (f", {rest} NOT PASSING" if rest else "")


def _natural(identifier: str) -> tuple[str, int]:
    letters, digits = re.fullmatch(r"(\D*)(\d*).*", identifier, re.DOTALL).groups()  # type: ignore[union-attr]  # matches any text
    return letters, int(digits or 0)


if __name__ == "__main__":
    main()
