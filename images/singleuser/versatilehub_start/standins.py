"""Stand-ins for slow modules while other modules import them.

A stand-in is what ``import slow`` finds for the length of a ``with`` block. Afterwards it is gone from
``sys.modules``, so whoever imports the module later gets the real one, and code that kept the stand-in reaches the
real module through it at first use.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import types
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class StandIn(types.ModuleType):
    """Passes every attribute it was not given on to the real module, importing that at the first."""

    def __getattr__(self, name: str) -> object:
        """Return the real module's *name*; during the block there is none, and the importer fails at once."""
        if name.startswith("__") or sys.modules.get(self.__name__) is self:
            raise AttributeError(name)
        return getattr(importlib.import_module(self.__name__), name)


class NeverUsed:
    """A class nothing in this process is an instance of, for ``isinstance`` in code that expects the hub's."""


class NeverRaised(Exception):
    """An exception nothing in this process raises, for ``except`` in code that expects the database's."""


def later(module: str, name: str) -> Callable[..., object]:
    """Return a function that imports ``module.name`` when it is first called, and calls it."""

    def call(*args: object, **kwargs: object) -> object:
        return getattr(importlib.import_module(module), name)(*args, **kwargs)

    call.__name__ = name
    return call


async def fetch(url: str, **options: object) -> object:
    """Make a request to the hub's API as ``jupyterhub.httpclient.fetch`` does; its import runs beside the loop."""
    real = await asyncio.to_thread(importlib.import_module, "jupyterhub.httpclient")
    return await real.fetch(url, **options)


#: Module → the attributes its importers take from it at import time. Each row is explained in README.md.
STAND_INS: Mapping[str, Mapping[str, object]] = {
    "aiohttp": {},
    "isoduration": {"DurationParsingException": ValueError},
    "jupyterhub.handlers": {"__path__": []},
    "jupyterhub.handlers.pages": {"HealthCheckHandler": NeverUsed},
    "jupyterhub.httpclient": {"fetch": fetch},
    "jupyterhub.orm": {},
    "jupyterhub.roles": {},
    "jupyterlab.extensions.pypi": {
        "PyPIExtensionManager": later("jupyterlab.extensions.pypi", "PyPIExtensionManager"),
    },
    "requests": {},
    "rfc3986_validator": {"validate_rfc3986": later("rfc3986_validator", "validate_rfc3986")},
    "rfc3987_syntax": {"is_valid_syntax": later("rfc3987_syntax", "is_valid_syntax")},
    "sqlalchemy": {"__path__": []},
    "sqlalchemy.exc": {"SQLAlchemyError": NeverRaised},
}


@contextmanager
def stand_ins(table: Mapping[str, Mapping[str, object]] = STAND_INS) -> Iterator[None]:
    """Let the modules of *table* that are not imported yet be found as stand-ins inside the block."""
    added: dict[str, StandIn] = {}
    for name, attributes in table.items():
        if name not in sys.modules:
            module = StandIn(name)
            module.__dict__.update(attributes)
            added[name] = sys.modules[name] = module
    try:
        yield
    finally:
        for name, module in added.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
            parent, _, child = name.rpartition(".")
            if parent and getattr(sys.modules.get(parent), child, None) is module:
                delattr(sys.modules[parent], child)
