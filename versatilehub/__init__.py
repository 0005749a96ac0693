"""versatilehub: a repository link becomes a server that keeps your files, on plain Docker and stock JupyterHub."""

__version__ = "0.1.0"
