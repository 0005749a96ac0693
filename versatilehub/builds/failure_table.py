"""The table of causes, in the order they are tried: a row stands above those that are also found in its log.

Every row has a recorded log in ``tests/data/build_logs``; `tests.record_build_logs` makes them from repositories that fail. Pure.
"""

from __future__ import annotations

from typing import Final

from .failure_machine import LIMITS, NETWORK
from .failure_python import PYTHON
from .failure_steps import STEPS
from .failure_systems import DEBIAN, OTHER_LANGUAGES

RULES: Final = (*LIMITS, *NETWORK, *PYTHON, *DEBIAN, *OTHER_LANGUAGES, *STEPS)
