"""What runs inside the builder image: fetch, render, build and place, one container each.

Input is one JSON object in ``VERSATILEHUB_JOB``, output is JSON lines (`lines`). The hub never imports this package;
docs/design.md has the keys of both.
"""
