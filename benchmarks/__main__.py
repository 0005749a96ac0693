"""`make bench`: side-by-side figures in one run, ours and the peer's in turns, as a table and as ``results.json``.

`python -m benchmarks [--quick] [name …]`: all figures, or the named suites', which replace theirs in the file; --quick makes three
runs of each and writes none.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks import suites
from benchmarks.figures import Figure, table, write

RESULTS = Path(__file__).parent / "results.json"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three runs of each, for trying")
    parser.add_argument("names", nargs="*", choices=[[], *suites.SUITES], help="suites to run (default: all)")
    options = parser.parse_args()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for name in options.names or suites.SUITES:
            print(f"… {name}", file=sys.stderr, flush=True)
            figures += suites.SUITES[name](Path(folder) / name, quick=options.quick)
            print(table(figures), flush=True)
    if not options.quick:
        write(figures, RESULTS, keep=bool(options.names))
    return 0


if __name__ == "__main__":
    sys.exit(main())
