"""``<noun>_<number>.py``; the first of a branch has ``down_revision = None`` and the noun as its label."""
