"""The builder's package lives in its image's folder; these tests import it from there, on the hub's Python too."""

from __future__ import annotations

import sys
from pathlib import Path

_PACKAGE = str(Path(__file__).parents[3] / "images" / "builder")
if _PACKAGE not in sys.path:
    sys.path.insert(0, _PACKAGE)
