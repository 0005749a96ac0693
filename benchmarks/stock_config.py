"""The peer: stock JupyterHub with stock DockerSpawner 14, its own defaults but for what one machine needs.

Containers are reached over Docker's default bridge by their own address, with a named volume as home: its fastest set-up.
"""

from __future__ import annotations

import os
from pathlib import Path

c = get_config()  # type: ignore[name-defined]  # noqa: F821  # JupyterHub puts it there

state = Path(os.environ["VERSATILEHUB_STATE"])
port = int(os.environ["VERSATILEHUB_PORT"])
gateway = os.environ["BENCH_BRIDGE"]

(state / "hub_id").write_text("stockbench")
c.JupyterHub.bind_url = f"http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = f"http://{gateway}:{port + 81}"
c.JupyterHub.db_url = f"sqlite:///{state / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(state / "cookie_secret")
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{port + 1}"
c.ConfigurableHTTPProxy.pid_file = str(state / "proxy.pid")
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.allow_named_servers = True
c.JupyterHub.services = [{"name": "operator", "api_token": os.environ["VERSATILEHUB_API_TOKEN"]}]
c.JupyterHub.load_roles = [
    {
        "name": "operator",
        "services": ["operator"],
        "scopes": ["admin:users", "admin:servers", "access:servers"],
    }
]
c.JupyterHub.spawner_class = "docker"
c.DockerSpawner.use_internal_ip = True
c.DockerSpawner.network_name = "bridge"
c.DockerSpawner.remove = True
c.DockerSpawner.cmd = ["jupyterhub-singleuser"]
c.DockerSpawner.volumes = {"stockbench-{username}-{servername}": "/home/jovyan"}
c.DockerSpawner.extra_create_kwargs = {
    "labels": {"versatilehub.hub": "stockbench", "versatilehub.kind": "server"}
}
