"""Runs jupyterhub-idle-culler with our arbiter where the hub does not start it: another container, another machine.

``jupyterhub-idle-culler --config=idle_culler_config.py``, with JUPYTERHUB_API_URL and JUPYTERHUB_API_TOKEN in its environment.
"""

from __future__ import annotations

from versatilehub.culler import arbiter_from_environment

c = get_config()  # type: ignore[name-defined]  # noqa: F821  # traitlets puts it there

c.IdleCuller.cull_arbiter_hook = arbiter_from_environment()
c.IdleCuller.cull_every = 60
c.IdleCuller.api_page_size = 200
# Times and exceptions are the hub's business: the arbiter does not look at these.
c.IdleCuller.max_age = 0
