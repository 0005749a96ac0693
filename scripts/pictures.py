"""Take the README's pictures from the last run of the browser tests: `python3 scripts/pictures.py`.

They show the real product, and change only when somebody runs this.
"""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / ".artifacts" / "journey"
TARGET = ROOT / "docs" / "images"
PICTURES = {
    "form": "form-light-1280",
    "building": "building-light-1280",
    "lab": "lab",
    "failed": "failed-light-1280",
    "phone": "building-dark-360",
}
# A page of pictures must open fast, and the repository stay small.
LIMIT = 200_000


def main() -> None:
    """Copy each picture; end with a message when one is missing or too large."""
    TARGET.mkdir(parents=True, exist_ok=True)
    for name, taken in PICTURES.items():
        source = SOURCE / f"{taken}.png"
        if not source.exists():
            raise SystemExit(f"{source} is missing: run the browser tests first.")
        size = source.stat().st_size
        if size > LIMIT:
            raise SystemExit(f"{source} has {size} bytes, more than {LIMIT}.")
        shutil.copyfile(source, TARGET / f"{name}.png")
        print(f"docs/images/{name}.png {size} bytes")


if __name__ == "__main__":
    main()
