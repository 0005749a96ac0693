"""Starts JupyterHub's own single-user server, sooner.

Most of its start is imports that a single-user server never uses: the hub's database and pages, a grammar compiled
at import. They are put off until something asks for them; nothing is removed. README.md lists what each saves.
"""
